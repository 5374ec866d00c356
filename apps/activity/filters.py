"""Which events an address asks for: every filter stands in it, and all of them count together."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.account.models import User
from apps.activity.kinds import TITLES, title_of
from apps.activity.models import RESULTS, Event, State
from apps.activity.observe import OUTSIDE
from barrack_web import clock

# How far back the presets of the time reach.
WITHIN = {
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
# People in the select; others are found by the search.
MOST_PEOPLE = 300


@dataclass(frozen=True)
class Chip:
    """One filter that is on, in words, and the address without it."""

    label: str
    words: str
    url: str


@dataclass(frozen=True)
class Filters:
    """What the address says; what makes no sense counts as not said."""

    q: str = ""
    who: str = ""
    action: str = ""
    target: str = ""
    result: str = ""
    within: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Filters":
        """Read ?q=&who=&action=&target=&result=&within=&from=&to=, bounded."""

        def words(name: str, most: int = 100) -> str:
            # A NUL character would end the words early in SQLite, and is an error in PostgreSQL.
            return request.GET.get(name, "").replace("\0", "").strip()[:most]

        result, within = words("result"), words("within")
        return cls(
            q=words("q"),
            who=words("who", 254),
            action=words("action", 40),
            target=words("target", 255),
            result=result if result in RESULTS else "",
            within=within if within in WITHIN else "",
            since=_day(words("from")),
            until=_day(words("to")),
        )

    @property
    def backwards(self) -> bool:
        """Whether the first day is after the last one, so that nothing can fit."""
        return self.since is not None and self.until is not None and self.since > self.until

    @property
    def asked(self) -> dict[str, str]:
        """What is filtered, by its name in the address."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                found[NAMES.get(field.name, field.name)] = value.isoformat() if isinstance(value, date) else value
        return found

    @property
    def more(self) -> str:
        """The filters as the later part of another address; "" when nothing is filtered."""
        return f"&{urlencode(self.asked)}" if self.asked else ""

    @property
    def unfolded(self) -> bool:
        """Whether one of the fields is on that are folded away otherwise."""
        return bool(self.who or self.action or self.target or self.since or self.until)

    def rows(self) -> QuerySet[Event]:
        """Return the events that fit, newest first."""
        rows = Event.objects.all()
        for condition in self._conditions():
            rows = rows.filter(condition)
        return rows

    def _conditions(self) -> Iterator[Q]:
        if self.q:
            yield _search(self.q)
        if self.who:
            yield Q(who=self.who)
        if self.action:
            yield Q(action=self.action)
        if self.target:
            yield _target(self.target)
        if self.result:
            yield Q(result=self.result)
        if self.within:
            yield Q(at__gte=clock.now() - WITHIN[self.within][1])
        if self.since:
            yield Q(at__gte=datetime.combine(self.since, time.min, UTC))
        if self.until:
            yield Q(at__lte=datetime.combine(self.until, time.max, UTC))

    def chips(self) -> list[Chip]:
        """Return the filters that are on, each with the address that takes it off."""
        words = {
            "action": title_of(self.action),
            "result": RESULTS.get(self.result, ""),
            "within": WITHIN[self.within][0] if self.within else "",
        }
        found = []
        for name, value in self.asked.items():
            rest = {other: said for other, said in self.asked.items() if other != name}
            url = f"?{urlencode(rest)}" if rest else ""
            found.append(Chip(LABELS[name], words.get(name, value), url))
        return found

    def people(self) -> list[str]:
        """Return whose events can be chosen: everybody with an account, the cloud's other users, and who is chosen."""
        known = list(User.objects.order_by("email").values_list("email", flat=True)[:MOST_PEOPLE])
        return [*([] if self.who in {*known, OUTSIDE, ""} else [self.who]), *known, OUTSIDE]

    def actions(self) -> list[tuple[str, str]]:
        """Return the kinds of action that can be chosen, by their words."""
        known = {**TITLES, **({self.action: title_of(self.action)} if self.action else {})}
        return sorted(known.items(), key=lambda pair: pair[1])


# Where the address calls it otherwise than we do.
NAMES = {"since": "from", "until": "to"}
LABELS = {
    "q": "Search",
    "who": "Person",
    "action": "Action",
    "target": "Thing",
    "result": "Result",
    "within": "Time",
    "from": "From",
    "to": "To",
}
# What an event never says: it is written when the operation has ended.
RESULT_OPTIONS = [(value, words) for value, words in RESULTS.items() if value != State.SENT]
WITHIN_OPTIONS = [(value, words) for value, (words, _) in WITHIN.items()]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _search(q: str) -> Q:
    actions = [name for name, title in TITLES.items() if q.casefold() in title.casefold()]
    return (
        Q(who__icontains=q) | Q(target_name__icontains=q) | Q(name__icontains=q) | Q(target_id__iexact=q)
        | Q(result_id__iexact=q) | Q(request_id__iexact=q) | Q(action__in=actions)
    )  # fmt: skip


def _target(words: str) -> Q:
    """What was acted on or made: by its id, or by a part of its name."""
    return (
        Q(target_id__iexact=words) | Q(result_id__iexact=words) | Q(target_name__icontains=words)
        | Q(name__icontains=words)
    )  # fmt: skip
