"""Mapping again what was kept, without asking the source: how a changed mapping reaches what was read before.

What mapping gave up to now stays where the mapping no longer gives it under the same id; what it gives is compared
with what is stored, as for any other import. Nothing is said about freshness, since nothing was asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from integrations.connectors.base import Record
from integrations.connectors.changes import changes_of, origins_of
from integrations.connectors.deciding import decide_all
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import Decisions, Row, StreamMapping, Tally
from integrations.models import RawRecord, SyncRun
from integrations.selectors.kept import kept_as, mappable
from integrations.selectors.plans import company_zone, reading_mappings
from integrations.selectors.references import unresolved_references
from integrations.services import storing
from integrations.services.pulling import summed
from integrations.services.runs import Outcome
from integrations.services.sources import is_pulled
from integrations.services.storing import Chunk, Clock, Storing


def store_kept(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Map everything that a run's connection has kept; None when the time was over before the end.

    Raises ConnectorError where nothing is mapped, LostRunError.
    """
    mappings = reading_mappings(connection=run.connection)
    if not mappings:
        raise ConnectorError("config", "no_mapping")
    remapping = _Remapping(run, Storing(run, clock, owner), mappings)
    return remapping.outcome() if remapping.go_on(until) else None


@dataclass
class _Standing:
    """How far one stream has come within a run: up to this external id. Kept in the run's own report."""

    after: str = ""
    is_done: bool = False
    tallies: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Remapping:
    """The streams of one run."""

    def __init__(self, run: SyncRun, storing: Storing, mappings: Sequence[StreamMapping]) -> None:
        self._run = run
        self._storing = storing
        self._zone = company_zone()
        self._is_pulled = is_pulled(run.connection)
        self._streams: dict[str, list[StreamMapping]] = {}
        for mapping in mappings:
            self._streams.setdefault(kept_as(run.connection, mapping), []).append(mapping)
        saved: Mapping[str, Any] = run.report.get("kept", {})
        self._standings = {stream: _Standing(**saved.get(stream, {})) for stream in self._streams}
        self._total = sum(self._kept(stream).count() for stream in self._streams)

    def go_on(self, until: float) -> bool:
        """Map on until everything is mapped (True) or the time is over (False)."""
        for stream, standing in self._standings.items():
            while not standing.is_done:
                self._store(stream, standing)
                if time.monotonic() >= until and not self._is_done:
                    return False
        return True

    def outcome(self) -> Outcome:
        resources = frozenset(mapping.resource for mappings in self._streams.values() for mapping in mappings)
        streams = [
            {
                "stream": mapping.stream,
                "resource": mapping.resource,
                "source_stream": stream,
                "problem": None,
                **self._standings[stream].tallies.get(mapping.stream, Tally().as_report()),
            }
            for stream, mappings in self._streams.items()
            for mapping in mappings
        ]
        unresolved = unresolved_references(source=self._run.connection.source, resources=resources)
        return Outcome(resources, {"streams": streams, "unresolved": unresolved, "ignored": []})

    @property
    def _is_done(self) -> bool:
        return all(each.is_done for each in self._standings.values())

    def _kept(self, stream: str) -> QuerySet[RawRecord]:
        return mappable(connection=self._run.connection, stream=stream)

    def _store(self, stream: str, standing: _Standing) -> None:
        kept = self._kept(stream).filter(external_id__gt=standing.after).order_by("external_id")
        some = list(kept.values_list("external_id", "payload")[: storing.CHUNK_RECORDS])
        ids = [external_id for external_id, _ in some]
        parts = []
        for mapping in self._streams[stream]:
            tally = Tally()
            decisions, origins = self._decided(mapping, some, tally)
            rows_before = standing.tallies.get(mapping.stream, {}).get("read", 0)
            parts.append(
                self._storing.part(mapping, decisions, stream, records=ids, origins=origins, rows_before=rows_before)
            )
            standing.tallies[mapping.stream] = summed(standing.tallies.get(mapping.stream), tally.as_report())
        standing.is_done = len(some) < storing.CHUNK_RECORDS
        standing.after = some[-1][0] if some else standing.after
        self._run.read_count += len(some)
        report = {"kept": {name: vars(each) for name, each in self._standings.items()}}
        more = {"read_count": self._run.read_count, "progress_total": self._total, "report": report}
        self._storing.store(Chunk(parts, {}, {}, counted=len(some), more=more))

    def _decided(
        self, mapping: StreamMapping, some: Sequence[tuple[str, Any]], tally: Tally
    ) -> tuple[Decisions, Sequence[str]]:
        """What became of the rows, and of which record each is, by its number less one."""
        if self._is_pulled:
            records = [Record(external_id, payload) for external_id, payload in some]
            return changes_of(mapping, records, {}, zone=self._zone, tally=tally), origins_of(mapping, records)
        rows = [Row(number, payload) for number, (_, payload) in enumerate(some, 1)]
        return decide_all(mapping, rows, zone=self._zone, tally=tally), [external_id for external_id, _ in some]
