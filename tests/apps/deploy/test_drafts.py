"""Drafts: what is kept of the wizard, for whom, for how long, and what is never kept."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client

from apps.account.kept import NOTICE
from apps.account.models import User
from apps.activity.models import State
from apps.deploy.models import KEPT_FOR, MOST_DRAFTS, Draft, expire_drafts
from apps.deploy.values import words_of
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.deploy.helpers import CHOICES, KEY, MODEL, URL, choose, draft_id, form_of, is_open, page, post, section
from tests.apps.snapshots.helpers import body, words
from tests.conftest import HTMX, text_of

LIST = "/deploy/drafts/"
SECRET = "#!/bin/bash\nexport HF_TOKEN=hf_abcdefgh12345678\n"
SECOND = timedelta(seconds=1)


def listed(browser: Client) -> list[str]:
    """Return the words of each draft on the list, from top to bottom."""
    own = body(browser.get(LIST)).partition("Templates of the team")[0]
    return [words(name) for name in re.findall(r"<li>\s*<div><strong><bdi>(.*?)</bdi>", own, re.DOTALL)]


def everything_stored() -> str:
    """Return every row of every table, as text; sessions with what is in them."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            found += [repr(row) for row in cursor.fetchall()]
    found += [repr(row.get_decoded()) for row in Session.objects.all()]
    return "\n".join(found)


# -- kept and found again


def test_it_keeps_each_choice_and_brings_it_back(operator: Client, sandbox: Sandbox) -> None:
    # given choices made one after the other
    form = form_of(page(operator))
    post(operator, form, gpu_model="L40")
    form = form_of(page(operator))
    post(operator, form, gpu_count="2", name="half-way", ssh_keys=KEY)
    post(operator, form_of(page(operator)), public_ip=None)
    # when somebody comes back, on another page of the same browser
    shown = page(operator)
    # then all of it is there, and the page says so
    again = form_of(shown)
    assert (again["draft"], again["gpu_model"], again["gpu_count"]) == (form["draft"], ["L40"], ["2"])
    assert (again["name"], again["ssh_keys"], "public_ip" in again) == (["half-way"], [KEY], False)
    (draft,) = Draft.objects.all()
    assert "Your draft of" in text_of(shown)
    assert "passwords are typed anew. It is kept until" in text_of(shown)
    assert "Draft kept." in text_of(shown)
    # and under its own address as well, without that sentence
    assert "Your draft of" not in text_of(page(operator, draft=str(draft.pk)))


def test_it_brings_the_newest_back_that_nothing_was_made_of(operator: Client, sandbox: Sandbox) -> None:
    first = draft_id(choose(operator, gpu_model="L40"))
    with clock.moved(timedelta(minutes=1)):
        second = draft_id(choose(operator, gpu_model="A40"))
    assert draft_id(page(operator)) == second
    new_row(Draft.objects.get(pk=second).user, kind="instance.create", target_id=second, state=State.DONE)
    assert draft_id(page(operator)) == first
    assert listed(operator) == ["L40"]
    # and a draft that was sent leads to its VM for ever
    response = operator.get(URL, {"draft": second})
    assert re.fullmatch(r"/deploy/[0-9a-f-]{36}/", response["Location"])


def test_it_starts_over_with_a_new_draft(operator: Client) -> None:
    old = draft_id(choose(operator, gpu_model="L40"))
    shown = page(operator, new="1")
    assert draft_id(shown) != old
    assert is_open(shown) == ["gpu"]
    # and the old one does not come back by itself, but stays in the list
    assert draft_id(page(operator)) not in {old, draft_id(shown)}
    assert listed(operator) == ["L40"]
    assert draft_id(page(operator, draft=old)) == old
    # and the new one comes back once something is chosen in it
    with clock.moved(SECOND):
        post(operator, form_of(shown), gpu_model="A40")
    assert draft_id(page(operator)) == draft_id(shown)
    assert listed(operator) == [f"1 × A40 in {form_of(page(operator))['region'][0]}, “a40-vm”", "L40"]


