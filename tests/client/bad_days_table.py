"""The bad days: what the server does, and how a read and a write must end; and days that are only odd."""

import gzip
import json
import zlib
from dataclasses import dataclass

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
)

from .sockets import GOOD, Play, chunked, drips, hangs, http, resets, sends

START = b"HTTP/1.1 200 OK\r\n"
HTML = b"<html><h1>Oops</h1></html>"
GZIPPED = chunked(gzip.compress(b"")[:10], headers="Content-Encoding: gzip\r\n")


@dataclass(frozen=True, slots=True)
class Day:
    """What the server does, and what comes of it.

    `tries` counts the requests of a read: 2 where it may pass, since a third would not fit the time limit. A write is
    sent once, whatever happens, and says by `happened` whether it may have been carried out.
    """

    name: str
    play: Play
    kind: type[BarrackError] = Broken
    tries: int = 1
    happened: bool = True
    reads: bool = True


def late(name: str, play: Play) -> Day:
    return Day(name, play, TimedOut)


def cut(name: str, play: Play, *, reads: bool = True) -> Day:
    return Day(name, play, tries=2, reads=reads)


def body(name: str, content: bytes) -> Day:
    return Day(name, sends(http(200, content)))


def failed(name: str, facts: object, kind: type[BarrackError]) -> Day:
    content = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    return Day(name, sends(http(200, content)), kind, happened=False)


def code(name: str, kind: type[BarrackError]) -> Day:
    return failed(name, {"success": False, "error": name}, kind)


DAYS = (
    # The answer does not come, or never ends.
    late("hangs before the headers", hangs()),
    late("hangs within the headers", hangs(START, b"X-Sl")),
    late("hangs within the body", hangs(http(200, GOOD)[:-10])),
    late("hangs after a chunk", hangs(chunked(GOOD))),
    late("drips the headers", drips(START + b"X-Slow: ", b"x")),
    late("drips the body", drips(START + b"Content-Length: 1000\r\n\r\n{", b" ")),
    late("drips chunks", drips(chunked(b"{"), b"1\r\n \r\n")),
    late("drips blocks of nothing", drips(GZIPPED, b"5\r\n\x00\x00\x00\xff\xff\r\n")),
    late("says continue, again and again", drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001)),
    # The connection is cut.
    cut("closes before the request", sends(), reads=False),
    cut("closes instead of an answer", sends()),
    cut("resets instead of an answer", resets()),
    cut("closes within the status line", sends(b"HTTP/1.1 200")),
    cut("resets within the headers", resets(START + b"X-")),
    cut("closes within the body", sends(http(200, GOOD)[:-9])),
    cut("resets within the body", resets(http(200, GOOD)[:-9])),
    cut("closes within the chunks", sends(chunked(GOOD))),
    # The answer is no HTTP, or breaks its rules.
    cut("speaks another protocol", sends(b"SSH-2.0-OpenSSH_9.6\r\n")),
    cut("says nonsense", sends(b"NOT HTTP AT ALL\r\n\r\n")),
    cut("switches the protocol", sends(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")),
    cut("has a status of no kind", sends(b"HTTP/1.1 000 Odd\r\n\r\n")),
    cut("has a length that is no number", sends(START + b"Content-Length: abc\r\n\r\n" + GOOD)),
    cut("has a negative length", sends(START + b"Content-Length: -1\r\n\r\n" + GOOD)),
    cut("has two lengths", sends(START + b"Content-Length: 48\r\nContent-Length: 2\r\n\r\n" + GOOD)),
    cut("has a chunk of no size", sends(START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
    cut("has a header with a null byte", sends(START + b"X-Odd: a\0b\r\n\r\n" + GOOD)),
    cut("has a header of 200 kB", sends(START + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n" + GOOD)),
    cut("has 10,000 headers", sends(START + b"X-Many: 0123456789\r\n" * 10_000 + b"\r\n" + GOOD)),
    Day("has a status beyond all", sends(http(999, GOOD))),
    Day("has a redirect for a cache", sends(http(304))),
    Day("names a compression it does not use", sends(http(200, GOOD, "Content-Encoding: gzip"))),
    Day("cuts a compressed body", sends(http(200, gzip.compress(GOOD)[:-20], "Content-Encoding: gzip"))),
    Day("has a compression nobody asked for", sends(http(200, GOOD, "Content-Encoding: br"))),
    # 200, and a body that is no answer.
    body("empty body", b""),
    body("white space", b" \r\n\t"),
    body("HTML", HTML),
    body("broken JSON", b'{"success": tru'),
    body("JSON cut short", GOOD[:-1]),
    body("JSON with more behind it", GOOD + b"x"),
    body("two JSON objects", GOOD + GOOD),
    body("JSON array", b"[]"),
    body("JSON number", b"200"),
    body("JSON null", b"null"),
    body("JSON text", b'"success"'),
    body("not a number", b'{"success": NaN}'),
    body("deep array", b'{"regions": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    body("deep object", b'{"a": ' * 100_000 + b"1" + b"}" * 100_000),
    body("no UTF-8", b"\xff\xfe{}"),
    body("UTF-16", GOOD.decode().encode("utf-16")),
    body("byte order mark", b"\xef\xbb\xbf" + GOOD),
    # 200, and a body that says that it failed.
    failed("success: false", {"success": False}, Refused),
    failed("status: false", {"status": False, "message": "no"}, Refused),
    failed("success twice, at last false", b'{"success": true, "success": false}', Refused),
    failed("status: false and a reason", {"status": False, "error_reason": "NOT_FOUND"}, Missing),
    code("insufficient_credits", NoCredit),
    code("INSUFFICIENT_CREDITS", NoCredit),
    code("UNAUTHORIZED", BadKey),
    code("INVALID_API_KEY", BadKey),
    code("FORBIDDEN", Forbidden),
    code("PROFILE_INCOMPLETE", Forbidden),
    code("NOT_FOUND", Missing),
    code("CONFLICT", Conflict),
    code("NAME_TAKEN", Conflict),
    code("VALIDATION_ERROR", Invalid),
    code("BAD_REQUEST", Invalid),
    code("RATE_LIMITED", TooMany),
    code("TOO_MANY_REQUESTS", TooMany),
    code("OUT_OF_STOCK", NoStock),
    code("NO_STOCK", NoStock),
    code("SOMETHING_NEW", Refused),
)

# Odd, and good all the same: (name, what a server sends).
ODD = (
    ("text/plain", http(200, GOOD, "Content-Type: text/plain")),
    ("text/html", http(200, GOOD, "Content-Type: text/html; charset=latin-1")),
    ("HTTP/1.0 without a length", b"HTTP/1.0 200 OK\r\n\r\n" + GOOD),
    ("chunks, with more headers after them", chunked(GOOD[:9], GOOD[9:]) + b"0;a=b\r\nX-Late: 1\r\n\r\n"),
    ("gzip", http(200, gzip.compress(GOOD), "Content-Encoding: gzip")),
    ("deflate", http(200, zlib.compress(GOOD), "Content-Encoding: deflate")),
    (
        "two hints before it",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + http(200, GOOD),
    ),
    ("1,000 headers", http(200, GOOD, *["X-Many: 0123456789"] * 1000)),
    ("success twice, at last true", http(200, b'{"success": false,' + GOOD[1:])),
    ("an unreadable row beside it", http(200, GOOD[:-2] + b', {"name": "\xff"}]}')),
)
