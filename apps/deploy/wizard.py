"""The wizard as it stands for one person now: what was chosen, what is open, what is wrong, what it costs."""

import hashlib
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from apps.activity.events import client_address
from apps.deploy import offer as offers
from apps.deploy.alternatives import LATER, Alternative, alternatives
from apps.deploy.boot import FIELD_OF, LIST_OF, SOURCES
from apps.deploy.defaults import as_count, complete
from apps.deploy.forms import FIELDS_OF, DeployForm
from apps.deploy.gpus import NVLINK_SAID
from apps.deploy.kept_drafts import saved
from apps.deploy.models import Draft
from apps.deploy.offer import Offer
from apps.deploy.price import Price, price_of
from apps.deploy.values import SECTIONS, Values, first, to_keep
from apps.deploy.wanted_rules import (
    JUPYTER_PORT,
    MOST_RULES,
    SSH_PORT,
    as_line,
    new_rule,
    open_to_everybody,
    opens,
)
from barrack_web import clock
from barrack_web.alerts import Alert
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.rule_form import RuleForm, describe
from barrack_web.rule_presets import PRESETS
from barrack_web.script_text import MOST_BYTES

TITLES: Final = {
    "gpu": "GPU",
    "size": "Size and region",
    "boot": "Boot source",
    "access": "Name and SSH keys",
    "network": "Network",
    "start": "First start",
    "review": "Review",
}
# What a section holds that is not open yet.
HOLDS: Final = {
    "size": "How many GPUs, and in which region.",
    "boot": "An operating system, a volume, or an image of your own.",
    "access": "What the VM is called, and who can sign in.",
    "network": "Public IP and security rules.",
    "start": "A startup script, and Jupyter.",
    "review": "Every choice and its price, and the button to deploy.",
}
NOT_ADDED: Final = "The rule that you typed is not added yet: press Add rule, or empty its fields."
SAID: Final = {"os": "", "volume": "Volume ", "image": "Image "}
# The parts around the sections: what the form carries, what went wrong, and the price.
AROUND: Final = ("head", "alert", "panel")


@dataclass(frozen=True)
class Part:
    """A section of the page, or a part around them, already drawn; `tag` changes when it must be drawn anew."""

    key: str
    html: SafeString
    tag: str
    title: str = ""
    open: bool = True
    done: bool = False
    number: int = 0


@dataclass
class Wizard:
    """Everything that the page is drawn from. `asked` are the sections whose gaps are pointed out, too."""

    draft: Draft
    values: Values
    notes: list[str]
    offer: Offer
    form: DeployForm
    price: Price
    rule_form: RuleForm
    mine: str | None
    asked: frozenset[str]
    alert: Alert | None = None
    gaps: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return as_count(self.values)

    @property
    def url(self) -> str:
        """The address under which this draft is found again."""
        return f"{reverse('deploy:wizard')}?{urlencode({'draft': self.draft.pk})}"

    @property
    def summary(self) -> str:
        """What is to be deployed, in a few words."""
        model, region = first(self.values, "gpu_model"), first(self.values, "region")
        return f"{self.count} × {model} in {region}"

    @property
    def brought(self) -> str:
        """The name and region of the image or volume that it boots from; "" for an OS image, or one not at hand."""
        wanted = first(self.values, FIELD_OF.get(first(self.values, "boot"), ""))
        images = self.offer.images.value if self.offer.images else ()
        volumes = self.offer.volumes.value if self.offer.volumes else ()
        found = {str(row.image_id): (row.name, row.region) for row in images}
        found |= {row.volume_id: (row.volume_name, row.region) for row in volumes}
        return "{}, {}".format(*found[wanted]) if wanted in found else ""

    @property
    def gap(self) -> str:
        """What the next section waits for, in one sentence."""
        return next((sentence for found in self.gaps.values() for sentence in found), "")

    @property
    def alternatives(self) -> list[Alternative]:
        """What can be had instead, once the GPUs that were chosen are known not to be free."""
        model, region = first(self.values, "gpu_model"), first(self.values, "region")
        if not model or not {"gpu_count", "region"} & set(self.form.errors):
            return []
        return alternatives(self.offer, model, self.count, region)

    def parts(self) -> dict[str, Part]:
        """Return every part of the page, drawn. A section is open when those before it are complete.

        One that holds something that is not kept stays open.
        """
        context, open_, found = self._context(), True, {}
        waits = next((key for key, gaps in self.gaps.items() if gaps), "")
        for number, key in enumerate(TITLES, start=1):
            found[key] = self._section(key, number, context, open_=open_ or (key == "start" and self.holds_unkept))
            open_ = open_ and not self.gaps.get(key)
        context |= {"ready": open_, "waits": waits}
        return found | {key: _drawn(key, f"deploy/{key}.html", context) for key in AROUND}

    @property
    def unsure(self) -> Alert | None:
        """Why nothing can be sent for now, whatever was chosen."""
        return self.offer.unsure(*_asked_for(self.values))

    @property
    def holds_unkept(self) -> bool:
        """Whether a script was pasted that only the page has: it would be lost with its section."""
        return bool(first(self.values, "cloud_init")) and "cloud_init" not in to_keep(self.values)

    def _section(self, key: str, number: int, context: dict[str, Any], *, open_: bool) -> Part:
        done = open_ and not self.gaps.get(key) and key != "review" and bool(first(self.values, "gpu_model"))
        facts = {"title": TITLES[key], "open": open_, "done": done, "number": number}
        if not open_:
            return _drawn(key, "deploy/closed.html", {"holds": HOLDS[key]}, **facts)
        return _drawn(key, f"deploy/{key}.html", context, **facts)

    def _context(self) -> dict[str, Any]:
        rules = self.form.rules
        return {
            "wizard": self,
            "form": self.form,
            "values": self.values,
            "chosen": {name: first(self.values, name) for fields in SECTIONS.values() for name in fields},
            "offer": self.offer,
            "price": self.price,
            "currency": self.offer.currency,
            "draft": self.draft,
            "saved": saved(self.draft),
            "sources": SOURCES,
            "rule_form": self.rule_form,
            "rules": [(as_line(rule), describe(rule)) for rule in rules],
            "presets": PRESETS.values(),
            "mine": self.mine,
            "most_rules": MOST_RULES,
            "opens_ssh": opens(rules, SSH_PORT),
            "opens_jupyter": opens(rules, JUPYTER_PORT),
            "open_to_everybody": open_to_everybody(rules),
            "jupyter_port": JUPYTER_PORT,
            "not_added": NOT_ADDED,
            "most_bytes": MOST_BYTES,
            "nvlink_said": NVLINK_SAID,
            "later": LATER,
            "poll_seconds": settings.POLL_SECONDS,
        }

    @property
    def stock_age(self) -> int | None:
        """How old the stock is that is shown, in seconds; None while it is not known."""
        return round((clock.now() - self.offer.stocks.at).total_seconds()) if self.offer.stocks else None

    @property
    def boots_from(self) -> str:
        """What the VM boots from, in words."""
        source = first(self.values, "boot")
        return f"{SAID[source]}{self._label(FIELD_OF[source])}" if source in SAID else ""

    def _label(self, name: str) -> str:
        chosen = first(self.values, name)
        return self.form.labels[name].get(chosen, chosen)

    @property
    def starts_with(self) -> str:
        """What runs at the first start, in words."""
        start = first(self.values, "start")
        if start == "script":
            return f"“{self._label('script_id')}”"
        checked = self.form.checked
        return f"Pasted, {checked.kind.value}, {checked.size:,} bytes" if start == "paste" and checked else "None"


