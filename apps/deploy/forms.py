"""The wizard's form: every choice of a new VM, and what is wrong with it."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from apps.deploy import strength
from apps.deploy.boot import FIELD_OF, SOURCES, Options, image_options, os_names, volume_options
from apps.deploy.defaults import as_count
from apps.deploy.offer import MOST_CHOICES, Choice, Offer
from apps.deploy.strength import Strength
from apps.deploy.values import SECTIONS, Values, first, form_data
from apps.deploy.wanted_rules import MOST_RULES, read_line
from barrack_web.cached import Read
from barrack_web.client import DeploymentRequest, SecurityRuleRequest
from barrack_web.forms import BarrackForm, NameField, SelectWithReasons
from barrack_web.script_field import ContentField
from barrack_web.script_text import Checked

NO_KEY: Final = "At least one SSH key is required for VM deployment"
NONE_FREE: Final = "No such GPUs are free in {} now."
MOST_PASSWORD: Final = 128
STARTS: Final = {"none": "No script", "script": "Saved script", "paste": "Paste a script"}
FIELDS_OF: Final = SECTIONS | {"start": (*SECTIONS["start"], "jupyter_password")}


def _one_of(label: str, missing: str, gone: str, *, required: bool = True, select: bool = False) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        required=required,
        widget=SelectWithReasons() if select else forms.RadioSelect(),
        error_messages={"required": missing, "invalid_choice": gone},
    )


class PasswordField(forms.CharField):
    """The password of Jupyter, which is never filled in again; how strong it is, is said while one types."""

    live = True

    def __init__(self) -> None:
        attrs = {"autocomplete": "new-password", "spellcheck": "false"}
        widget = forms.PasswordInput(attrs=attrs, render_value=False)
        super().__init__(label="Jupyter password", strip=False, required=False, widget=widget)


class DeployForm(BarrackForm):
    """Every choice of a new VM; `offer` is what there is to choose from, `own_name` a name that is the VM's already."""

    wire = {"vm_name": "name"}

    gpu_model = _one_of("GPU model", "Choose a GPU model.", "Barrack does not offer this GPU any more. Choose another.")
    gpu_count = _one_of("Number of GPUs", "Choose how many GPUs.", "This GPU does not come in this number.")
    region = _one_of("Region", "Choose a region.", "Barrack does not have this region. Choose another one.")
    boot = _one_of("Boot source", "Choose what the VM boots from.", "Choose one of the three boot sources.")
    os_image = _one_of(
        "OS image", "Choose an OS image.", "The region does not have this OS image. Choose another one.", required=False
    )
    volume_id = _one_of(
        "Volume",
        "Choose a volume.",
        "This volume is not in the region chosen, and stays in its own. Choose another one, or its region.",
        required=False,
        select=True,
    )
    image_id = _one_of(
        "Custom image",
        "Choose an image.",
        "This image is not in the region chosen, and stays in its own. Choose another one, or its region.",
        required=False,
        select=True,
    )
    ssh_keys = forms.MultipleChoiceField(
        label="SSH keys",
        error_messages={
            "required": NO_KEY,
            "invalid_choice": "The account has no key “%(value)s” any more. Choose another one.",
        },
    )
    public_ip = forms.BooleanField(label="Public IP", required=False)
    start = _one_of("At the first start", "Choose one.", "Choose one of the three.", required=False)
    script_id = _one_of(
        "Script", "", "This script does not exist any more. Choose another.", required=False, select=True
    )
    jupyter_enabled = forms.BooleanField(label="Jupyter Notebook", required=False)

    def __init__(self, values: Values, *, offer: Offer, password: str = "", own_name: str = "") -> None:
        data = form_data(values | {"jupyter_password": [password] if password else []})
        # Dialogs over this page have fields of their own that are called "name", and send this form along with theirs:
        # what is not filled in yet must not keep them from it.
        super().__init__(data, auto_id="deploy_%s", use_required_attribute=False)
        self.values, self.offer = values, offer
        self.rules: list[SecurityRuleRequest] = []
        # The words of each field's choices.
        self.labels: dict[str, dict[str, str]] = {}
        self.fields["name"] = NameField(label="VM name", noun="VM", taken=offer.names - {own_name})
        self.fields["cloud_init"] = ContentField(label="Startup script or cloud-init", plain=False)
        self.fields["jupyter_password"] = PasswordField()
        self._offer_choices()

    def _offer_choices(self) -> None:
        offer, region, model = self.offer, first(self.values, "region"), first(self.values, "gpu_model")
        self.models = offer.models(model)
        self.counts = offer.counts(model) if model else []
        self.regions = offer.region_choices(model, as_count(self.values)) if model else []
        self.systems = os_names(offer, region)
        self._choices("gpu_model", [(row.name, row.name) for row in self.models])
        self._choices("gpu_count", [(row.value, row.label) for row in self.counts])
        self._choices("region", [(row.value, row.value) for row in self.regions])
        self._choices("boot", list(SOURCES.items()))
        self._choices("os_image", [(name, name) for name in self.systems] if offer.os_images else None)
        self._choices("ssh_keys", [(row.name, row.name) for row in offer.ssh_keys.value] if offer.ssh_keys else None)
        self._choices("start", list(STARTS.items()))
        volume, image, script = (first(self.values, name) for name in ("volume_id", "image_id", "script_id"))
        self._options("volume_id", volume_options(offer, region, volume), "volume", offer.volumes)
        self._options("image_id", image_options(offer, region, image), "image", offer.images)
        self._options("script_id", (self._scripts(script), {}), "script", offer.scripts)

    def _scripts(self, chosen: str) -> list[tuple[str, str]]:
        rows = [(row.script_id, row.name[:60]) for row in self.offer.scripts.value] if self.offer.scripts else []
        ordered = sorted(rows, key=lambda row: row[1].casefold())
        return [row for place, row in enumerate(ordered) if place < MOST_CHOICES or row[0] == chosen]

    @property
    def gone(self) -> dict[str, str]:
        """What was chosen once and is offered no more, by field: it is shown, so that nothing is changed unasked."""
        offered = {
            "gpu_count": {choice.value for choice in self.counts},
            "region": {choice.value for choice in self.regions},
            "os_image": set(self.systems),
        }
        chosen = {name: first(self.values, name) for name in offered}
        return {name: value for name, value in chosen.items() if value and value not in offered[name]}

    def _choices(self, name: str, choices: list[tuple[str, str]] | None) -> None:
        """Offer these; of a list that could not be read, what was chosen before, since nobody knows better."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        offered = [(value, value) for value in self.values.get(name, [])] if choices is None else choices
        field.choices = offered
        self.labels[name] = dict(offered)

    def _options(self, name: str, options: Options, noun: str, read: Read[Any] | None) -> None:
        """Offer these in a select; of very many, the first ones, and it says so."""
        choices, off = options
        article = "an" if noun[0] in "aeiou" else "a"
        first_ones = f" (the first {MOST_CHOICES} of more)" if len(choices) >= MOST_CHOICES else ""
        self._choices(name, [("", f"Choose {article} {noun}{first_ones}"), *choices] if read else None)
        widget = self.fields[name].widget
        assert isinstance(widget, SelectWithReasons)  # noqa: S101 - declared above
        widget.off = off

    @property
    def checked(self) -> Checked | None:
        """What is known of the pasted text, once the form was validated."""
        field = self.fields["cloud_init"]
        assert isinstance(field, ContentField)  # noqa: S101 - declared above
        return field.checked if first(self.values, "cloud_init") else None

    @property
    def strength(self) -> Strength | None:
        """How strong the password is that was typed just now."""
        password = self.data.get("jupyter_password") or ""
        return strength.strength_of(password, first(self.values, "name"), first(self.values, "gpu_model"), "jupyter")

    def clean_gpu_count(self) -> int:
        return int(
            self._free(str(self.cleaned_data["gpu_count"]), self.counts, "No region has {} of these GPUs free now.")
        )

    def clean_region(self) -> str:
        return self._free(str(self.cleaned_data["region"]), self.regions, NONE_FREE)

    def _free(self, value: str, choices: list[Choice], sentence: str) -> str:
        if any(choice.value == value and choice.off for choice in choices):
            raise ValidationError(sentence.format(value), code="none_free")
        return value

    def note_none_free(self) -> None:
        """Note that the API had no such GPUs, whatever its list of stock says."""
        if not {"gpu_count", "region"} & set(self.errors):
            self.add_error("region", ValidationError(NONE_FREE.format(first(self.values, "region")), code="none_free"))

    def clean(self) -> dict[str, Any]:
        self._check_boot()
        self._check_rules()
        self._check_start()
        self._check_jupyter()
        return self.cleaned_data

    def _check_boot(self) -> None:
        """Ask for the one source that was chosen, and take nothing that cannot be booted from."""
        source = self.cleaned_data.get("boot")
        for key, name in FIELD_OF.items():
            if key != source:
                # What stands behind the other tabs is kept, and not asked about.
                self.errors.pop(name, None)
                continue
            chosen, field = self.cleaned_data.get(name), self.fields[name]
            if not chosen and name not in self.errors:
                self.add_error(name, field.error_messages["required"])
            widget = field.widget
            reason = widget.off.get(chosen) if isinstance(widget, SelectWithReasons) and chosen else None
            if reason:
                self.add_error(name, f"The VM cannot boot from it: {reason}.")

    def _check_rules(self) -> None:
        for line in self.values.get("rule", [])[: MOST_RULES + 1]:
            rule = read_line(line, self.offer.protocol_names)
            if rule is None:
                self.add_error(None, ValidationError(f"This is no security rule: {line[:60]}", code="rule"))
            else:
                self.rules.append(rule)
        if len(self.values.get("rule", [])) > MOST_RULES:
            self.add_error(None, ValidationError(f"Use at most {MOST_RULES} rules.", code="rule"))

    def _check_start(self) -> None:
        """Ask for the script that was chosen; what was pasted counts only while pasting is chosen."""
        start = self.cleaned_data.get("start")
        if start != "paste":
            self.errors.pop("cloud_init", None)
        elif not first(self.values, "cloud_init").strip():
            self.errors.pop("cloud_init", None)
            self.add_error("cloud_init", "Paste a script, or choose “No script”.")
        if start != "script":
            self.errors.pop("script_id", None)
        elif not self.cleaned_data.get("script_id") and "script_id" not in self.errors:
            self.add_error("script_id", "Choose a script, or “No script”.")

    def _check_jupyter(self) -> None:
        """Ask for a password of 8 characters or more when Jupyter is wanted (source: user documentation)."""
        password = self.cleaned_data.get("jupyter_password") or ""
        if not self.cleaned_data.get("jupyter_enabled"):
            self.errors.pop("jupyter_password", None)
        elif not password:
            self.add_error("jupyter_password", "Enter a password: everybody who can reach the VM's port 8888 needs it.")
        elif len(password) < strength.LEAST:
            short = strength.LEAST - len(password)
            self.add_error("jupyter_password", f"Use at least {strength.LEAST} characters; {short} more.")
        elif len(password) > MOST_PASSWORD:
            self.add_error("jupyter_password", f"Use at most {MOST_PASSWORD} characters.")

    def has_field(self, wire_name: str) -> bool:
        """Return whether a field that the API names is one of this form, where its sentence can stand."""
        return self.wire.get(wire_name, wire_name) in self.fields

    def wrong(self, section: str) -> list[str]:
        """Return the fields of a section that are not right yet."""
        names = [name for name in FIELDS_OF[section] if name in self.errors]
        rules = section == "network" and self.has_error("__all__", code="rule")
        return [*names, *(["rule"] if rules else [])]

    def request(self) -> DeploymentRequest:
        """Return what to send, once the form is valid."""
        data = self.cleaned_data
        source, start = data["boot"], data.get("start")
        chosen = {name: data[name] if key == source else None for key, name in FIELD_OF.items()}
        return DeploymentRequest(
            vm_name=data["name"],
            gpu_model=data["gpu_model"],
            gpu_count=data["gpu_count"],
            region=data["region"],
            ssh_keys=tuple(data["ssh_keys"]),
            assign_public_ip=data["public_ip"],
            security_rules=tuple(self.rules),
            jupyter_enabled=data["jupyter_enabled"],
            jupyter_password=data["jupyter_password"] if data["jupyter_enabled"] else None,
            cloud_init=data["cloud_init"] if start == "paste" else None,
            script_id=data["script_id"] if start == "script" else None,
            **chosen,
        )


class TemplateForm(BarrackForm):
    """The name of a template."""

    def __init__(self, *args: Any, taken: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = NameField(label="Template name", noun="template", taken=taken)
