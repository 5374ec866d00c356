"""The doctor's report as text: a table of fixed columns and sentences that say what to do."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Final

from ..operations import Operation
from .report import ApiReport, ErrorCheck, OperationCheck, WriteStep

Paint = Callable[[str, str], str]

NARROWEST: Final = 62
WIDEST: Final = 160
_STATE: Final = 10
_NAME: Final = 34
_INDENT: Final = " " * (_STATE + 2)


class ReportText:
    """Puts a report into lines.

    Args:
        report: what was found.
        operations: the table that was examined.
        hides: for each capability, what is hidden without it, as a sentence.
        width: columns of the screen.
        paint: gives a text the colour of a state.
    """

    def __init__(
        self,
        report: ApiReport,
        operations: Mapping[str, Operation],
        *,
        hides: Mapping[str, str],
        width: int,
        paint: Paint = lambda _, text: text,
    ) -> None:
        self._report = report
        self._operations = operations
        self._hides = hides
        self._width = max(NARROWEST, min(WIDEST, width)) - 1
        self._paint = paint

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The table, and the summary."""
        if self._report.operations:
            yield ""
            yield f"  {'result':<{_STATE}}{'operation':<{_NAME}}{'status':>6}{'seconds':>9}  method and path"
        for group, rows in groupby(self._by_group(), key=lambda row: row.group):
            yield ""
            yield group
            for row in rows:
                yield from self._row(row)
        if self._report.errors:
            yield from ("", "What errors look like")
            for error in self._report.errors:
                yield from self._error(error)
        if self._report.writes:
            yield from ("", "Life of a startup script")
            for step in self._report.writes:
                yield from self._write(step)
        yield from ("", "Summary")
        for sentence in self.summary():
            yield from self._wrapped(sentence, "  ")
        yield from self._snippet()

    def summary(self) -> Iterator[str]:
        """What it all means, and what to do next, in sentences."""
        report = self._report
        if report.interrupted:
            yield "Interrupted: this is what was found so far."
        yield from self._about_key()
        if report.operations:
            yield from self._about_reads()
            yield from self._about_answers()
        yield from self._about_capabilities()
        yield from self._about_errors()
        yield from self._about_writes()
        if report.reads:
            yield "The portal can read all that it needs."
        elif not report.out_of_reach and not report.interrupted:
            yield "The portal would not work as it is configured now."

    # -- the table

    def _by_group(self) -> list[OperationCheck]:
        """The rows, in groups in the order in which these were begun."""
        order = list(dict.fromkeys(row.group for row in self._report.operations))
        return sorted(self._report.operations, key=lambda row: order.index(row.group))

    def _row(self, row: OperationCheck) -> Iterator[str]:
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        yield from self._line(row.state, row.operation, row.status, seconds, f"{row.method} {row.path}")
        for problem in row.problems:
            yield from self._wrapped(problem, f"{_INDENT}- ")
        repeated = [f"asked again {row.repeated} times before it worked"] if row.repeated else []
        for note in (*row.notes, *repeated):
            yield from self._wrapped(note, f"{_INDENT}note: ")

    def _error(self, error: ErrorCheck) -> Iterator[str]:
        found = f"{error.case}: {error.body or 'no answer'}{', ' if error.keys else ''}{', '.join(error.keys)}"
        yield from self._line(error.state, error.operation, error.status, "", found)
        for problem in error.problems:
            yield from self._wrapped(problem, f"{_INDENT}- ")

    def _write(self, step: WriteStep) -> Iterator[str]:
        operation = self._operations[step.operation]
        state, path = "fails" if step.problem else "ok", f"{operation.method} {operation.path}"
        yield from self._line(state, step.operation, step.status, f"{step.seconds:.2f}", path)
        if step.problem:
            yield from self._wrapped(step.problem, f"{_INDENT}- ")

    def _line(self, state: str, name: str, status: int | None, seconds: str, last: str) -> Iterator[str]:
        """A row of the table; its last column goes below when the screen is too narrow."""
        shown = self._paint(state, f"{state:<{_STATE}}")
        head = f"  {shown}{name:<{_NAME}}{status or '-':>6}{seconds or '-':>9}"
        used = 2 + _STATE + _NAME + 15 + 2
        if used + len(last) <= self._width:
            yield f"{head}  {last}"
        else:
            yield head
            yield from self._wrapped(last, _INDENT)

    def _wrapped(self, text: str, start: str, then: str = "") -> list[str]:
        return textwrap.wrap(
            text,
            self._width,
            initial_indent=start,
            subsequent_indent=then or " " * len(start),
            break_on_hyphens=False,
        )

    # -- the sentences

    def _about_key(self) -> Iterator[str]:
        report = self._report
        if report.out_of_reach:
            yield f"The API at {report.url} cannot be reached: {report.out_of_reach}."
        elif report.key == "accepted":
            yield f"The key is accepted in the header {report.way}."
        elif report.key == "other header":
            yield (
                f"The API takes the key in the header {report.way} and not in {report.configured}. "
                f"Set {' and '.join(f'{name}={value}' for name, value in report.settings.items())}."
            )
        elif report.key == "refused":
            ways = dict.fromkeys(f"{one.header}: {one.prefix}" if one.prefix else one.header for one in report.tries)
            yield (
                f"The API at {report.url} refuses the key in each of the headers that were tried: {', '.join(ways)}. "
                "Check BARRACK_API_KEY, and whether the key is still valid; nothing else was tried."
            )
        elif report.key == "unknown":
            yield f"No answer told whether the key is accepted; it was sent in the header {report.configured}."

    def _about_reads(self) -> Iterator[str]:
        rows = self._report.operations
        counts = {state: sum(row.state == state for row in rows) for state in ("ok", "differs", "fails")}
        tried = sum(counts.values()) + len(self._report.absent)
        yield (
            f"Of {tried} reads: {counts['ok']} as expected, {counts['differs']} working but different, "
            f"{counts['fails']} failing, {len(self._report.absent)} absent."
        )
        failed = self._report.failed
        if not self._report.nothing_works:
            yield from (f"{row.operation} fails; it is needed for {row.reason}." for row in failed)
        elif all((row.status or 0) >= 500 for row in failed):
            yield "None of the needed reads works: the API itself is not well. Try again later."
        else:
            yield f"None of the needed reads works: is BARRACK_API_URL, {self._report.url}, the address of the API?"

    def _about_answers(self) -> Iterator[str]:
        """Habits of the API as a whole: its envelope, its ids, its pages."""
        rows = [row for row in self._report.operations if row.success_flag is not None]
        if not rows:
            return
        flags = sum(bool(row.success_flag) for row in rows)
        ids = {place: sum(row.request_id == place for row in rows) for place in ("body", "header")}
        pages = [row.pagination for row in rows if row.pagination is not None]
        yield (
            f"Of {len(rows)} answers, {flags} say success and {ids['body'] + ids['header']} carry a request id "
            f"({ids['body']} in the body, {ids['header']} in a header). Of {len(pages)} lists, "
            f"{pages.count('nested')} nest their pagination, {pages.count('top')} have it at the top, "
            f"{pages.count('absent')} have none."
        )

    def _about_capabilities(self) -> Iterator[str]:
        for name in self._report.absent:
            yield f"{name} is absent. {self._hides.get(name, '')}".strip()

    def _about_errors(self) -> Iterator[str]:
        odd = [error.case for error in self._report.errors if error.state != "ok"]
        if odd:
            yield f"Errors look otherwise than expected for {', '.join(odd)}; the portal's words depend on it."

    def _about_writes(self) -> Iterator[str]:
        if self._report.left_behind:
            yield f"Left behind: the startup script {self._report.left_behind}. Please delete it by hand."
        if self._report.writes:
            failed = [step.operation for step in self._report.writes if step.problem]
            yield (
                f"Writing fails at {', '.join(failed)}." if failed else "Writing works: a script was made and deleted."
            )
        elif self._report.operations:
            yield "Writes were not tried; their paths are known to be right only after a first use."

    def _snippet(self) -> Iterator[str]:
        snippet = self._report.overrides(self._operations)
        if snippet:
            yield ""
            yield "Put this into a file, mend it, and name the file in BARRACK_API_OVERRIDES:"
            yield ""
            for line in snippet.splitlines():
                yield from (
                    self._wrapped(line[2:], "    # ", "    # ") if line.startswith("# ") else [f"    {line}".rstrip()]
                )
