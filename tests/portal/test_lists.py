"""What list pages share: the state in the address, pages, search, and the tag of an unchanged answer."""

from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from django.utils.datastructures import MultiValueDict
from django_htmx.middleware import HtmxDetails

from apps.account.models import User
from barrack_web import cloud
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.lists import PAGE_SIZE, ListQuery, matches, page_of, tag_of, unchanged
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX

SORTS = {"newest": None, "name": None}


def asked(path: str, *, role: str = "viewer", htmx: bool = True, **headers: str) -> HtmxHttpRequest:
    given = {**({"HX-Request": "true"} if htmx else {}), **headers}
    request = RequestFactory().get(path, headers=given)
    request.user, request.htmx = User(role=role), HtmxDetails(request)
    return request  # type: ignore[return-value]


def test_it_reads_the_state_from_the_address() -> None:
    query = ListQuery.of(asked("/snapshots/?region=US-1&q=+prod+&sort=name&page=2"), SORTS)
    assert (query.region, query.q, query.sort, query.page) == ("US-1", "prod", "name", "2")
    assert query.narrowed


def test_it_takes_what_it_does_not_know_for_not_said() -> None:
    query = ListQuery.of(asked("/snapshots/?sort=size&colour=red"), SORTS)
    assert (query.region, query.q, query.sort, query.page) == ("", "", "newest", "1")
    assert not query.narrowed


def test_it_bounds_what_an_address_can_ask_for() -> None:
    long = "x" * 10_000
    request = asked("/")
    request.GET = MultiValueDict({"q": [long], "region": [long], "page": ["9" * 10_000]})  # type: ignore[assignment]
    query = ListQuery.of(request, SORTS)
    assert (len(query.q), len(query.region), len(query.page)) == (100, 100, 6)


@pytest.mark.feature("NAV-06")
def test_it_puts_six_on_a_page() -> None:
    assert PAGE_SIZE == 6
    assert [len(page_of(range(13), number)) for number in ("1", "2", "3")] == [6, 6, 1]


@pytest.mark.feature("NAV-09")
@pytest.mark.parametrize(
    ("number", "shown"),
    [("3", 2), ("999999", 2), ("0", 2), ("-1", 2), ("x", 1), ("", 1), ("1e3", 1), ("²", 1), ("٢", 2)],
)
def test_it_never_shows_an_empty_page_while_there_are_rows(number: str, shown: int) -> None:
    page = page_of(range(12), number)
    assert page.number == shown
    assert len(page) == 6
    assert page_of([], number).number == 1


def test_it_finds_words_in_any_case_and_any_text() -> None:
    assert matches("", None)
    assert matches("PROD", None, "my-prod-vm")
    assert matches("STRASSE", "Große Straße")
    assert not matches("prod", None, "", "staging")


def test_it_tags_an_answer_by_all_that_it_depends_on() -> None:
    first = tag_of(asked("/a/?q=1"), "v1")
    assert first == tag_of(asked("/a/?q=1"), "v1")
    others = {
        tag_of(asked("/a/?q=1"), "v2"),
        tag_of(asked("/a/?q=1"), "v1", "v1"),
        tag_of(asked("/a/?q=2"), "v1"),
        tag_of(asked("/a/?q=1", role="admin"), "v1"),
        tag_of(asked("/a/?q=1", htmx=False), "v1"),
    }
    assert len({first, *others}) == 6
    assert first.startswith('"')
    assert first.endswith('"')


def test_it_answers_304_for_what_the_browser_has() -> None:
    tag = '"abc"'
    found = unchanged(asked("/a/", **{"If-None-Match": f'"other", {tag}'}), tag)
    assert found is not None
    assert (found.status_code, found["ETag"], found["Cache-Control"]) == (304, tag, "private, no-cache")
    assert "HX-Request" in found["Vary"]
    assert unchanged(asked("/a/", **{"If-None-Match": '"other"'}), tag) is None
    assert unchanged(asked("/a/"), tag) is None


@pytest.mark.parametrize("path", ["/snapshots/", "/vms/"])
def test_it_renders_a_poll_only_when_something_changed(operator: Client, sandbox: Sandbox, path: str) -> None:
    # given a list that has been shown, with the images that it did not wait for
    cloud.images_of.read(cloud.batch_key(cloud.snapshots.read().value))
    first = operator.get(path, headers=HTMX)
    poll = {**HTMX, "If-None-Match": first["ETag"]}
    # then the next look gets no body
    same = operator.get(path, headers=poll)
    assert (same.status_code, same.content) == (304, b"")
    # until something changes
    sandbox.world.snapshots["BRK-123456S"]["status"] = "ERROR"
    sandbox.world.instances["BRK-123456D"]["status"] = "ERROR"
    changed = operator.get(path, headers=poll)
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_it_never_gives_one_role_the_answer_of_another(sandbox: Sandbox, sign_in: Callable[[str], Client]) -> None:
    tag = sign_in("admin").get("/snapshots/", headers=HTMX)["ETag"]
    found = sign_in("viewer").get("/snapshots/", headers={**HTMX, "If-None-Match": tag})
    assert found.status_code == 200
