"""What a connector of an outside system offers; the sync core knows nothing else of it.

A connector is read stream by stream, page by page. Each page says in `position` (plain JSON) where the next one
begins, so that another process can go on behind it. The position in between belongs to the connector; around it the
window keeps the rule that makes increments complete:

- A run reads everything changed since `since` less the look-back, the boundary included: what shares a moment with
  the last record, or was committed late under an earlier one, is read again. Storing it again changes nothing.
- When the stream is read to its end, the next `since` is min(latest change seen, start of the run by the source's
  clock): a stamp from the future, or a change made while we were paging, cannot make us skip anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, NamedTuple

from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Http

FieldKind = Literal["text", "number", "flag", "date", "moment", "choice", "list"]
Position = Mapping[str, Any]
REMARKABLE_SKEW_SECONDS = 120
INCOMPLETE = "fewer_than_told"


@dataclass(frozen=True)
class SourceField:
    """One field of a stream as its source names it; `choices` are its words (value, label), where it is a list.

    `is_calculated`: the source computes it, and a change of it alone is no change of its record. `meanings` are what
    the source itself says of its words, as (value, our word); nothing of a word that it says nothing of.
    """

    name: str
    label: str
    kind: FieldKind = "text"
    choices: tuple[tuple[str, str], ...] = ()
    is_calculated: bool = False
    meanings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Stream:
    """One kind of record that a source gives.

    `look_back` is read again at every increment; None: the stream has no increments and is read whole every time.
    `tells_deletions`: increments say what was deleted or merged; of other streams `ids` alone shows it.
    `reads_by_id`: single records can be asked for; of other streams `read` has to go through everything.
    """

    name: str
    label: str
    look_back: timedelta | None = timedelta(minutes=5)
    tells_deletions: bool = True
    reads_by_id: bool = True


class Record(NamedTuple):
    """One record as its source gives it: nested as it came, lists and all."""

    external_id: str
    values: Mapping[str, Any]
    updated_at: datetime | None = None
    is_deleted: bool = False
    merged_into: str = ""
    """The external id of the record that took this one over, where the source says so."""

    @property
    def is_gone(self) -> bool:
        return self.is_deleted or bool(self.merged_into)


@dataclass(frozen=True)
class Page:
    """Some records, and where to go on behind them. `total` is how many there are in all, where the source says so."""

    records: tuple[Record, ...]
    position: Position
    is_last: bool
    total: int | None = None


@dataclass(frozen=True)
class Window:
    """What one run reads of a stream: changes in [since, …], as far as it got; `resume` is the connector's own."""

    since: datetime | None
    started: datetime
    resume: Mapping[str, Any] = field(default_factory=dict)
    seen: datetime | None = None

    @property
    def is_first_load(self) -> bool:
        return self.since is None


@dataclass(frozen=True)
class Step:
    """What a connector yields for a page: its records and how it would go on; `resume` None: there is no more."""

    records: tuple[Record, ...]
    resume: Mapping[str, Any] | None
    total: int | None = None


@dataclass(frozen=True)
class Listing:
    """Ids of records that exist, and how the list would go on behind them; `resume` None: there are no more."""

    ids: tuple[str, ...]
    resume: Mapping[str, Any] | None


@dataclass(frozen=True)
class Finding:
    """One result of testing a connection; `code` and `params` name the sentence, `is_bad` what must be mended.

    `is_doubtful`: it may be as it should, and a person has to look.
    """

    code: str
    is_bad: bool
    params: Mapping[str, Any] = field(default_factory=dict)
    is_doubtful: bool = False


@dataclass(frozen=True)
class Usage:
    """How many of the calls that the source allows in a period are used up, by whomever."""

    used: int
    limit: int


@dataclass(frozen=True)
class Count:
    """How many records of a window the source says there are (None: it does not), and how many have come.

    More may come than were told, because some are read again; never fewer, or some got lost on the way.
    """

    told: int | None = None
    read: int = 0

    @classmethod
    def of(cls, resume: Mapping[str, Any]) -> Count:
        """As it was kept in a position by `kept`."""
        return cls(resume.get("told"), resume.get("read", 0))

    def more(self, told: int | None, read: int) -> Count:
        """After another answer: what was told last may be less, where records have gone meanwhile."""
        lowest = min((each for each in (self.told, told) if each is not None), default=None)
        return Count(lowest, self.read + read)

    @property
    def is_short(self) -> bool:
        return self.told is not None and self.read < self.told

    @property
    def kept(self) -> dict[str, Any]:
        return {"told": self.told, "read": self.read}

    def failure(self, stream: str) -> ConnectorError:
        """What a stream that came short ends with: it is read again from where its window began."""
        return ConnectorError("data", INCOMPLETE, permanent=False, stream=stream, read=self.read, told=self.told)


