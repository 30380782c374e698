"""Asking a source: stream by stream, page by page, stored behind the place where the last run stopped.

The streams go their own ways: one that fails is noted and the others are read; what it had stored stays, and the next
run goes on where it stood. Only what concerns all of them (the credentials, a spent budget) ends the run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from integrations.connectors.base import INCOMPLETE, Connector, Page, Record, begun_anew
from integrations.connectors.changes import changes_of, latest, needs_previous, origins_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.lacking import Lesser, lesser_for
from integrations.connectors.mapping import StreamMapping, Tally
from integrations.models import Checkpoint, InboundEvent, SyncRun
from integrations.selectors.plans import company_zone, reading_mappings
from integrations.selectors.references import unresolved_references
from integrations.services import storing
from integrations.services.ahead import ahead
from integrations.services.drift import WITHOUT_FIELDS
from integrations.services.landing import Said, raw_payloads
from integrations.services.merging import note_merges
from integrations.services.refetching import not_outdated
from integrations.services.runs import Outcome
from integrations.services.sources import can_be_read_beside, opened_source
from integrations.services.storing import Chunk, Clock, Part, Storing

# A source that is slow is stored in smaller chunks, so that a lost worker costs little.
CHUNK_SECONDS = 2.0
COUNTERS = ("read", "accepted", "refused", "skipped", "repeated")


def pull(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Read the streams that a run is to read; None when the time was over before the end.

    Raises ConnectorError for what stops all streams, LostRunError.
    """
    mappings = reading_mappings(connection=run.connection)
    if not mappings:
        raise ConnectorError("config", "no_mapping")
    if run.streams:
        mappings = [each for each in mappings if each.reads in run.streams]
    with opened_source(run.connection) as connector:
        pulling = _Pulling(run, connector, Storing(run, clock, owner), mappings, clock)
        return pulling.outcome() if pulling.pull(until) else None


@dataclass
class _Reading:
    """One stream within a run: where it stands, and what was seen of it. Kept in the stream's checkpoint."""

    position: Mapping[str, Any]
    is_done: bool = False
    problem: Mapping[str, Any] | None = None
    read: int = 0
    total: int | None = None
    """How many records there are in all, as far as the source has said it."""
    lacked: Mapping[str, Any] | None = None
    """The position from which all has to be read again once fields are back that it goes on without."""
    later: Mapping[str, Any] | None = None
    """Where it stands if it turns out that they are not back."""
    tallies: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def expected(self) -> int | None:
        """How many records it will have read at its end; None where nobody knows, or there are more than was said."""
        if self.is_done:
            return self.read
        return self.total if self.total is not None and (self.read < self.total or not self.read) else None

    def as_cursor(self, run: SyncRun) -> dict[str, Any]:
        return {
            "run": run.pk,
            "position": dict(self.position),
            "is_done": self.is_done,
            "problem": self.problem,
            "read": self.read,
            "total": self.total,
            "lacked": None if self.lacked is None else dict(self.lacked),
            "later": None if self.later is None else dict(self.later),
            "tallies": self.tallies,
        }


@dataclass(frozen=True)
class _Decided:
    """A chunk that is ready to be stored: what its records become, what the source said, and what was seen.

    `count`: how many records it has; `last`: its last page, without them. `merged`: the records that the source has
    merged into others.
    """

    count: int
    last: Page
    parts: Sequence[Part]
    said: Mapping[str, Said]
    tallies: Mapping[str, Mapping[str, Any]]
    merged: Sequence[Record]


