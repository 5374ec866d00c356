"""Templates: a deployment's choices under a name, for everybody who may deploy."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event
from apps.deploy.models import MOST_TEMPLATES, Draft, Template
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, KEY, choose, draft_id, form_of, is_open, page, section
from tests.apps.snapshots.helpers import at_once, body, feedback, typed, words
from tests.conftest import text_of

LIST = "/deploy/drafts/"
FULL = CHOICES | {
    "gpu_count": "2",
    "public_ip": [],
    "rule": ["ingress|tcp|IPv4|10.0.0.0/8|22|22"],
    "new-remote_ip_prefix": "10.9.9.9",
    "start": "script",
    "script_id": "71",
    "jupyter_enabled": "on",
}


def save(browser: Client, name: str, **values: Any) -> Any:
    """Save a new draft with these choices as a template, and return the answer."""
    draft = draft_id(choose(browser, **(FULL | values)))
    return browser.post(f"{LIST}{draft}/template/", {"name": name}, follow=True)


def named(browser: Client) -> list[str]:
    """Return the templates' names on the list."""
    return re.findall(r"<strong><bdi>([^<]*)</bdi></strong> <small>[^<]*Saved by", body(browser.get(LIST)))


def made(user: Any, name: str = "usual", **values: list[str]) -> Template:
    return Template.objects.create(name=name, values=values, created_by=user, created_at=clock.now())


# -- saving


def test_it_saves_what_others_can_begin_with(operator: Client) -> None:
    # given a form with everything, then it says what is kept and what is not
    draft = draft_id(choose(operator, **FULL))
    asked = operator.get(f"{LIST}{draft}/template/")
    assert "Keeps 2 × A100-PCIe-80GB in CANADA-1, “trainer” with its keys, network, rules and script" in text_of(asked)
    assert "The VM's name and the Jupyter password are left out" in text_of(asked)
    # when it is saved
    answer = operator.post(f"{LIST}{draft}/template/", {"name": "  usual  "}, follow=True)
    assert "Template “usual” is saved. Everybody who may deploy can begin with it." in text_of(answer)
    # then the choices are there, without the VM's name and a rule that was only being typed
    values = Template.objects.get(name="usual").values
    assert (values["gpu_model"], values["ssh_keys"], values["public_ip"]) == (["A100-PCIe-80GB"], [KEY], [])
    assert values["rule"] == FULL["rule"]
    assert not {"name", "new-remote_ip_prefix"} & values.keys()
    assert not [key for key in values if "password" in key]
    # and the trail says who saved it
    event = Event.objects.get()
    assert (event.action, event.name, event.result, event.who) == (
        "template.create", "usual", "done", "operator@example.com",
    )  # fmt: skip


def test_it_leaves_out_a_script_that_seems_to_hold_a_secret(operator: Client) -> None:
    secret = "#!/bin/sh\nexport HF_TOKEN=hf_abcdefgh12345678\n"
    draft = draft_id(choose(operator, **FULL))
    # even one that an older release may have kept
    Draft.objects.update(values=FULL | {"start": ["paste"], "cloud_init": [secret], "gpu_model": ["L40"]})
    operator.post(f"{LIST}{draft}/template/", {"name": "usual"})
    assert "cloud_init" not in Template.objects.get().values


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Enter a name."),
        ("x" * 51, "Use at most 50 characters; this has 51."),
        ("a/b", "Not allowed: “/”."),
        ("usual", "already exists"),
    ],
)
def test_it_refuses_a_name_that_does_not_fit(operator: Client, name: str, says: str) -> None:
    save(operator, "usual")
    answer = save(operator, name)
    assert answer.status_code == 422
    assert says in feedback(answer)
    assert typed(answer) == name
    assert Template.objects.count() == 1


def test_it_takes_a_name_of_50_characters(operator: Client) -> None:
    assert save(operator, "x" * 50).status_code == 200
    assert named(operator) == ["x" * 50]


def test_it_keeps_at_most_200(operator: Client) -> None:
    draft = draft_id(choose(operator, **FULL))
    user = Draft.objects.get(pk=draft).user
    rows = [Template(name=f"t{n}", created_by=user, created_at=clock.now()) for n in range(MOST_TEMPLATES - 1)]
    Template.objects.bulk_create(rows)
    assert save(operator, "the-last").status_code == 200
    answer = save(operator, "one-more")
    assert answer.status_code == 422
    assert "There are 200 templates already. Delete one first." in text_of(answer)
    assert Template.objects.count() == 200


# -- beginning with one


def test_it_begins_a_new_draft_with_it_for_anybody_who_may_deploy(operator: Client, admin: Client) -> None:
    save(operator, "usual")
    template = Template.objects.get()
    before = Draft.objects.count()
    # when somebody else uses it
    assert f'href="/deploy/?template={template.pk}" aria-label="Deploy with usual"' in body(admin.get(LIST))
    shown = page(admin, template=template.pk)
    # then they have a draft of their own with all of it, a name of its own, and only the password is asked for
    form = form_of(shown)
    assert Draft.objects.count() == before + 1
    assert Draft.objects.get(pk=form["draft"][0]).user.role == "admin"
    assert (form["gpu_count"], form["ssh_keys"], form["rule"]) == (["2"], [KEY], FULL["rule"])
    assert (form["start"], form["script_id"], form["jupyter_enabled"]) == (["script"], ["71"], ["on"])
    assert "public_ip" not in form
    assert form["name"] == ["a100-vm"]
    assert "review" in is_open(shown)