def begun_anew(position: Position) -> Position:
    """The position from which the window that this one stands in is read again."""
    return {"since": position["since"]} if position.get("since") else {}


class Connector(ABC):
    """A source behind HTTP. Subclasses say what its streams are and how one window of one is read."""

    kind: ClassVar[str]
    quota_code: ClassVar[str] = "quota_told"
    """The sentence of a test that says how much of the limit is used."""
    describes_fields: ClassVar[bool] = True
    """Whether `fields` is all that there is, rather than what a sample of the records shows."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @abstractmethod
    def streams(self) -> Sequence[Stream]:
        """What the source gives, in the order in which it is read."""

    @abstractmethod
    def fields(self, stream: str) -> Sequence[SourceField]:
        """The fields of a stream, asked from the source. Raises ConnectorError."""

    @abstractmethod
    def steps(self, stream: str, window: Window, fields: Sequence[str]) -> Iterator[Step]:
        """Read one window page by page, beginning at `window.resume`.

        `fields` are the names the mapping looks at; a source that gives only what it is asked for asks for these.
        Records come with `updated_at` where the stream has increments. Raises ConnectorError.
        """

    @abstractmethod
    def ids(self, stream: str, resume: Mapping[str, Any]) -> Iterator[Listing]:
        """The external ids of everything that exists now: what is not among them has been deleted.

        In parts, from the beginning ({}) or where a part said that the list goes on.
        """

    @abstractmethod
    def read(self, stream: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """These records as they are now; one that is gone comes as deleted."""

    @abstractmethod
    def check(self) -> Sequence[Finding]:
        """Whether the credentials, the rights, the quota and the clock are in order. Raises ConnectorError."""

    def total(self, stream: str) -> int | None:
        """How many records a first load of a stream will bring, for its progress; None where one call cannot tell it.

        Raises ConnectorError.
        """
        return None

    def usage(self) -> Usage | None:
        """What the last answers told of the source's limit; None where it tells nothing, or was not asked."""
        return None

    def stream(self, name: str) -> Stream:
        """Raises KeyError for a stream that the source does not have."""
        return {each.name: each for each in self.streams()}[name]

    def clock_findings(self) -> Sequence[Finding]:
        """Whether the source's clock is far from ours, where it told the time; increments follow the source's."""
        if not self.http.is_clock_told:
            return []
        seconds = round(self.http.clock_skew.total_seconds())
        if abs(seconds) > REMARKABLE_SKEW_SECONDS:
            return [Finding("clock_differs", False, {"seconds": seconds})]
        return [Finding("clock_agrees", False)]

    def quota_findings(self) -> Sequence[Finding]:
        """How much of the source's limit is used, as far as its answers told."""
        usage = self.usage()
        if usage is None:
            return [Finding("quota_untold", False)]
        return [Finding(self.quota_code, False, {"used": usage.used, "limit": usage.limit})]

    def pages(self, stream: str, position: Position, fields: Sequence[str]) -> Iterator[Page]:
        """A stream from `position` to its end; {} reads it from the beginning.

        The position of the last page is where the next run begins.
        """
        window = self._window(position)
        look_back = self.stream(stream).look_back
        asked = Window(_less(window.since, look_back), window.started, window.resume, window.seen)
        seen = window.seen
        for step in self.steps(stream, asked, fields):
            stamps = [record.updated_at for record in step.records if record.updated_at is not None]
            seen = max([*stamps, *([seen] if seen else [])], default=None)
            yield self._page(step, Window(window.since, window.started, step.resume or {}, seen), look_back)

    def _window(self, position: Position) -> Window:
        """The window to go on with, or a new one that starts now."""
        since = _moment(position.get("since"))
        if "resume" in position:
            return Window(
                since, datetime.fromisoformat(position["started"]), position["resume"], _moment(position.get("seen"))
            )
        return Window(since, self.http.now())

    def _page(self, step: Step, window: Window, look_back: timedelta | None) -> Page:
        if step.resume is not None:
            position: dict[str, Any] = {"started": _text(window.started), "resume": dict(step.resume)}
            position |= {"since": _text(window.since)} if window.since else {}
            position |= {"seen": _text(window.seen)} if window.seen else {}
            return Page(step.records, position, False, step.total)
        reached = min(window.seen, window.started) if window.seen else window.since
        is_kept = reached is not None and look_back is not None
        return Page(step.records, {"since": _text(reached)} if is_kept and reached else {}, True, step.total)


def as_utc(moment: datetime) -> datetime:
    """A moment in UTC; one without a zone is meant as UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _less(moment: datetime | None, look_back: timedelta | None) -> datetime | None:
    return None if moment is None or look_back is None else moment - look_back


def _text(moment: datetime) -> str:
    return as_utc(moment).isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if not text else datetime.fromisoformat(text)
