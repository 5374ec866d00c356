"""The AI assistant: models, a chat, and what it has used. Everything about its fields is assumed."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal

import msgspec

from .errors import BarrackError, from_answer
from .outcomes import Call
from .paging import walk
from .reading import UNREADABLE, Answer, Listing, ResourceId, settle
from .transport import Transport


class AIModel(msgspec.Struct, frozen=True):
    """A model that can be asked."""

    id: str
    name: str | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation to go on with. `temperature` from 0 to 2; `max_tokens` bounds the answer, in tokens."""

    model: str
    messages: tuple[ChatMessage, ...]
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = False


class TokenUsage(msgspec.Struct, frozen=True):
    """Tokens that an answer has used."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatChoice(msgspec.Struct, frozen=True):
    """One answer; `finish_reason` is stop when it is complete, length when it was cut."""

    message: ChatMessage
    index: int = 0
    finish_reason: str | None = None


class ChatAnswer(msgspec.Struct, frozen=True):
    """The assistant's answer as a whole. The first choice is the one to show."""

    choices: tuple[ChatChoice, ...]
    id: ResourceId | None = None
    model: str | None = None
    usage: TokenUsage | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",))

    @property
    def text(self) -> str:
        """The words of the first choice, empty when there is none."""
        return self.choices[0].message.content if self.choices else ""


class ChatDelta(msgspec.Struct, frozen=True):
    """What a piece of a streamed answer adds."""

    content: str | None = None
    role: str | None = None


class ChatChunkChoice(msgspec.Struct, frozen=True):
    """One answer's part of a streamed piece."""

    delta: ChatDelta | None = None
    index: int = 0
    finish_reason: str | None = None


class ChatChunk(msgspec.Struct, frozen=True):
    """A piece of a streamed answer, as an event carries it."""

    choices: tuple[ChatChunkChoice, ...] = ()
    usage: TokenUsage | None = None


class ChatPiece(msgspec.Struct, frozen=True):
    """The next words of a streamed answer; at its end `finish_reason` and perhaps `usage`."""

    text: str = ""
    finish_reason: str | None = None
    usage: TokenUsage | None = None


class AIUsage(msgspec.Struct, frozen=True):
    """What the assistant has used in all: requests, tokens, and `total_cost` in `currency`."""

    total_requests: int | None = None
    total_tokens: int | None = None
    total_cost: Decimal | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("total_cost",))


class AITransaction(msgspec.Struct, frozen=True):
    """One use of the assistant: tokens, and `cost` in `currency`."""

    id: ResourceId
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), numbers=("cost",), times=("created_at",))


class EventStream:
    """Cuts the bytes of a stream of events into the data of each event, wherever the pieces end."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._half_an_end = False  # a piece ended in CR, and LF may follow

    def read(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that this piece completes. Comments, names and ids of events are passed over."""
        piece = b"\r" + piece if self._half_an_end else piece
        self._half_an_end = piece.endswith(b"\r")
        whole = piece[:-1] if self._half_an_end else piece
        start, *lines = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line += start
        for line in lines:
            yield from self._end_line()
            self._line += line

    def end(self) -> Iterator[bytes]:
        """The data of the event that the end of the stream completes."""
        yield from self._end_line()
        yield from self._end_event()

    def _end_line(self) -> Iterator[bytes]:
        line = bytes(self._line)
        self._line.clear()
        if line.startswith(b"data:"):
            # Some APIs leave out the empty line between two events, and none cuts a JSON text where a new one begins.
            if self._data and line.removeprefix(b"data:").lstrip().startswith((b"{", b"[")):
                yield from self._end_event()
            self._data.append(line.removeprefix(b"data:").strip())
        elif not line:
            yield from self._end_event()

    def _end_event(self) -> Iterator[bytes]:
        data = b"\n".join(self._data).strip()
        self._data.clear()
        if data:
            yield data


def _piece(part: Answer) -> ChatPiece:
    """The words of the first choice. Raises Refused, or a kind of it, for an event that tells of an error."""
    told = part.payload.get("error", msgspec.Raw(b"null"))
    if bytes(told) != b"null":
        raise _error(part, told)
    chunk = part.top(ChatChunk)
    first = next((choice for choice in chunk.choices if choice.index == 0), ChatChunkChoice())
    return ChatPiece((first.delta and first.delta.content) or "", first.finish_reason, chunk.usage)


def _error(part: Answer, told: msgspec.Raw) -> BarrackError:
    """The error of an event, whose facts stand under `error` or, when that is only a text, beside it."""
    try:
        facts, beside = msgspec.json.decode(told), msgspec.json.decode(part.body)
    except UNREADABLE as error:  # until now only the names at the top were looked at
        return part.broken(str(error))
    known = facts if isinstance(facts, dict) else beside
    return from_answer(part.operation, part.status, known, retry_after=None, request_id=part.request_id)


class Assistant:
    """Calls for the assistant. `within`: seconds for the whole call, when less than the usual limit. Raise
    BarrackError. An API that no longer offers it raises Missing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def models(self, *, within: float | None = None) -> Listing[AIModel]:
        """The models that can be asked."""
        return walk(self._transport, "list_ai_models", AIModel, lambda row: row.id, within=within)

    def chat(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        within: float | None = None,
    ) -> ChatAnswer:
        """The whole answer at once. It costs credits and is never repeated. Raises NoCredit."""
        request = ChatRequest(model=model, messages=tuple(messages), temperature=temperature, max_tokens=max_tokens)
        call = self._transport.prepare("chat_completions", body=request, within=within)
        return self._transport.send(call).one(ChatAnswer)

    def chat_stream(
        self,
        model: str,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        within: float | None = None,
    ) -> Iterator[ChatPiece]:
        """The answer in pieces as it is written, from the first `next` on; close the iterator to stop early.

        Raises as `chat`, also in the middle: a stream that ends without its end mark is Broken.
        """
        request = ChatRequest(
            model=model, messages=tuple(messages), temperature=temperature, max_tokens=max_tokens, stream=True
        )
        call = self._transport.prepare("chat_completions", body=request, within=within)
        with closing(self._events(call)) as events:
            for part in events:
                if isinstance(part, Answer):
                    whole = part.one(ChatAnswer)
                    reason = whole.choices[0].finish_reason if whole.choices else None
                    yield ChatPiece(whole.text, reason, whole.usage)
                    return
                if part == b"[DONE]":
                    return
                yield _piece(self._transport.stream_part(call, part))
        raise self._transport.broken(call, "the stream ended before its end mark")

    def usage(self, *, within: float | None = None) -> AIUsage:
        """What was used in all."""
        return self._transport.send(self._transport.prepare("get_ai_usage_summary", within=within)).one(AIUsage)

    def history(self, *, within: float | None = None) -> Listing[AITransaction]:
        """Every use, all pages walked."""
        return walk(self._transport, "get_ai_usage_history", AITransaction, lambda row: row.id, within=within)

    def _events(self, call: Call) -> Generator[bytes | Answer]:
        """The data of each event of a stream; the whole answer when the API did not stream it."""
        events = EventStream()
        for piece in self._transport.stream(call):
            if isinstance(piece, Answer):
                yield piece
            else:
                yield from events.read(piece)
        yield from events.end()