def test_it_lets_in_whoever_uses_it_and_not_whoever_saved_it(operator: Client, admin: Client) -> None:
    # given somebody's rules for single addresses, and one for a network
    operator.defaults["REMOTE_ADDR"], admin.defaults["REMOTE_ADDR"] = "198.51.99.7", "198.51.99.8"
    own = ["ingress|tcp|IPv4|198.51.99.7/32|22|22", "ingress|tcp|IPv6|2001:db8::7/128|8888|8888"]
    save(operator, "usual", rule=[*own, "ingress|tcp|IPv4|10.0.0.0/8|22|22"])
    assert Template.objects.get().values["rule"] == ["ingress|tcp|IPv4|10.0.0.0/8|22|22"]
    # when somebody else uses it, then it lets them in by SSH
    shown = page(admin, template=Template.objects.get().pk)
    assert form_of(shown)["rule"] == [FULL["rule"][0], "ingress|tcp|IPv4|198.51.99.8/32|22|22"]
    assert "Begun with the template “usual”. Nothing is deployed yet." in text_of(shown)
    # and one of nothing but single addresses keeps no rule
    save(operator, "own", rule=own)
    assert "rule" not in Template.objects.get(name="own").values


def test_it_says_what_of_it_is_not_there_any_more(operator: Client, sandbox: Sandbox, make_user: Any) -> None:
    template = made(make_user("admin"), gpu_model=["L40"], ssh_keys=["left-the-team"], gpu_count=["1"], region=["US-1"])
    shown = page(operator, template=template.pk)
    assert "The account has no key “left-the-team” any more." in words(section(shown, "access"))


# -- the list, and deleting


def test_it_lists_what_each_makes_and_who_saved_it(operator: Client, make_user: Any) -> None:
    made(make_user("admin"), "<b>big</b>", gpu_model=["L40"], gpu_count=["8"], region=["US-1"])
    said = text_of(operator.get(LIST))
    assert "<b>big</b> 8 × L40 in US-1. Saved by admin@example.com," in said
    assert "<b>big" not in body(operator.get(LIST))


def test_it_says_what_templates_are_when_there_is_none(operator: Client) -> None:
    assert "None yet. Prepare a VM on Deploy VM and choose “Save as template” in the review" in text_of(
        operator.get(LIST)
    )


def test_it_is_deleted_by_who_saved_it_and_by_an_admin(operator: Client, admin: Client, make_user: Any) -> None:
    other = make_user("operator", email="other@example.com")
    mine, theirs = Draft(user_id=operator.session["_auth_user_id"]).user, other
    urls = {name: f"/deploy/templates/{made(user, name).pk}/delete/" for name, user in (("a", mine), ("b", theirs))}
    # given one of one's own and one of somebody else, then only the own one has a button
    html = body(operator.get(LIST))
    assert (urls["a"] in html, urls["b"] in html) == (True, False)
    # which asks first, without JavaScript too
    asks = html.partition('<details class="sure"')[2].partition("</details>")[0]
    assert urls["a"] in asks
    assert "Nobody can begin with “a” any more. VMs made with it stay." in words(asks)
    assert operator.post(urls["b"]).status_code == 404
    assert "Template “a” is deleted." in text_of(operator.post(urls["a"], follow=True))
    assert named(operator) == ["b"]
    # and an admin deletes any, once
    assert urls["b"] in body(admin.get(LIST))
    assert "Template “b” is deleted." in text_of(admin.post(urls["b"], follow=True))
    assert admin.post(urls["b"]).status_code == 404
    assert list(Event.objects.order_by("number").values_list("action", "target_name")) == [
        ("template.delete", "a"), ("template.delete", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_is_for_those_who_may_deploy(sandbox: Sandbox, sign_in: Any, make_user: Any, role: str) -> None:
    template = made(make_user("admin"))
    browser = sign_in(role)
    for response in (
        browser.get(LIST),
        browser.get("/deploy/", {"template": template.pk}),
        browser.post(f"/deploy/templates/{template.pk}/delete/"),
    ):
        assert response.status_code == 403
        assert "Only an operator or an admin can deploy VMs" in text_of(response)
    assert Template.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_saves_a_name_once_when_two_save_it_at_the_same_time(operator: Client) -> None:
    urls = [f"{LIST}{draft_id(choose(operator, **FULL))}/template/" for _ in range(2)]
    answers = at_once(*(lambda url=url: operator.post(url, {"name": "usual"}) for url in urls))  # type: ignore[misc]
    assert sorted(answer.status_code for answer in answers) == [302, 422]
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert "A template named “usual” already exists. Choose another name." in text_of(refused)
    assert Template.objects.count() == 1
