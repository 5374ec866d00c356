"""The wizard: one page in sections, each choice kept as it is made; sending it stands in sending.py."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import patience
from apps.activity.models import State
from apps.deploy import sending
from apps.deploy.kept_drafts import draft_of, keep, saved, sending_of
from apps.deploy.like import values_of
from apps.deploy.models import Draft, Template
from apps.deploy.offer import ask
from apps.deploy.pages import changes, elsewhere, others_of, show_page, typed, with_key
from apps.deploy.values import NEW_RULE_FIELDS, Values, from_address, sent
from apps.deploy.wanted_rules import preset_rules, with_rules
from apps.deploy.wizard import ALL_SECTIONS, Wizard, build, public_address
from barrack_web import cloud
from barrack_web.htmx import HtmxHttpRequest, private
from barrack_web.script_text import MOST_BYTES

# Where a button leads that needs the form kept first.
KEY_PAGES: Final = {"create-key": "security:create_key", "import-key": "security:import_key"}
MOST_PICKED: Final = 2000


@require_http_methods(["GET", "POST"])
@can(Can.DEPLOY_VM)
def wizard(request: HtmxHttpRequest) -> HttpResponse:
    """Prepare a VM and deploy it. A draft of which a VM was made leads to that VM: it makes no second one."""
    # The lists are on their way while the database is asked; who waits for them later joins in.
    ask("", "1")
    back = kept(request)
    draft = draft_of(request, came_back=str(back.get("draft", "")))
    if request.POST.get("intent") == "create":
        return sending.send(request, draft)
    # Also of a draft that is no longer kept: its address leads to its VM ever after.
    made = sending.looked_for(draft) if request.method == "GET" and not request.htmx else sending_of(draft)
    if made is not None and made.state == State.DONE:
        return elsewhere(request, reverse("deploy:deploying", args=[made.pk]))
    own = made.name if made else None
    if request.method == "POST":
        return _update(request, draft, own)
    if request.htmx and "seen" in request.GET:
        page = build(request, draft, dict(draft.values), before=draft.values, sending=own)
        return changes(request, page, poll=True)
    values = _begun(request, draft, back)
    # Asked of the database while the lists are on their way.
    others = others_of(request)
    page = build(request, draft, values, before=draft.values, sending=own)
    if values == draft.values:
        page.alert = sending.uncertain(made) if made else None
        return show_page(request, page, resumed="draft" not in request.GET and saved(draft), others=others)
    # What was brought along is kept, so that it is there when somebody comes back to the page.
    keep(draft, page.values, untouched="draft" not in request.GET and not back)
    return HttpResponseRedirect(f"{page.url}{'#step-access' if 'add_key' in request.GET else ''}")


def _begun(request: HtmxHttpRequest, draft: Draft, back: dict[str, Any]) -> Values:
    """Return what the page begins with: the draft, a VM like it or a template, what the address says, and `back`, what
    was typed before the sign-in ended."""
    values: Values = dict(draft.values)
    if "template" in request.GET:
        values |= _template(request)
    if "like" in request.GET:
        values |= _like(request)
    values |= from_address(request.GET)
    typed_before = {name: [found] if isinstance(found, str) else found for name, found in back.items()}
    return with_key(sent(MultiValueDict(typed_before), values), request.GET.get("add_key", ""))


def _template(request: HtmxHttpRequest) -> Values:
    """Return a template's choices, with a way in for whoever uses it."""
    template = get_object_or_404(Template, pk=_number(request.GET["template"]))
    messages.info(request, f"Begun with the template “{template.name}”. Nothing is deployed yet.")
    rules = with_rules(template.values.get("rule", []), preset_rules("ssh", public_address(request)))
    values: Values = template.values
    return values | {"rule": rules}