class _Pulling:
    """The streams of one run."""

    def __init__(
        self,
        run: SyncRun,
        connector: Connector,
        storing: Storing,
        mappings: Sequence[StreamMapping],
        clock: Clock,
    ) -> None:
        self._run = run
        self._clock = clock
        self._connector = connector
        self._known = {each.name for each in connector.streams()}
        self._storing = storing
        self._zone = company_zone()
        self._streams: dict[str, list[StreamMapping]] = {}
        for mapping in mappings:
            self._streams.setdefault(mapping.reads, []).append(mapping)
        self._unread: list[str] = []
        self._readings = {stream: self._reading(stream) for stream in self._streams}
        self._is_called = InboundEvent.objects.filter(connection=run.connection).exists()

    def pull(self, until: float) -> bool:
        """Read on until everything is read (True) or the time is over (False)."""
        self._note_start()
        for stream, reading in self._readings.items():
            if reading.is_done:
                continue
            try:
                if not self._pull_stream(stream, reading, until):
                    return False
            except ConnectorError as error:
                if error.kind == "auth" or error.wait is not None:
                    raise
                self._note_problem(stream, reading, error)
        return True

    def outcome(self) -> Outcome:
        """What the run came to. Raises ConnectorError when no stream could be read.

        Where it asked for some of them only, what is wrong with these for good is no reason to stop the others.
        """
        problems = {stream: each.problem for stream, each in self._readings.items() if each.problem}
        failed = [each for each in problems.values() if "dropped" not in each]
        first = failed[0] if len(failed) == len(self._readings) else None
        if first is not None and not (self._run.streams and first["permanent"]):
            raise ConnectorError("remote", first["code"], permanent=first["permanent"], **first["params"])
        hurt = {
            mapping.resource
            for stream, problem in problems.items()
            for mapping in self._streams[stream]
            if mapping.stream in problem.get("dropped", [mapping.stream])
        }
        read = {mapping.resource for mappings in self._streams.values() for mapping in mappings}
        return Outcome(frozenset(read - hurt), self._report(read), is_partial=bool(problems))

    def _pull_stream(self, stream: str, reading: _Reading, until: float) -> bool:
        if stream not in self._known:
            raise ConnectorError("config", "unknown_stream", stream=stream)
        mappings: Sequence[StreamMapping] = self._streams[stream]
        while True:
            try:
                return self._read_on(stream, reading, mappings, until)
            except ConnectorError as error:
                lesser = lesser_for(error, mappings)
                if lesser is None:
                    raise
                self._go_without(reading, lesser, error)
                mappings = lesser.mappings

    def _read_on(self, stream: str, reading: _Reading, mappings: Sequence[StreamMapping], until: float) -> bool:
        columns = tuple(dict.fromkeys(column for mapping in mappings for column in mapping.columns))
        pages = self._connector.pages(stream, reading.position, columns)
        items = self._items(stream, mappings, pages, until)
        with closing(ahead(items) if can_be_read_beside(self._run.connection) else items) as coming:
            for some in coming:
                decided = some if isinstance(some, _Decided) else self._decide(stream, mappings, some)
                self._storing.store(self._chunk(stream, reading, decided))
        if reading.is_done:
            # What is left to do behind the last page, as to forget a job, waits until that is stored.
            next(iter(pages), None)
        return reading.is_done

    def _go_without(self, reading: _Reading, lesser: Lesser, error: ConnectorError) -> None:
        """Note that a stream goes on without fields: what changes meanwhile is read again when they are back."""
        if reading.later is not None:
            reading.lacked, reading.position, reading.later = begun_anew(reading.position), reading.later, None
        elif reading.lacked is None:
            reading.lacked = begun_anew(reading.position)
        known = reading.problem or {}
        names = [str(each["fields"]).split(", ") for each in (known.get("params"), error.params) if each]
        fields = ", ".join(dict.fromkeys(name for some in names for name in some))
        reading.problem = {
            "code": WITHOUT_FIELDS,
            "params": {**error.params, "fields": fields},
            "permanent": True,
            "touched": sorted({*known.get("touched", ()), *lesser.touched, *lesser.dropped}),
            "dropped": sorted({*known.get("dropped", ()), *lesser.dropped}),
        }

    def _items(
        self,
        stream: str,
        mappings: Sequence[StreamMapping],
        pages: Iterator[Page],
        until: float,
    ) -> Generator[Sequence[Page] | _Decided]:
        """Chunks of pages, or what was decided about them where that can be; none is begun when the time is over."""
        for some in _chunks(pages):
            yield self._decide_early(stream, mappings, some) or some
            if some[-1].is_last or time.monotonic() >= until:
                return

    def _decide(self, stream: str, mappings: Sequence[StreamMapping], pages: Sequence[Page]) -> _Decided:
        records = latest(chain.from_iterable(page.records for page in pages))
        records = not_outdated(connection_id=self._run.connection_id, stream=stream, records=records)
        previous: Mapping[str, Any] = {}
        if any(needs_previous(mapping, records) for mapping in mappings):
            ids = [record.external_id for record in records]
            previous = raw_payloads(connection_id=self._run.connection_id, stream=stream, external_ids=ids)
        return self._decided(stream, mappings, pages, records, previous)

    def _decide_early(self, stream: str, mappings: Sequence[StreamMapping], pages: Sequence[Page]) -> _Decided | None:
        """As `_decide`, where nothing has to be looked up for it."""
        records = latest(chain.from_iterable(page.records for page in pages))
        if self._is_called or any(needs_previous(mapping, records) for mapping in mappings):
            return None
        return self._decided(stream, mappings, pages, records, {})

    def _decided(
        self,
        stream: str,
        mappings: Sequence[StreamMapping],
        pages: Sequence[Page],
        records: Sequence[Record],
        previous: Mapping[str, Any],
    ) -> _Decided:
        ids = [record.external_id for record in records]
        parts, tallies = [], {}
        for mapping in mappings:
            tally = Tally()
            decisions = changes_of(mapping, records, previous, zone=self._zone, tally=tally)
            origins = origins_of(mapping, records)
            parts.append(self._storing.part(mapping, decisions, stream, records=ids, origins=origins))
            tallies[mapping.stream] = tally.as_report()
        told = ((each.external_id, None if each.is_gone else each.values) for each in records)
        said = self._storing.heard(told, mappings)
        totals = [page.total for page in pages if page.total is not None]
        last = replace(pages[-1], records=(), total=totals[-1] if totals else None)
        merged = [each for each in records if each.merged_into]
        return _Decided(_size(pages), last, parts, said, tallies, merged)

    def _chunk(self, stream: str, reading: _Reading, decided: _Decided) -> Chunk:
        """What is to be stored, noted as read."""
        run, last, read = self._run, decided.last, decided.count
        parts = []
        for part in decided.parts:
            parts.append(replace(part, rows_before=reading.tallies.get(part.mapping.stream, {}).get("read", 0)))
            note_merges(connection=run.connection, mapping=part.mapping, records=decided.merged, now=self._clock.now())
        for name, report in decided.tallies.items():
            reading.tallies[name] = summed(reading.tallies.get(name), report)
        reading.position, reading.is_done = last.position, last.is_last
        reading.read += read
        reading.total = reading.total if last.total is None else last.total
        more = {"read_count": run.read_count + read, "progress_total": self._expected()}
        run.read_count, run.progress_done = run.read_count + read, run.progress_done + read
        cursor = {stream: reading.as_cursor(run)}
        return Chunk(parts, {stream: decided.said}, cursor, counted=read, more=more)

    def _reading(self, stream: str) -> _Reading:
        """Where a stream stands: within this run, or at the end of the one before."""
        saved = Checkpoint.objects.filter(connection_id=self._run.connection_id, stream=stream).first()
        if saved is None:
            self._unread.append(stream)
            return _Reading({}, total=self._run.report.get("totals", {}).get(stream))
        cursor = saved.cursor
        if cursor.get("run") != self._run.pk:
            stands, lacked = cursor.get("position", {}), cursor.get("lacked")
            return _Reading(stands) if lacked is None else _Reading(lacked, later=stands)
        names = ("position", "is_done", "problem", "read", "total", "lacked", "later", "tallies")
        return _Reading(**{name: cursor[name] for name in names if name in cursor})

    def _note_start(self) -> None:
        if not self._run.cursor_before:
            before = {stream: dict(each.position) for stream, each in self._readings.items()}
            totals = self._asked_totals()
            SyncRun.objects.filter(pk=self._run.pk).update(
                cursor_before=before, report={"totals": totals}, progress_total=self._expected()
            )

    def _asked_totals(self) -> dict[str, int]:
        """What the source says of streams that were never read; a run does not fail for want of it."""
        found: dict[str, int] = {}
        for stream in self._unread:
            if stream not in self._known:
                continue  # it will say so itself
            try:
                total = self._connector.total(stream)
            except ConnectorError:
                break  # without one of them the others lead to no sum
            if total is not None:
                found[stream] = self._readings[stream].total = total
        return found

    def _expected(self) -> int:
        """How many records the run will have read at its end; 0 where that is not known of every stream."""
        expected = [each.expected for each in self._readings.values()]
        return 0 if None in expected else sum(each or 0 for each in expected)

    def _note_problem(self, stream: str, reading: _Reading, error: ConnectorError) -> None:
        reading.is_done = True
        if error.code == INCOMPLETE:
            reading.position = begun_anew(reading.position)
        reading.problem = {"code": error.code, "params": dict(error.params), "permanent": error.permanent}
        self._storing.store(Chunk([], {}, {stream: reading.as_cursor(self._run)}, counted=0))

    def _report(self, resources: set[str]) -> dict[str, Any]:
        streams = [
            {
                "stream": mapping.stream,
                "resource": mapping.resource,
                "source_stream": stream,
                "problem": _problem_of(reading, mapping),
                **reading.tallies.get(mapping.stream, Tally().as_report()),
            }
            for stream, reading in self._readings.items()
            for mapping in self._streams[stream]
        ]
        unresolved = unresolved_references(source=self._run.connection.source, resources=resources)
        return {"streams": streams, "unresolved": unresolved, "ignored": []}