def test_it_leads_from_choices_of_an_address_to_the_draft_that_keeps_them(operator: Client) -> None:
    response = operator.get(URL, {"gpu_model": "L40", "region": "US-1", "name": "not-this", "ssh_keys": KEY})
    (draft,) = Draft.objects.all()
    assert (response.status_code, response["Location"]) == (302, f"{URL}?draft={draft.pk}")
    assert (draft.values["gpu_model"], draft.values["region"]) == (["L40"], ["US-1"])
    assert (draft.values["name"], draft.values["ssh_keys"]) == (["l40-vm"], [])


def test_it_keeps_one_draft_that_only_a_link_has_filled(operator: Client) -> None:
    # given somebody who follows one link after another, from the list of GPUs or of VMs
    touched = draft_id(page(operator, gpu_model="L40"))
    post(operator, form_of(page(operator, draft=touched)), gpu_count="2")
    for model in ("A40", "L40", MODEL):
        last = draft_id(page(operator, gpu_model=model))
    # then only the last one is kept beside those in which something was chosen
    assert {str(key) for key in Draft.objects.values_list("pk", flat=True)} == {touched, last}
    # and an address that changes a draft of one's own replaces none
    page(operator, draft=touched, gpu_model="A40")
    assert Draft.objects.count() == 2


def test_it_replaces_nobody_elses_draft(operator: Client, admin: Client) -> None:
    theirs = draft_id(page(admin, gpu_model="L40"))
    page(operator, gpu_model="L40")
    assert Draft.objects.filter(pk=theirs).exists()


# -- seven days


@pytest.mark.parametrize(("age", "there"), [(KEPT_FOR - 5 * SECOND, True), (KEPT_FOR + SECOND, False)])
def test_it_keeps_a_draft_for_seven_days(operator: Client, age: timedelta, there: bool) -> None:
    # given a draft of that long ago, then it is found, listed and resumed up to then, and not after
    with clock.moved(-age):
        draft = draft_id(choose(operator, **CHOICES))
    assert (draft_id(page(operator, draft=draft)) == draft) == there
    assert (draft_id(page(operator)) == draft) == there
    assert bool(listed(operator)) == there
    # and the pass of everything that nobody starts deletes it
    call_command("tick", stdout=StringIO())
    assert Draft.objects.filter(pk=draft).exists() == there


def test_it_counts_the_days_from_the_last_change(operator: Client) -> None:
    with clock.moved(-timedelta(days=8)):
        form = form_of(choose(operator, **CHOICES))
    with clock.moved(-timedelta(days=2)):
        post(operator, form, name="later")
    assert expire_drafts() == 0
    with clock.moved(timedelta(days=5, seconds=1)):
        assert expire_drafts() == 1


def test_it_begins_anew_with_a_draft_that_is_too_old(operator: Client) -> None:
    with clock.moved(-(KEPT_FOR + SECOND)):
        form = form_of(choose(operator, **CHOICES))
    answer = post(operator, form, name="later")
    # what is on the page is kept, as another draft
    assert answer["HX-Replace-Url"] != f"{URL}?draft={form['draft'][0]}"
    assert Draft.objects.order_by("-updated_at")[0].values["name"] == ["later"]


# -- whose


@pytest.mark.parametrize("other", ["operator", "admin"])
def test_it_shows_nobody_the_drafts_of_somebody_else(
    operator: Client, sign_in: Callable[[str], Client], make_user: Any, other: str
) -> None:
    form = form_of(choose(operator, **CHOICES))
    draft = form["draft"][0]
    person = make_user(other, email="somebody-else@example.com")
    browser = Client()
    browser.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    # when another one, even an admin, opens it, lists it, sends it, saves it as a template or deletes it
    assert draft_id(page(browser, draft=draft)) != draft
    assert listed(browser) == []
    post(browser, form, name="stolen")
    assert browser.get(f"{LIST}{draft}/template/").status_code == 404
    browser.post(f"{LIST}{draft}/delete/")
    # then it is as it was
    assert Draft.objects.get(pk=draft).values["name"] == ["trainer"]
    assert Draft.objects.exclude(pk=draft).get().user == person