def _like(request: HtmxHttpRequest) -> Values:
    """Return the choices that would make a VM like that one; raises Missing when it is gone."""
    found, images = cloud.instance.begin(request.GET["like"][:128]), cloud.images.begin()
    keys, listed = cloud.ssh_keys.begin(), cloud.instances.begin()
    instance = found.get().value
    messages.info(
        request,
        f"Begun like “{instance.vm_name[:60]}”: size, region, system, keys and its own rules. Its firewalls, its "
        "volumes, its script and what is on its disk are not copied. Nothing is deployed yet.",
    )
    return values_of(instance, images.or_none(), keys.or_none(), listed.or_none())


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _update(request: HtmxHttpRequest, draft: Draft, own: str | None) -> HttpResponse:
    """Keep what was chosen, and answer with what changes by it; without JavaScript, with the page."""
    if request.htmx and "validate" in request.POST:
        return _feedback(request, draft, own)
    before: Values = dict(draft.values)
    values, adding = _acted(request, typed(request, before))
    # Kept before anything is read: of two choices in quick succession, the one that came last stays.
    keep(draft, values)
    if request.POST.get("go") in KEY_PAGES:
        return HttpResponseRedirect(f"{reverse(KEY_PAGES[request.POST['go']])}?to=deploy&draft={draft.pk}")
    wait = patience(request)
    page = build(
        request, draft, values, before=before, asked=_asked(request), patience=wait, adding=adding, sending=own
    )
    if adding and _may_add(page):
        values = _with_new_rule(page)
        page = build(request, draft, values, before=page.values, patience=wait, sending=own)
    keep(draft, page.values, unless_newer=True)
    if request.htmx:
        return changes(request, page)
    if page.rule_form.errors:
        return show_page(request, page, status=422)
    # What is not kept would be lost on the way.
    if page.holds_unkept:
        return show_page(request, page)
    return HttpResponseRedirect(f"{page.url}#step-{_next_section(request, page)}")


def _may_add(page: Wizard) -> bool:
    """Return whether the rule that was typed is right, and new."""
    if not page.rule_form.is_valid():
        return False
    if with_rules(page.values.get("rule", []), [page.rule_form.rule()]) == page.values.get("rule", []):
        page.rule_form.add_error("remote_ip_prefix", "This rule is there already.")
        return False
    return True


def _with_new_rule(page: Wizard) -> Values:
    """Return the values with the rule that was typed, and its form empty again."""
    lines = with_rules(page.values.get("rule", []), [page.rule_form.rule()])
    return {name: found for name, found in page.values.items() if name not in NEW_RULE_FIELDS} | {"rule": lines}


def _acted(request: HtmxHttpRequest, values: Values) -> tuple[Values, bool]:
    """Return the values after the button that was pressed, and whether a typed rule is to be added."""
    rules = values.get("rule", [])
    if "pick" in request.POST:
        values = values | from_address(QueryDict(request.POST["pick"][:MOST_PICKED]))
    elif "preset" in request.POST:
        values = values | {"rule": with_rules(rules, preset_rules(request.POST["preset"], public_address(request)))}
    elif "drop_rule" in request.POST:
        values = values | {"rule": [line for line in rules if line != request.POST["drop_rule"]]}
    return values, request.POST.get("intent") == "add-rule"


def _asked(request: HtmxHttpRequest) -> frozenset[str]:
    """Return the section whose Continue was pressed: what it lacks is said."""
    section = request.POST.get("next", "")
    return frozenset({section}) & ALL_SECTIONS


def _next_section(request: HtmxHttpRequest, page: Wizard) -> str:
    """Return where a page without JavaScript goes on: after the section that was continued, when it is complete."""
    keys = [*page.gaps, "review"]
    section = request.POST.get("next", "")
    if section not in page.gaps:
        rules = {"preset", "drop_rule"} & request.POST.keys() or request.POST.get("intent") == "add-rule"
        return "network" if rules else "gpu"
    return section if page.gaps[section] else keys[keys.index(section) + 1]


def _feedback(request: HtmxHttpRequest, draft: Draft, own: str | None) -> HttpResponse:
    """Return what one field says while somebody types; nothing is kept yet."""
    values: Values = dict(draft.values)
    # Held against the one from the form itself: what is being typed is not changed under somebody's hands.
    page = build(request, draft, typed(request, values), before=values, patience=patience(request), sending=own or "")
    name = request.POST["validate"]
    if name not in page.form.fields:
        return private(HttpResponse(status=204))
    template = {"jupyter_password": "deploy/strength.html", "cloud_init": "scripts/content_feedback.html"}.get(name)
    context = {"field": page.form[name], "form": page.form, "strength": page.form.strength}
    return private(render(request, template or "forms/feedback.html", context | {"most": MOST_BYTES}))
