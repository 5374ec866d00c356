"""What the wizard fills in by itself: the first of what fits, where nothing was chosen yet."""

import re
from typing import Final

from apps.deploy.boot import FIELD_OF, os_names
from apps.deploy.offer import Choice, Offer
from apps.deploy.values import Values, first
from apps.deploy.wanted_rules import as_line, preset_rules
from barrack_web.forms import suggest_name

DEFAULTS: Final[Values] = {"boot": ["os"], "public_ip": ["on"], "start": ["none"], "jupyter_enabled": []}


def complete(
    values: Values, before: Values, offer: Offer, mine: str | None, *, sending: bool = False
) -> tuple[Values, list[str]]:
    """Return the values with what is missing, and what was changed because of another choice, in words.

    `before` are the values as last kept; `mine` the visitor's address when the internet knows it by that. While the
    form is being sent, or what came of that is not known, `sending`, the name stays as it is.
    """
    values = DEFAULTS | values
    if not first(values, "gpu_model"):
        return values, []
    values, notes = _place(values, before, offer)
    values = _system(values, before, offer)
    if "name" not in values or (not sending and _name_is_ours(values, before, offer)):
        values = values | {"name": [_name(first(values, "gpu_model"), offer)]}
    return _ways_in(values, offer, mine), notes


def _name(model: str, offer: Offer) -> str:
    return suggest_name(_base(model), "-vm", offer.names)


def _base(model: str) -> str:
    return model.split("-", maxsplit=1)[0].lower()


def _name_is_ours(values: Values, before: Values, offer: Offer) -> bool:
    """Return whether the name is one that was suggested, and no longer fits: for another GPU, or taken meanwhile."""
    name, model = first(values, "name"), first(before, "gpu_model")
    suggested = re.fullmatch(rf"{re.escape(_base(model))}-vm(-\d+)?", name) is not None
    stands = name == first(before, "name") and suggested
    return stands and (model != first(values, "gpu_model") or name in offer.names)


def _place(values: Values, before: Values, offer: Offer) -> tuple[Values, list[str]]:
    """Choose a size and a region that can be had; one that somebody has just chosen stays as it is."""
    model, notes = first(values, "gpu_model"), []
    other_model = model != first(before, "gpu_model")
    count, chosen = first(values, "gpu_count"), first(before, "gpu_count")
    counts = offer.counts(model)
    if not count or (other_model and count == chosen and not _offered(counts, count)):
        fitting = _nearest(counts, count)
        if count and fitting != count:
            notes.append(f"{fitting} × instead of {count} ×: no region has {count} × {model} now.")
        values = values | {"gpu_count": [fitting]}
    other_size = other_model or first(values, "gpu_count") != chosen
    region, regions = first(values, "region"), offer.region_choices(model, as_count(values))
    elsewhere = next((choice.value for choice in regions if not choice.off), "")
    if not region:
        return values | {"region": [elsewhere or next((choice.value for choice in regions), "")]}, notes
    if elsewhere and other_size and region == first(before, "region") and not _offered(regions, region):
        notes += [f"{elsewhere} instead of {region}, which has no {first(values, 'gpu_count')} × {model} now."]
        return values | {"region": [elsewhere]}, notes
    return values, notes


def _offered(choices: list[Choice], value: str) -> bool:
    return any(choice.value == value and not choice.off for choice in choices)


def _nearest(choices: list[Choice], count: str) -> str:
    """Return the largest size that can be had up to the one wanted, else the smallest."""
    sizes = [int(choice.value) for choice in choices if not choice.off] or [int(choice.value) for choice in choices]
    wanted = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 1
    return str(max((size for size in sizes if size <= wanted), default=min(sizes, default=1)))


def _system(values: Values, before: Values, offer: Offer) -> Values:
    """Choose the first operating system of a region just chosen; leave a volume or image that is not of the region.

    One that the region has lost since it was chosen stays as it is, and so does one that was chosen along with the
    region: nobody is given another system unasked.
    """
    names, chosen = os_names(offer, first(values, "region")), first(values, FIELD_OF["os"])
    moved = first(values, "region") != first(before, "region") and chosen == first(before, FIELD_OF["os"])
    if names and chosen not in names and (moved or not chosen):
        return values | {FIELD_OF["os"]: [names[0]]}
    return values


def _ways_in(values: Values, offer: Offer, mine: str | None) -> Values:
    """Take the only key there is, and let the visitor in by SSH."""
    suggested: Values = {}
    if "ssh_keys" not in values and offer.ssh_keys:
        only = [row.name for row in offer.ssh_keys.value]
        suggested["ssh_keys"] = only if len(only) == 1 else []
    if "rule" not in values:
        suggested["rule"] = [as_line(rule) for rule in preset_rules("ssh", mine)]
    return values | suggested


def as_count(values: Values) -> int:
    """Return the number of GPUs chosen; 0 for none, or for something that is no number of GPUs."""
    text = first(values, "gpu_count")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