# -- the list


def test_it_lists_drafts_with_what_they_would_make(operator: Client) -> None:
    choose(operator, gpu_model="L40")
    with clock.moved(timedelta(minutes=1)):
        choose(operator, **CHOICES)
        assert listed(operator) == ["1 × A100-PCIe-80GB in CANADA-1, “trainer”", "L40"]
    html = body(operator.get(LIST))
    ids = re.findall(r'href="/deploy/\?draft=([^"]+)" aria-label="Continue', html)
    assert [draft_id(page(operator, draft=one)) for one in ids] == ids
    # and the wizard says how many there are
    assert 'Drafts and templates <span class="head-count">2</span>' in body(page(operator))


def test_it_says_what_drafts_are_when_there_is_none(operator: Client) -> None:
    said = text_of(operator.get(LIST))
    assert "No drafts What you choose on Deploy VM is kept here for 7 days, until a VM is made of it." in said
    assert "Passwords, and scripts that seem to hold one, are not." in said


def test_it_deletes_a_draft(operator: Client) -> None:
    draft = draft_id(choose(operator, **CHOICES))
    url = f"{LIST}{draft}/delete/"
    assert operator.get(url).status_code == 405
    for _ in range(2):
        response = operator.post(url, follow=True)
        assert "You have no such draft any more." in text_of(response)
    assert Draft.objects.count() == 0


def test_it_keeps_the_twenty_newest_of_a_person(operator: Client, admin: Client) -> None:
    # given twenty drafts of one person, and one of another
    choose(admin, gpu_model="L40")
    user, begun = User.objects.get(role="operator"), clock.now() - timedelta(hours=1)
    rows = [Draft(user=user, values={}, updated_at=begun + n * SECOND) for n in range(MOST_DRAFTS)]
    Draft.objects.bulk_create(rows)
    own, first = Draft.objects.filter(user=user), rows[0].pk
    # when a change is made in one of them, then all stay
    post(operator, {"draft": str(rows[5].pk)}, ("gpu",), gpu_model="A40")
    assert own.count() == 20
    # when another one is begun, then the oldest goes, and nobody else's
    post(operator, form_of(page(operator, new="1")), gpu_model="A40")
    assert (own.count(), own.filter(pk=first).exists(), Draft.objects.count()) == (20, False, 21)


def test_it_counts_no_draft_that_a_vm_was_made_of(operator: Client) -> None:
    # given twenty drafts, and more that were deployed, before and after them
    user, begun = User.objects.get(role="operator"), clock.now() - timedelta(hours=1)
    rows = [Draft(user=user, values={}, updated_at=begun + n * SECOND) for n in range(MOST_DRAFTS + 4)]
    Draft.objects.bulk_create(rows)
    for row in (*rows[:2], *rows[-2:]):
        new_row(user, kind="instance.create", target_id=str(row.pk), state=State.DONE)
    # when another one is begun, then the oldest of the twenty goes, and none of those
    post(operator, form_of(page(operator, new="1")), gpu_model="A40")
    gone = {row.pk for row in rows} - set(Draft.objects.values_list("pk", flat=True))
    assert gone == {rows[2].pk}


def test_it_finds_a_draft_with_a_sending_by_its_id_for_ever(operator: Client) -> None:
    # given drafts of eight days ago: of one nobody knows yet what came of its sending, the other was not sent
    with clock.moved(-timedelta(days=8)):
        sent, other = (draft_id(choose(operator, **CHOICES)) for _ in range(2))
    new_row(User.objects.get(), kind="instance.create", target_id=sent, state=State.SENT, name="trainer")
    assert draft_id(page(operator, draft=sent)) == sent
    assert draft_id(page(operator, draft=other)) != other
    # but neither comes back by itself
    assert draft_id(page(operator)) not in {sent, other}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No GPU chosen yet"),
        ({"region": ["US-1"], "gpu_count": ["2"]}, "No GPU chosen yet"),
        ({"gpu_model": ["L40"]}, "L40"),
        ({"gpu_model": ["L40"], "gpu_count": ["2"], "region": ["US-1"], "name": ["a"]}, "2 × L40 in US-1, “a”"),
    ],
)
def test_it_says_what_a_draft_holds(values: dict[str, list[str]], said: str) -> None:
    assert words_of(values) == said