def _drawn(key: str, template: str, context: dict[str, Any], **facts: Any) -> Part:
    html = render_to_string(template, context)
    # What is ticked among the GPUs only the browser changes, so it need not be told.
    told = html.replace(" checked", "") if key == "gpu" else html
    tag = hashlib.blake2b(f"{told}{sorted(facts.items())}".encode(), digest_size=6).hexdigest()
    return Part(key, mark_safe(html), tag, **facts)  # noqa: S308 - a template of ours has drawn it


def build(
    request: HtmxHttpRequest,
    draft: Draft,
    values: Values,
    *,
    before: Values,
    asked: frozenset[str] = frozenset(),
    patience: float | None = None,
    adding: bool = False,
    sending: str | None = None,
) -> Wizard:
    """Return the wizard for these values. `before` are those last kept; `adding` when a rule is to be added now.

    `sending` is the name under which the draft is being sent, or was with nobody knowing yet what came of it; "" when
    that is not known to be so, but the values are to stay as they are.
    """
    rules = bool(values.get("ssh_keys") or values.get("rule"))
    size = first(values, "gpu_model"), str(as_count(values) or 1)
    offer = offers.ask(*size, *_asked_for(values), rules=rules).wait(patience)
    mine = public_address(request)
    values, notes = complete(values, before, offer, mine, sending=sending is not None)
    password = request.POST.get("jupyter_password", "")
    form = DeployForm(values, offer=offer, password=password, own_name=sending or "")
    form.live_url = reverse("deploy:wizard")
    form.is_valid()
    wizard = Wizard(
        draft=draft,
        values=values,
        notes=notes,
        offer=offer,
        form=form,
        price=price_of(offer, first(values, "gpu_model"), as_count(values)),
        rule_form=new_rule(values, offer.protocol_names, sent=adding),
        mine=mine,
        asked=asked,
    )
    note_gaps(wizard)
    return wizard


def _asked_for(values: Values) -> list[str]:
    """Return the lists that the choices ask for beside those that everybody chooses from."""
    scripts = ["scripts"] if first(values, "start") == "script" else []
    return [*[name for source, name in LIST_OF.items() if source == first(values, "boot")], *scripts]


def note_gaps(wizard: Wizard) -> None:
    """Note what each section lacks; of what was not filled in yet, say nothing at the field until it is asked for."""
    form = wizard.form
    for key in SECTIONS:
        names = form.wrong(key)
        # A password is typed anew each time the page is opened, and asked for when the form is sent.
        wizard.gaps[key] = [str(form.errors[_where(name)][0]) for name in names if name != "jupyter_password"]
        if key == "network" and wizard.rule_form.is_bound:
            wizard.gaps[key].append(NOT_ADDED)
        for name in names:
            filled = first(wizard.values, name) or name in {"name", "rule"} or form.data.get(name)
            if key not in wizard.asked and not filled:
                form.errors.pop(name, None)


def _where(name: str) -> str:
    return "__all__" if name == "rule" else name


def public_address(request: HtmxHttpRequest) -> str | None:
    """Return the visitor's address when the rest of the world knows it by that, else None."""
    address = client_address(request)
    return address if address and ip_address(address).is_global else None


ALL_SECTIONS: Final = frozenset(FIELDS_OF)
