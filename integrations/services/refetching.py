"""Storing records that were asked for one by one, by the mappings and on the way of an import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max

from integrations.choices import EventState
from integrations.connectors.base import Connector, Record
from integrations.connectors.changes import changes_of, latest, origins_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.lacking import lesser_for
from integrations.connectors.mapping import StreamMapping, Tally
from integrations.models import InboundEvent, RejectedRecord, SyncRun
from integrations.selectors.plans import company_zone, reading_mappings
from integrations.services.landing import raw_payloads
from integrations.services.merging import note_merges
from integrations.services.storing import Chunk, Storing

# So many records are asked for and stored together.
AT_ONCE = 200


class Refetching:
    """Reads single records of one connection's mapped streams and stores what they give now."""

    def __init__(self, run: SyncRun, connector: Connector, storing: Storing) -> None:
        self._run = run
        self._connector = connector
        self._storing = storing
        self._zone = company_zone()
        self.mappings: dict[str, list[StreamMapping]] = {}
        for mapping in reading_mappings(connection=run.connection):
            self.mappings.setdefault(mapping.reads, []).append(mapping)

    def read(self, stream: str, ids: Sequence[str]) -> list[Record]:
        """These records as they are at the source; one that is gone comes as deleted. Raises ConnectorError."""
        while True:
            mappings = self.mappings[stream]
            columns = tuple(dict.fromkeys(column for mapping in mappings for column in mapping.columns))
            try:
                return latest(self._connector.read(stream, ids, columns))
            except ConnectorError as error:
                lesser = lesser_for(error, mappings)
                if lesser is None:
                    raise
                self.mappings[stream] = list(lesser.mappings)

    def store(self, stream: str, records: Sequence[Record], *, now: datetime) -> None:
        """Store what these records give, unless they are older than what is known. Raises LostRunError."""
        run = self._run
        records = not_outdated(connection_id=run.connection_id, stream=stream, records=records)
        ids = [each.external_id for each in records]
        previous = raw_payloads(connection_id=run.connection_id, stream=stream, external_ids=ids)
        parts = []
        for mapping in self.mappings[stream]:
            decisions = changes_of(mapping, records, previous, zone=self._zone, tally=Tally())
            rows_before = _rows_before(run, mapping.stream)
            origins = origins_of(mapping, records)
            parts.append(
                self._storing.part(mapping, decisions, stream, records=ids, origins=origins, rows_before=rows_before)
            )
            note_merges(connection=run.connection, mapping=mapping, records=records, now=now)
        told = ((each.external_id, None if each.is_gone else each.values) for each in records)
        said = self._storing.heard(told, self.mappings[stream])
        run.read_count += len(records)
        more: Mapping[str, Any] = {"read_count": run.read_count}
        self._storing.store(Chunk(parts, {stream: said}, {}, counted=len(records), more=more))


def not_outdated(*, connection_id: int, stream: str, records: Sequence[Record]) -> list[Record]:
    """The records without those that were fetched in a later state before: a source's index may lag behind itself."""
    fetched = InboundEvent.objects.filter(connection_id=connection_id, stream=stream, state=EventState.DONE)
    fetched = fetched.exclude(source_updated_at=None).order_by()
    if not fetched.exists():  # most sources do not call
        return list(records)
    some = fetched.filter(external_id__in=[record.external_id for record in records])
    known: dict[str, datetime] = dict(some.values_list("external_id").annotate(last=Max("source_updated_at")))
    return [
        record
        for record in records
        if record.updated_at is None
        or record.external_id not in known
        or record.updated_at >= known[record.external_id]
    ]


def _rows_before(run: SyncRun, stream: str) -> int:
    """The last row that this run has refused of a stream: rows of a run are told apart by their number."""
    found = RejectedRecord.objects.filter(run=run, stream=stream).aggregate(last=Max("row"))["last"]
    return found or 0
