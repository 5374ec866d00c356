"""A step that says what a change of people means before it is made: in a dialog, or on a page of its own."""

from dataclasses import dataclass, field

from django.http import HttpResponse

from apps.account.member_forms import ConfirmForm
from barrack_web.alerts import Alert
from barrack_web.forms import BarrackForm
from barrack_web.htmx import HtmxHttpRequest, show


@dataclass
class Step:
    """`lead` says what will happen, `notes` what it means; `blocked` says why it cannot be done at all.

    The change is made only when the POST carries the button's own intent; any other POST shows the step.
    """

    request: HtmxHttpRequest
    title: str
    intent: str
    label: str
    busy: str
    back: str
    lead: str = ""
    notes: list[str] = field(default_factory=list)
    danger: bool = False
    form: BarrackForm = field(default_factory=ConfirmForm)
    blocked: Alert | None = None

    @property
    def sent(self) -> bool:
        return self.request.method == "POST" and self.request.POST.get("intent") == self.intent

    def show(self, status: int = 200) -> HttpResponse:
        context = {
            "layout": "modal.html" if self.request.htmx else "page.html",
            "action": self.request.get_full_path(),
            "form": self.form,
            **{name: getattr(self, name) for name in ("title", "intent", "label", "busy", "back", "lead", "notes")},
            "danger": self.danger,
            "blocked": self.blocked,
        }
        part = "form" if self.request.method == "POST" else ""
        return show(self.request, "account/confirm_modal.html", context, part=part, status=status)

    def refuse(self, title: str, text: str, status: int = 409) -> HttpResponse:
        """Show the step with the reason why nothing was changed."""
        self.blocked = Alert(title=title, text=text, status=status)
        return self.show(status)
