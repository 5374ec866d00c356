"""The assistant's answer as it is written, over a real socket: in pieces, in time, and ended at the right moment."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from barrack_web.client import (
    BadKey,
    BarrackError,
    Broken,
    ChatMessage,
    ChatPiece,
    Client,
    Forbidden,
    NoCredit,
    Refused,
    TimedOut,
    TimeLimits,
    TokenUsage,
    TooMany,
)

from .conftest import KEY, SLACK, Serve
from .sockets import Play, SocketServer, chunked, drips, hangs, http, pours, resets, sends

MB = 2**20
LIMIT = 0.4
HELLO = (ChatMessage("user", "hello"),)
KIND = "Content-Type: text/event-stream; charset=utf-8\r\n"
DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"
Ask = Callable[[Play], list[ChatPiece]]
Open = Callable[..., Client]


def event(facts: object) -> bytes:
    return b"data: " + json.dumps(facts).encode() + b"\n\n"


def words(text: str, finish_reason: str | None = None, index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish_reason}]})


def streamed(*pieces: bytes) -> bytes:
    """A whole answer of these pieces, each in a chunk of its own."""
    return chunked(*pieces, headers=KIND) + END


@pytest.fixture
def open_client() -> Iterator[Open]:
    """Make a client with one time limit for streams: open_client(url), open_client(url, limit=5, workers=2)."""
    clients: list[Client] = []

    def start(url: str, limit: float = LIMIT, workers: int = 4) -> Client:
        clients.append(Client(url, KEY, limits=TimeLimits(stream=limit, read=2.0), workers=workers))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(server: SocketServer) -> Iterator[Client]:
    """The one client that lives through all that the one server plays."""
    with Client(server.url, KEY, limits=TimeLimits(stream=LIMIT), workers=4) as client:
        yield client


@pytest.fixture
def ask(server: SocketServer, client: Client) -> Ask:
    """Ask a server that plays this, and give all pieces of its answer."""

    def all_of(play: Play) -> list[ChatPiece]:
        server.plays(play)
        return list(client.assistant.chat_stream("m", HELLO))

    return all_of


def failure(ask: Ask, play: Play, limit: float = LIMIT) -> BarrackError:
    start = time.monotonic()
    with pytest.raises(BarrackError) as raised:
        ask(play)
    assert time.monotonic() - start < limit + SLACK
    assert KEY not in repr(vars(raised.value))
    return raised.value


def test_it_gives_each_piece_as_soon_as_it_was_sent(serve: Serve, open_client: Open) -> None:
    seen = threading.Event()

    def play(connection: socket.socket, _server: SocketServer) -> None:
        connection.sendall(chunked(words("Hel"), headers=KIND))
        if seen.wait(5):
            rest = words("lo", "stop") + DONE
            connection.sendall(b"%x\r\n%s\r\n" % (len(rest), rest) + END)

    pieces = open_client(serve(play).url, limit=5).assistant.chat_stream("m", HELLO)
    assert next(pieces).text == "Hel"  # before the server sends the second
    seen.set()
    assert list(pieces) == [ChatPiece("lo", "stop")]


def test_it_asks_for_a_stream(serve: Serve, open_client: Open) -> None:
    server = serve(sends(streamed(DONE)))
    assistant = open_client(server.url).assistant
    assert list(assistant.chat_stream("m", HELLO, temperature=0.5, max_tokens=9)) == []
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "stream": True,
    }
    assert server.requests[0].startswith(b"POST /api/ai/chat/completions ")


BODY = (
    b": keep-alive\n\n"
    b"event: message\nid: 7\nretry: 10\n"
    + event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    + words("Gr\u00fc\u00df ")
    + words("not the first answer", index=1)
    + b"data:"
    + words("dich\n").removeprefix(b"data: ")
    + event({"choices": [{"index": 0, "finish_reason": "stop"}]})
    + event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "error": None})
    + DONE
    + b"data: after the end mark\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 100_000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_it_reads_a_stream_wherever_it_is_cut(ask: Ask, size: int, line_end: bytes) -> None:
    body = BODY.replace(b"\n", line_end)
    pieces = ask(sends(streamed(*[body[start : start + size] for start in range(0, len(body), size)])))
    assert "".join(piece.text for piece in pieces) == "Gr\u00fc\u00df dich\n"
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]
    assert [piece.usage for piece in pieces if piece.usage] == [TokenUsage(3, 4, 7)]


def test_it_takes_an_end_mark_that_no_line_ends(ask: Ask) -> None:
    assert ask(sends(streamed(words("all"), b"data: [DONE]"))) == [ChatPiece("all")]


@pytest.mark.parametrize(
    ("play", "detail"),
    [
        (sends(streamed(words("Hel"))), "the stream ended before its end mark"),
        (sends(streamed()), "the stream ended before its end mark"),
        (sends(streamed(b"<html><body>Bad gateway</body></html>")), "the stream ended before its end mark"),
        (sends(chunked(words("Hel"), headers=KIND)), "the connection was cut"),
        (resets(chunked(words("Hel"), headers=KIND)), "the connection was cut"),
        (sends(streamed(b"data: {half\n\n")), "no JSON object"),
        (sends(streamed(b"data: 5\n\n")), "no JSON object"),
        (sends(streamed(b"event: error\ndata: Something went wrong\n\n")), "no JSON object"),
        (sends(http(200, b"<html>Hello</html>", "Content-Type: text/html")), "no JSON object"),
        (sends(http(200, b"")), "no JSON object"),
        (sends(http(200, b"{}")), "the stream ended before its end mark"),
        (sends(http(204)), "the stream ended before its end mark"),
        (sends(http(307, b"", "Location: /elsewhere")), "a redirect"),
        (
            sends(chunked(b"\x0b\x02\x80x\x03", headers=KIND + "Content-Encoding: br\r\n")),
            "an unknown content encoding",
        ),
    ],
)
def test_it_never_takes_half_an_answer_for_a_whole_one(ask: Ask, play: Play, detail: str) -> None:
    error = failure(ask, play)
    assert (type(error), error.detail, error.may_have_happened) == (Broken, detail, True)


def test_it_gives_an_answer_that_was_not_streamed_in_one_piece(ask: Ask) -> None:
    facts = {
        "success": True,
        "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "length"}],
        "usage": {"total_tokens": 9},
    }
    answer = http(200, json.dumps(facts).encode(), "Content-Type: application/json")
    assert ask(sends(answer)) == [ChatPiece("Hello", "length", TokenUsage(None, None, 9))]
    bare = http(200, b'{"success": true, "choices": []}', KIND.strip().replace("event-stream", "plain"))
    assert ask(sends(bare)) == [ChatPiece()]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, BadKey), (402, NoCredit), (403, Forbidden), (429, TooMany), (500, Broken), (503, Broken)]
)
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_it_raises_what_went_wrong_before_the_stream(
    ask: Ask, status: int, kind: type[BarrackError], content_type: str
) -> None:
    body = b'{"success": false, "message": "Said the API"}'
    error = failure(ask, sends(http(status, body, f"Content-Type: {content_type}")))
    assert (type(error), error.status, error.message) == (kind, status, "Said the API")
    assert error.may_have_happened is (status >= 500)


@pytest.mark.parametrize(
    ("facts", "kind", "message"),
    [
        ({"success": False, "message": "Out of credits", "error": "INSUFFICIENT_CREDITS"}, NoCredit, "Out of credits"),
        ({"success": False}, Refused, "Barrack refused the request."),
        ({"error": {"message": "The model is overloaded", "code": "TOO_MANY_REQUESTS"}}, TooMany, "The model is over"),
        ({"error": {"type": "server_error"}}, Refused, "Barrack refused the request."),
        ({"error": "It broke", "choices": []}, Refused, "It broke"),
        ({"error": ["odd"], "message": "It broke"}, Refused, "It broke"),
    ],
    ids=str,
)
def test_it_raises_what_goes_wrong_in_the_middle(
    server: SocketServer, client: Client, facts: object, kind: type[BarrackError], message: str
) -> None:
    server.plays(sends(streamed(words("Hel"), event(facts), words("lo"), DONE)))
    pieces = client.assistant.chat_stream("m", HELLO)
    assert next(pieces).text == "Hel"
    with pytest.raises(kind, match=message):
        next(pieces)


@pytest.mark.parametrize("told", [b'"\xff"', b'{"\xff": 1}', b'{"code": 1e999}'])
def test_it_calls_an_event_broken_that_tells_of_an_error_in_no_json(ask: Ask, told: bytes) -> None:
    with pytest.raises(Broken, match="could not be understood"):
        ask(sends(streamed(b'data: {"error": ' + told + b"}\n\n")))


@pytest.mark.parametrize(
    "play",
    [
        hangs(),
        hangs(chunked(words("Hel"), headers=KIND)),
        hangs(chunked(headers=KIND)[:-2]),
        drips(chunked(headers=KIND), b"1\r\n:\r\n"),
    ],
    ids=["before", "in the middle", "in the head", "drips"],
)
def test_it_gives_up_at_the_time_limit(ask: Ask, play: Play) -> None:
    start = time.monotonic()
    error = failure(ask, play)
    assert (type(error), error.may_have_happened) == (TimedOut, True)
    assert time.monotonic() - start > LIMIT - 0.05


@pytest.mark.parametrize("how", ["hangs", "drips", "went on"])
def test_it_lets_the_call_go_when_it_is_stopped_early(serve: Serve, open_client: Open, how: str) -> None:
    first = chunked(words("Hel"), headers=KIND)
    plays = {
        "hangs": hangs(first),
        "drips": drips(first, b"1\r\n:\r\n"),
        "went on": sends(first, *[b"%x\r\n%s\r\n" % (len(words("x")), words("x"))] * 100, END),
    }
    server = serve(plays[how])
    client = open_client(server.url, limit=30, workers=2)
    start = time.monotonic()
    for _ in range(20):  # ten times as often as there are threads
        pieces = client.assistant.chat_stream("m", HELLO)
        assert next(pieces).text == "Hel"
        pieces.close()  # type: ignore[attr-defined]  # it is a generator
    server.plays(sends(http(200, b'{"success": true, "regions": []}')))
    assert len(client.catalog.regions()) == 0
    assert time.monotonic() - start < 5


def test_it_shows_no_key_that_the_api_repeats(ask: Ask) -> None:
    half = len(KEY) // 2
    whole = words(f"a {KEY}") + words(f"b {KEY}")
    cut = whole.index(KEY.encode(), 20) + half
    pieces = ask(sends(streamed(whole[:cut], whole[cut:], DONE)))
    assert [piece.text for piece in pieces] == ["a [key]", "b [key]"]
    error = failure(ask, sends(streamed(event({"success": False, "message": f"{KEY} is bad"}))))
    assert error.message == "[key] is bad"


@pytest.mark.parametrize(
    "piece", [b" " * MB, (b":" * 4000 + b"\n") * 250, words("x" * 5000) * 200], ids=["one line", "comments", "words"]
)
def test_it_stops_reading_a_stream_that_is_too_large(serve: Serve, open_client: Open, piece: bytes) -> None:
    server = serve(pours(chunked(headers=KIND), b"%x\r\n%s\r\n" % (len(piece), piece), 50))
    with pytest.raises(Broken) as raised:
        list(open_client(server.url, limit=10).assistant.chat_stream("m", HELLO))
    assert raised.value.detail == "the answer is too large"
    server.rest()
    assert server.poured <= 32 * MB


def test_it_never_asks_twice(ask: Ask, server: SocketServer) -> None:
    failure(ask, sends(http(503, b"", "Retry-After: 0")))
    assert len(server.requests) == 1


def test_it_takes_no_place_of_other_calls(serve: Serve, open_client: Open) -> None:
    # given as many open streams as there are threads for short calls
    def play(connection: socket.socket, server: SocketServer) -> None:
        if b"/chat/" in server.requests[-1]:
            connection.sendall(chunked(words("Hel"), headers=KIND))
            server.over.wait(5)
        else:
            connection.sendall(http(200, b'{"regions": []}'))

    client = open_client(serve(play).url, limit=5, workers=4)
    streams = [client.assistant.chat_stream("m", HELLO) for _ in range(2)]
    assert [next(stream).text for stream in streams] == ["Hel", "Hel"]
    # then the other calls go on as if there were none
    assert len(client.catalog.regions()) == 0
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]  # a generator