def _problem_of(reading: _Reading, mapping: StreamMapping) -> Mapping[str, Any] | None:
    """What went wrong with one mapping: of a stream that went on, only those that it hurt."""
    problem = reading.problem
    return problem if problem and mapping.stream in problem.get("touched", [mapping.stream]) else None


def _chunks(pages: Iterator[Page]) -> Iterator[list[Page]]:
    """Pages that are stored together: some more each time, up to storing.CHUNK_RECORDS, or what came in CHUNK_SECONDS.

    What came before a failure is stored too.
    """
    waiting: list[Page] = []
    began, enough = time.monotonic(), min(storing.FIRST_CHUNK_RECORDS, storing.CHUNK_RECORDS)
    try:
        for page in pages:
            waiting.append(page)
            is_enough = _size(waiting) >= enough
            if is_enough or page.is_last or time.monotonic() - began >= CHUNK_SECONDS:
                yield waiting
                waiting, began, enough = [], time.monotonic(), min(2 * enough, storing.CHUNK_RECORDS)
    except ConnectorError:
        if waiting:
            yield waiting
        raise


def _size(pages: Sequence[Page]) -> int:
    return sum(len(page.records) for page in pages)


def summed(before: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Two reports of a mapping as one."""
    if before is None:
        return dict(more)
    summed: dict[str, Any] = {name: before[name] + more[name] for name in COUNTERS}
    blank = dict(Counter(before["blank"]) + Counter(more["blank"]))
    for name in ("mapped", "unmapped"):
        counts: dict[tuple[tuple[str, Any], ...], int] = {}
        for each in [*before[name], *more[name]]:
            key = tuple((part, value) for part, value in each.items() if part != "count")
            counts[key] = counts.get(key, 0) + each["count"]
        summed[name] = [{**dict(key), "count": count} for key, count in sorted(counts.items(), key=lambda one: -one[1])]
    return {**summed, "blank": blank}
