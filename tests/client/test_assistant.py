"""The assistant: models, a whole answer, and what it has used. Streams have a file of their own."""

from decimal import Decimal

import pytest

from barrack_web.client import AIModel, AIUsage, Broken, ChatAnswer, ChatMessage, Missing, NoCredit
from barrack_web.client.assistant import EventStream

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

TALK = (ChatMessage("system", "Be brief."), ChatMessage("user", "hello"))


def test_it_reads_the_models(cloud: Cloud) -> None:
    listing = cloud.answering({"models": [ROWS["AIModel"], {"id": "b"}, {}]}).assistant.models()
    assert (listing.rows, listing.broken) == ((STRUCT_OF["AIModel"], AIModel("b")), 1)
    with pytest.raises(Missing):
        cloud.answering({}, 404).assistant.models()


def test_it_sends_exactly_what_was_asked_for(cloud: Cloud) -> None:
    assistant = cloud.answering({"success": True, **ROWS["ChatAnswer"]}).assistant
    assistant.chat("m", TALK)
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert cloud.sent() == {"model": "m", "messages": talk}
    assistant.chat("m", list(TALK), temperature=0.0, max_tokens=512)
    assert cloud.sent() == {"model": "m", "messages": talk, "temperature": 0.0, "max_tokens": 512}


def test_it_reads_a_whole_answer(cloud: Cloud) -> None:
    answer = cloud.answering({"success": True, **ROWS["ChatAnswer"]}).assistant.chat("m", TALK)
    assert answer == STRUCT_OF["ChatAnswer"]
    assert answer.text == "Hello"
    bare = cloud.answering({"choices": [], "id": None, "usage": "odd"}).assistant.chat("m", TALK)
    assert (bare, bare.text) == (ChatAnswer(()), "")


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": [{}]}, {"choices": {"text": "x"}}], ids=str)
def test_it_calls_an_answer_without_words_broken(cloud: Cloud, body: object) -> None:
    with pytest.raises(Broken) as raised:
        cloud.answering(body).assistant.chat("m", TALK)
    assert raised.value.may_have_happened


def test_it_asks_once_even_when_that_fails(cloud: Cloud) -> None:
    for status, kind in ((402, NoCredit), (503, Broken)):
        with pytest.raises(kind):
            cloud.answering({"success": False}, status, headers={"Retry-After": "0"}).assistant.chat("m", TALK)
    assert len(cloud.requests) == 2


def test_it_reads_what_was_used(cloud: Cloud) -> None:
    used = cloud.answering({"success": True, **ROWS["AIUsage"]}).assistant.usage()
    assert (used, used.total_cost) == (STRUCT_OF["AIUsage"], Decimal("0.0004"))
    assert cloud.answering({"total_cost": "Infinity"}).assistant.usage() == AIUsage()
    history = cloud.answering({"transactions": [ROWS["AITransaction"], {}]}).assistant.history()
    assert (history.rows, history.broken) == ((STRUCT_OF["AITransaction"],), 1)


def test_it_cuts_events_out_of_a_stream() -> None:
    events = EventStream()
    assert list(events.read(b"data: a\n\n: comment\nevent: x\nda")) == [b"a"]
    assert list(events.read(b"ta:b\r")) == []
    assert list(events.read(b"\n\r\ndata: data: c")) == [b"b"]
    assert list(events.end()) == [b"data: c"]
    assert list(events.end()) == []


def test_it_joins_the_lines_of_one_event() -> None:
    events = EventStream()
    assert list(events.read(b'data: {"a":\r\ndata: 1}\r\n\r\n')) == [b'{"a":\n1}']


def test_it_ends_an_event_where_the_next_begins() -> None:
    events = EventStream()
    assert list(events.read(b'data: {"a": 1}\ndata: {"a": 2}\ndata: [DONE]\n')) == [b'{"a": 1}', b'{"a": 2}']
    assert list(events.end()) == [b"[DONE]"]


def test_it_passes_over_an_event_without_data() -> None:
    assert list(EventStream().read(b"data:\n\ndata: \n\ndata: a\n\n")) == [b"a"]
