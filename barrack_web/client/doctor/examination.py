"""The doctor: finds out whether an API is as the client believes. It only reads, one call after the other.

First it finds the header that carries the key, then it tries every read of the table, then it looks at what errors
look like. What it reports holds no values of answers but status words, so that it can be pasted into a ticket.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, Literal

from ..client import Client
from ..errors import BadKey, BarrackError, Forbidden, TimedOut
from ..operations import Operation
from ..outcomes import Call, Received
from ..overrides import Overrides
from ..transport import Observer
from .checks import CHECKS, COSTS_CREDITS, RESOURCES, Account, Check
from .judge import MESSAGE_KEYS, Exchange, Trial, body_kind, judged, top_of
from .report import ApiReport, ErrorCheck, KeyTry, KeyWay, OperationCheck, State

# source: assumed; the documentation does not say which header carries the key.
KEY_WAYS: Final = (KeyWay("X-API-Key"), KeyWay("Authorization", "Bearer"), KeyWay("api_key"))
# Reads that no account can do without, and that no API answers without a key.
_PROBES: Final = ("get_credit_balance", "list_instances")
# Of the form of the documented ids; checked against the account's own before it is used.
_NOBODYS_ID: Final = "BRK-000000D"
# For each error case: the key, and the statuses that say what it is (source: assumed).
_ERROR_CASES: Final = (
    ("an id that does not exist", "get_instance", (404,)),
    ("a page of no rows", "list_instances", (400, 422)),
    ("a call without a key", "get_credit_balance", (401,)),
)

Connect = Callable[[KeyWay | None, Observer], Client]
Progress = Callable[[int, int, str], None]
_Verdict = Literal["accepted", "refused", "unknown", "silent"]


class Doctor:
    """Examines one API. Use one for each examination; `close` it, or use it in a `with` statement.

    Args:
        connect: makes a client that sends the key in that way (None: sends none) and has that observer.
        url: the address to show, without secrets.
        way: how the portal is set to send the key.
        overrides: what the clients of `connect` were given.
        progress: is told before each step: its number, the number of all steps, the operation.

    `report` fills as it works. No call raises a BarrackError.
    """

    def __init__(
        self, connect: Connect, *, url: str, way: KeyWay, overrides: Overrides, progress: Progress = lambda *_: None
    ) -> None:
        self.report = ApiReport(url=url, configured=way, way=way)
        self._connect = connect
        self._overrides = overrides
        self._progress = progress
        self._steps = 0
        self._seen: list[Exchange] = []
        self._account = Account()
        self._client: Client | None = None

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operation table that is examined."""
        return self._overrides.operations

    def run(self) -> ApiReport:
        """Examines everything that reading can; stops after the key when nothing answers or no header carries it."""
        self._find_key()
        if self.report.key in ("accepted", "other header", "unknown"):
            for check in CHECKS:
                self.report.operations.append(self._checked(check))
            self._add_untried()
            self._try_errors()
        return self.report

    def client(self) -> Client:
        """The client that sends the key in the way that works. Raises RuntimeError before `run` found one."""
        if self._client is None:
            raise RuntimeError("No header is known to carry the key.")
        return self._client

    def last_status(self) -> int | None:
        """The status of the latest answer, None without one."""
        return self._seen[-1].status if self._seen else None

    def forget(self) -> None:
        """Forgets the answers so far, so that `last_status` speaks of later ones only."""
        self._seen.clear()

    def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> "Doctor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the key

    def _find_key(self) -> None:
        """Looks for the header that carries the key: the configured one, then the others that it may be."""
        report = self.report
        client = self._connect(report.configured, self._observe)
        first = self._probe(client, report.configured)
        if first == "accepted":
            self._client, report.key = client, "accepted"
            return
        for way in KEY_WAYS if first != "silent" else ():
            if not way.same_as(report.configured) and self._opens(way):
                client.close()
                report.key, report.way = "other header", way
                return
        if first == "unknown":
            self._client, report.key = client, "unknown"
            return
        client.close()
        report.key = "refused" if first == "refused" else ""

    def _opens(self, way: KeyWay) -> bool:
        """Whether this header carries the key; its client is kept then."""
        client = self._connect(way, self._observe)
        if self._probe(client, way) == "accepted":
            self._client = client
            return True
        client.close()
        return False

    def _probe(self, client: Client, way: KeyWay) -> _Verdict:
        """Whether a header carries the key. 401 is clear; 403 may mean this one read, so another is tried."""
        verdict: _Verdict = "silent"
        silence = ""
        for name in _PROBES:
            self._step(f"{name} with {way}", of=0)
            error = self._call(client, name)
            status = error.status if error else self.last_status()
            self.report.tries.append(KeyTry(way.header, way.prefix, name, status, accepted=error is None))
            if error is None:
                return "accepted"
            if isinstance(error, BadKey):
                return "refused"
            if status is None:
                silence = self._why_silent(client, error)
            elif isinstance(error, Forbidden):
                verdict = "refused"
            elif verdict != "refused":
                verdict = "unknown"
        if verdict == "silent" and way is self.report.configured:
            self.report.out_of_reach = silence
        return verdict

    def _why_silent(self, client: Client, error: BarrackError) -> str:
        if isinstance(error, TimedOut):
            return f"no answer within {client.limits.read:g} s"
        return error.detail or "no answer"

    # -- the reads

    def _checked(self, check: Check) -> OperationCheck:
        operation = self.operations[check.operation]
        if check.needs and not self._account.ids.get(check.needs):
            self._steps += 1
            return _row(operation, check.group, "not tried", check.reason, note=self._why_not(check.needs))
        self._step(check.operation)
        self._seen.clear()
        result, error, start = None, None, monotonic()
        try:
            result = check.read(self.client(), self._account)
        except BarrackError as caught:
            error = caught
        seconds = monotonic() - start
        if result is not None and check.keep is not None:
            check.keep(result, self._account)
        return judged(Trial(check, operation, list(self._seen), result, error, seconds, self._overrides.names))

    def _why_not(self, place: str) -> str:
        what, source = RESOURCES[place]
        works = any(row.operation == source and row.state in ("ok", "differs") for row in self.report.operations)
        return f"the account has no {what}" if works else f"it takes an id from {source}, which does not work"

    def _add_untried(self) -> None:
        """The rows that are shown for completeness: the second entries of the table, and what costs credits."""
        groups = {check.operation: check.group for check in CHECKS}
        for operation in self.operations.values():
            if operation.alias_of and operation.safe:
                note = f"a second entry of the list; {operation.alias_of} is called"
                self.report.operations.append(_row(operation, groups[operation.alias_of], "not used", note=note))
        costly = self.operations[COSTS_CREDITS]
        self.report.operations.append(_row(costly, "Assistant", "not tried", note="each answer costs credits"))

    # -- what errors look like

    def _try_errors(self) -> None:
        for case, name, expected in _ERROR_CASES:
            self._step(f"{name}: {case}")
            if name == "get_instance":
                taken = self._account.ids.get("instance_id", [])
                error = self._call(self.client(), name, ids={"instance_id": _id_not_in(taken)})
            elif name == "list_instances":
                error = self._call(self.client(), name, query={"page": 1, "limit": 0})
            else:
                with self._connect(None, self._observe) as stranger:
                    error = self._call(stranger, name)
            outcome = self._seen[-1].outcome if self._seen else error
            self.report.errors.append(_error_check(case, name, expected, outcome))

    # -- one call

    def _call(
        self,
        client: Client,
        name: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> BarrackError | None:
        """Makes a call whose answer matters little; returns what went wrong."""
        self._seen.clear()
        try:
            client._transport.send(client._transport.prepare(name, ids=ids, query=query))
        except BarrackError as error:
            return error
        return None

    def _observe(self, call: Call, outcome: Received | BarrackError) -> None:
        self._seen.append(Exchange(call, outcome))

    def _step(self, what: str, *, of: int = len(CHECKS) + len(_ERROR_CASES)) -> None:
        """Tells of the next step; those that look for the key are not counted, since nobody knows how many."""
        self._steps += 1 if of else 0
        self._progress(self._steps, of, what)


def _row(operation: Operation, group: str, state: State, reason: str = "", *, note: str) -> OperationCheck:
    return OperationCheck(
        operation=operation.name,
        group=group,
        method=operation.method,
        path=operation.path,
        state=state,
        reason=reason,
        notes=(note,),
    )


def _id_not_in(taken: list[str]) -> str:
    letters = iter("DEFGHIJKLMNOPQRSTUVWXYZ")
    wanted = _NOBODYS_ID
    while wanted in taken:
        wanted = f"{wanted[:-1]}{next(letters)}"
    return wanted


def _error_check(
    case: str, name: str, expected: tuple[int, ...], outcome: Received | BarrackError | None
) -> ErrorCheck:
    """What is to be said of an error's shape: the portal's words depend on the keys of its body."""
    if not isinstance(outcome, Received):
        return ErrorCheck(
            case=case, operation=name, expected=expected, state="fails", problems=("no answer could be read",)
        )
    top = top_of(outcome.body) or {}
    flags = tuple(f"{flag} false" for flag in ("success", "status") if bytes(top.get(flag, b"")) == b"false")
    words = tuple(key for key in MESSAGE_KEYS if bytes(top.get(key, b""))[:1] == b'"')
    problems = []
    if outcome.status not in expected:
        wanted = " or ".join(map(str, expected))
        problems.append(f"{outcome.status} where {wanted} was expected")
    if outcome.status >= 300 and not words:
        problems.append("no text that says what was wrong, so the portal uses sentences of its own")
    return ErrorCheck(
        case=case,
        operation=name,
        expected=expected,
        state="differs" if problems else "ok",
        status=outcome.status,
        body=body_kind(outcome.body),
        keys=(*words, *flags),
        problems=tuple(problems),
    )
