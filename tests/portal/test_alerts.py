"""Each kind of error has words of its own: what happened, whether anything was changed, what to do."""

import pytest

from barrack_web import alerts
from barrack_web.client import (
    BadKey,
    BarrackError,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    NoCredit,
    NoStock,
    Refused,
    TimedOut,
    TooMany,
    Unreachable,
)

READING = {Unreachable: 503, TimedOut: 504, Broken: 502, BadKey: 502, TooMany: 503, Forbidden: 502, Refused: 502}
WRITING = {
    Unreachable: 503,
    TimedOut: 504,
    Broken: 502,
    BadKey: 502,
    NoCredit: 422,
    Forbidden: 422,
    Missing: 422,
    Conflict: 422,
    Invalid: 422,
    TooMany: 503,
    NoStock: 422,
    Refused: 422,
}
EMPTY_WORDS = ("something went wrong", "an error occurred", "oops", "unknown error", "unexpected")


def all_kinds(root: type[BarrackError] = BarrackError) -> set[type[BarrackError]]:
    return {root}.union(*(all_kinds(kind) for kind in root.__subclasses__()))


def said(alert: alerts.Alert) -> str:
    return f"{alert.title} {alert.text} {alert.todo}"


@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("kind", sorted(all_kinds(), key=lambda kind: kind.__name__))
def test_it_has_words_for_every_kind(kind: type[BarrackError], writing: bool) -> None:
    alert = alerts.for_error(kind("what the API said", request_id="r-1", from_api=True), writing=writing)
    assert alert.title
    assert alert.text
    assert alert.todo
    assert alert.status in {422, 502, 503, 504}
    assert (alert.said, alert.request_id) == ("what the API said", "r-1")
    assert not any(words in said(alert).lower() for words in EMPTY_WORDS)


def test_it_puts_no_words_into_the_mouth_of_the_api() -> None:
    assert alerts.for_error(TimedOut("the client's own sentence")).said == ""


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "status"), READING.items())
def test_it_answers_a_read_that_failed_with_its_status(kind: type[BarrackError], status: int) -> None:
    alert = alerts.for_error(kind("x"))
    assert alert.status == status
    assert "changed" not in said(alert) or "can be read or changed" in said(alert)


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "status"), WRITING.items())
def test_it_says_of_a_refused_write_that_nothing_happened(kind: type[BarrackError], status: int) -> None:
    alert = alerts.for_error(kind("x"), writing=True)
    assert alert.status == status
    assert "nothing was changed" in alert.text.lower() or "nothing was created" in alert.text.lower()


@pytest.mark.parametrize("kind", [Unreachable, TimedOut, Broken])
def test_it_does_not_call_silence_a_refusal(kind: type[BarrackError]) -> None:
    # given a form that stands on a read which failed
    alert = alerts.for_error(kind("x"), writing=True)
    assert "refused" not in said(alert)
    assert "nothing was sent" in alert.text or "nothing was changed" in alert.text


def test_it_tells_the_kinds_apart() -> None:
    for kinds, writing in ((READING, False), (WRITING, True)):
        titles = [alerts.for_error(kind("x"), writing=writing).title for kind in kinds]
        assert len(set(titles)) == len(titles)


def test_it_calls_a_lack_of_credit_by_its_documented_name() -> None:
    alert = alerts.for_error(NoCredit("no money"), writing=True)
    assert alert.title == "Insufficient Credits"
    assert "nothing is charged" in alert.text
    # and leads to the credits beside the form, which keeps what was typed
    assert (alert.link, alert.link_text, alert.new_tab) == ("/credits/", "Add credits", True)
    assert "it keeps what you typed" in alert.todo


@pytest.mark.parametrize(("kind", "status"), [(TimedOut, 504), (Broken, 502), (BarrackError, 503)])
def test_it_says_of_a_lost_answer_that_the_outcome_is_looked_for(kind: type[BarrackError], status: int) -> None:
    alert = alerts.for_unknown(
        kind("x", request_id="r-2"), noun="VM", effect="makes", minutes=10, link="/activity/1/"
    )  # fmt: skip
    assert alert.status == status
    assert "not seen yet" in said(alert).lower()
    assert "We keep looking for 10 minutes." in alert.text
    assert alert.todo == "Trying again under the same name cannot make a second VM."
    assert (alert.link, alert.request_id) == ("/activity/1/", "r-2")


def test_it_says_of_a_lost_deletion_that_it_is_not_certain() -> None:
    alert = alerts.for_unknown(TimedOut("x"), noun="snapshot", effect="deletes", minutes=10, link="/")
    assert "not certain yet whether the snapshot is deleted" in alert.text
    assert "second" not in said(alert)
    assert "nothing was" not in said(alert).lower()


@pytest.mark.parametrize(("seconds", "words"), [(30.0, "Try again in 30 s."), (0.2, "Try again in 1 s.")])
def test_it_says_how_long_the_api_asks_to_wait(seconds: float, words: str) -> None:
    for writing in (False, True):
        assert alerts.for_error(TooMany("x", retry_after=seconds), writing=writing).todo == words


def test_it_passes_on_the_fields_that_the_api_names() -> None:
    for kind in (Invalid, Conflict):
        assert alerts.for_error(kind("x", fields={"name": "is bad"}), writing=True).fields == {"name": "is bad"}
    assert alerts.for_error(NoCredit("x", fields={"name": "is bad"}), writing=True).fields == {}


def test_it_survives_a_round_through_the_database() -> None:
    alert = alerts.for_error(Invalid("x", fields={"name": "is bad"}), writing=True)
    assert alerts.Alert(**alert.as_json()) == alert


def test_it_says_above_an_older_copy_who_has_to_do_what() -> None:
    assert alerts.while_failing(BadKey("x")) == "Barrack refused the portal's key"
    assert "set a valid BARRACK_API_KEY" in alerts.way_out(BadKey("x"))
    for kind in (Unreachable, TimedOut, Broken):
        assert (alerts.while_failing(kind("x")), alerts.way_out(kind("x"))) == ("Barrack does not answer", "")
