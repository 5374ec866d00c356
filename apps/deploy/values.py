"""What somebody has chosen in the wizard: the fields of each section, and which of them may be kept."""

import re
from collections.abc import Mapping
from typing import Final

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from barrack_web.script_text import secrets_in

# The values of each field, as a form sends them.
Values = dict[str, list[str]]

NEW_RULE: Final = "new"
RULE_FIELDS: Final = ("direction", "protocol", "ethertype", "remote_ip_prefix", "port_range_min", "port_range_max")
NEW_RULE_FIELDS: Final = tuple(f"{NEW_RULE}-{name}" for name in RULE_FIELDS)
# In the order of the page: a section opens once those before it are complete.
SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "gpu": ("gpu_model",),
    "size": ("gpu_count", "region"),
    "boot": ("boot", "os_image", "volume_id", "image_id"),
    "access": ("name", "ssh_keys"),
    "network": ("public_ip", "rule", *NEW_RULE_FIELDS),
    "start": ("start", "script_id", "cloud_init", "jupyter_enabled"),
}
# The others have one value; of several, the last counts, as in every form.
SEVERAL: Final = frozenset({"ssh_keys", "rule"})
FIELDS: Final = frozenset(name for fields in SECTIONS.values() for name in fields)
# What an address may say, so that pages can lead here with something chosen.
FROM_ADDRESS: Final = frozenset(
    {"gpu_model", "gpu_count", "region", "boot", "os_image", "volume_id", "image_id", "start", "script_id"}
)
# In a rule's line: "ingress|tcp|IPv4|203.0.113.7/32|22|22".
SINGLE_ADDRESS: Final = re.compile(r"\.\d+/32\||:[0-9a-fA-F:.]*/128\|")
MOST_VALUES, LONGEST_VALUE, LONGEST_TEXT = 60, 400, 32_768


def first(values: Mapping[str, list[str]], name: str) -> str:
    """Return the field's one value, "" when it has none."""
    return next(iter(values.get(name, [])), "")


def form_data(values: Mapping[str, list[str]]) -> MultiValueDict[str, str]:
    """Return the values in the shape that forms read."""
    return MultiValueDict({name: list(found) for name, found in values.items()})


def sent(post: MultiValueDict[str, str], known: Values) -> Values:
    """Return what is known with what a form says of the sections it shows: a box that is not ticked sends nothing."""
    shown = {text.partition(":")[0] for text in post.getlist("seen")}
    fields = [name for section in shown & SECTIONS.keys() for name in SECTIONS[section]]
    return known | {name: bounded(name, post.getlist(name)) for name in fields}


def from_address(query: QueryDict) -> Values:
    """Return the choices that an address makes."""
    return {name: bounded(name, query.getlist(name)) for name in query if name in FROM_ADDRESS}


def bounded(name: str, found: list[str]) -> list[str]:
    """Return the values, cut far above what anybody types; without NUL, which not every database takes."""
    longest = LONGEST_TEXT if name == "cloud_init" else LONGEST_VALUE
    chosen = found[:MOST_VALUES] if name in SEVERAL else found[-1:]
    return [value.replace("\0", "")[:longest] for value in chosen]


def to_keep(values: Values) -> Values:
    """Return what may be stored of it: a script with something like a secret in it stays in the browser."""
    return {
        name: bounded(name, found)
        for name, found in values.items()
        if name in FIELDS and not (name == "cloud_init" and secrets_in(first(values, name)))
    }


def for_template(values: Values) -> Values:
    """Return what others may begin with: neither the VM's name, nor a rule that was being typed, nor rules that let in
    one single address: they are for whoever made the template."""
    shared = {name: found for name, found in to_keep(values).items() if name != "name" and name not in NEW_RULE_FIELDS}
    rules = [line for line in shared.get("rule", []) if not SINGLE_ADDRESS.search(line)]
    return shared | {"rule": rules} if rules else {name: found for name, found in shared.items() if name != "rule"}


def words_of(values: Values) -> str:
    """Return what would be deployed, in a few words."""
    model, count, region = (first(values, name) for name in ("gpu_model", "gpu_count", "region"))
    what = " × ".join(part for part in (count, model) if part) if model else "No GPU chosen yet"
    name = first(values, "name")
    return f"{what}{f' in {region}' if region and model else ''}{f', “{name}”' if name else ''}"