# -- what is never kept


def test_it_stores_no_password_and_no_script_with_a_secret(operator: Client) -> None:
    # given a form with both, sent in every way there is
    form = form_of(choose(operator, **CHOICES))
    secret = {
        "start": "paste",
        "cloud_init": SECRET,
        "jupyter_enabled": "on",
        "jupyter_password": "Tr0ub4dor-and-3",
    }
    for more in ({}, {"next": "start"}, {"validate": "cloud_init"}, {"preset": "web"}, {"intent": "update"}):
        for htmx in (True, False):
            post(operator, form, htmx=htmx, **secret, **more)
    operator.post(f"{LIST}{form['draft'][0]}/template/", {"name": "usual"})
    # then no table holds either, and all the rest is kept
    stored = everything_stored()
    assert "Tr0ub4dor" not in stored
    assert "hf_abcdefgh" not in stored
    assert "trainer" in stored
    values = Draft.objects.get().values
    assert (values["start"], values["jupyter_enabled"]) == (["paste"], ["on"])
    # and a script without one is
    post(operator, form, start="paste", cloud_init="#!/bin/sh\n")
    assert Draft.objects.get().values["cloud_init"] == ["#!/bin/sh\n"]


def test_it_stores_no_fields_that_are_not_its_own_and_none_without_bounds(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    post(operator, form, evil="x", name="n" * 5000, ssh_keys=[f"k{n}" for n in range(100)], region="a\0b")
    values = Draft.objects.get().values
    assert "evil" not in values
    assert (len(values["name"][0]), len(values["ssh_keys"]), values["region"]) == (400, 60, ["ab"])
    assert "token" not in values


# -- the sign-in ends


@pytest.mark.parametrize("htmx", [True, False])
def test_it_brings_back_what_was_chosen_when_the_sign_in_has_ended(
    sandbox: Sandbox, make_user: Any, htmx: bool
) -> None:
    # given somebody in the middle of the form, whose session has ended
    make_user("operator")
    browser, enter = Client(), {"login": "operator@example.com", "password": "barrack-test-1"}
    browser.post("/account/login/", enter)
    form = form_of(choose(browser, **CHOICES))
    here = f"{URL}?draft={form['draft'][0]}"
    Session.objects.all().delete()
    # when the form is sent, with a name, without the public IP, with a password
    data = form | {"name": "last-moment", "gpu_count": "2", "jupyter_password": "Tr0ub4dor-and-3", "intent": "create"}
    del data["public_ip"]
    headers = HTMX | {"HX-Current-URL": f"http://testserver{here}"} if htmx else {"Referer": f"http://testserver{here}"}
    answer = browser.post(URL, data, headers=headers)
    assert "Tr0ub4dor" not in everything_stored()
    # then nothing was sent, and after signing in again all of it is there but the password
    location = answer["HX-Redirect"] if htmx else answer["Location"]
    back = browser.post("/account/login/", enter | {"next": parse_qs(urlsplit(location).query)["next"][0]}, follow=True)
    again = form_of(back)
    assert NOTICE in text_of(back)
    assert (again["draft"], again["name"], again["gpu_count"]) == (form["draft"], ["last-moment"], ["2"])
    assert "public_ip" not in again
    assert again["jupyter_password"] == [""]
    assert sandbox.log.calls("create_instance") == []
    assert Draft.objects.get().values["name"] == ["last-moment"]


def test_it_keeps_working_while_a_draft_is_deleted_in_another_window(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    operator.post(f"{LIST}{form['draft'][0]}/delete/")
    answer = post(operator, form, gpu_count="2")
    assert "2 × A100-PCIe-80GB" in words(section(answer, "review"))
    assert (str(Draft.objects.get().pk), Draft.objects.get().values["gpu_model"]) == (form["draft"][0], [MODEL])
