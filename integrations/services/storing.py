"""Storing what was decided, chunk by chunk; a chunk and the place where reading goes on are one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from integrations.choices import RunKind, RunState
from integrations.connectors.mapping import Accepted, Decisions, Refused, StreamMapping
from integrations.connectors.masking import columns_of, masked
from integrations.models import Checkpoint, RejectedRecord, SyncRun
from integrations.services.landing import Said, heard, land
from integrations.services.rejections import settle
from integrations.services.runs import LEASE
from kpis.engine.issues import Issue
from kpis.engine.record_batch import read_records
from kpis.engine.resources import RESOURCES
from kpis.services.fact_batch import JUDGED_WHOLE
from kpis.services.facts import BulkResult, store_facts
from kpis.services.incoming import Prepared, prepared
from kpis.services.sealing import seal_address
from tenants.settings.selectors import company_settings

# The first chunk is small, so that storing begins soon. Each next one is twice as large: a transaction has its price.
FIRST_CHUNK_RECORDS = 1_000
CHUNK_RECORDS = 6_000


class LostRunError(Exception):
    """The run was cancelled or taken over while a chunk was being stored; the chunk is rolled back."""


class Clock:
    """The time of a run: the moment it was started with, plus what has passed since."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.started = time.monotonic()

    def now(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self.started)


@dataclass(frozen=True)
class Part:
    """Decided rows of one mapping; `origin` is what a person calls the place they come from.

    `batch`: the accepted records as the door for facts takes them. `doubtful`: those which it may refuse, by their
    place; of the others nothing else is held. `rows_before`: how many rows of the same mapping were read before those
    that are numbered here.

    `records`: the ids of the source's records that were decided. `origins`: which of them a row is of, by its number
    less one; empty where each row is a record itself. `is_file`: `origin` is a file, which replaces one before.
    """

    mapping: StreamMapping
    doubtful: Mapping[int, Accepted]
    refused: Sequence[Refused]
    origin: str
    batch: Prepared
    records: Sequence[str]
    origins: Sequence[str] = ()
    is_file: bool = False
    rows_before: int = 0


@dataclass(frozen=True)
class Chunk:
    """What one transaction stores.

    `raw`: what the source said, by stream and external id. `checkpoints`: the cursor of each stream behind this chunk.
    `counted` is how far it brings the progress.
    """

    parts: Sequence[Part]
    raw: Mapping[str, Mapping[str, Said]]
    checkpoints: Mapping[str, Mapping[str, Any]]
    counted: int
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the run to set."""


class Storing:
    """Stores chunks for one run, as long as the run is this worker's own."""

    def __init__(self, run: SyncRun, clock: Clock, owner: str) -> None:
        self._run = run
        self._clock = clock
        self._owner = owner
        self._currency = company_settings().currency

    def part(
        self,
        mapping: StreamMapping,
        decisions: Decisions,
        origin: str,
        *,
        records: Sequence[str],
        origins: Sequence[str] = (),
        is_file: bool = False,
        rows_before: int = 0,
    ) -> Part:
        """What was decided, made ready to be stored; arguments as in Part. Asks the database nothing."""
        resource = RESOURCES[mapping.resource]
        reading = read_records(
            resource,
            decisions.records,
            source=self._run.connection.source,
            currency=self._currency,
            seal=seal_address,
        )
        is_judged_whole = mapping.resource in JUDGED_WHOLE
        rows, told = decisions.rows, decisions.records
        doubtful = range(len(told)) if is_judged_whole else [each.index for each in reading.rejections]
        named = {index: Accepted(rows[index], told[index]) for index in doubtful}
        batch = prepared(resource, reading)
        return Part(mapping, named, decisions.refused, origin, batch, records, origins, is_file, rows_before)

    def heard(
        self, told: Iterable[tuple[str, Mapping[str, Any] | None]], mappings: Iterable[StreamMapping]
    ) -> dict[str, Said]:
        """What a source said about records (None: that one is gone) that these mappings read, made ready to be kept."""
        return heard(told, keeps=self._run.connection.keep_days > 0, columns=columns_of(mappings))

    @transaction.atomic
    def store(self, chunk: Chunk) -> None:
        """Raises LostRunError, with nothing stored, when the run was cancelled or taken over."""
        now = self._clock.now()
        with connection.cursor() as database:
            # A server that dies may forget the last chunks, and with each how far the run had come: it is read again.
            database.execute("SET LOCAL synchronous_commit TO off")
        results = [self._store_part(part, now) for part in chunk.parts]
        for stream, said in chunk.raw.items():
            land(connection=self._run.connection, stream=stream, said=said, now=now)
        Checkpoint.objects.bulk_create(
            [
                Checkpoint(connection_id=self._run.connection_id, stream=stream, cursor=cursor, saved_at=now)
                for stream, cursor in chunk.checkpoints.items()
            ],
            update_conflicts=True,
            unique_fields=["connection", "stream"],
            update_fields=["cursor", "saved_at"],
        )
        self._count(chunk, results, now)

    def _store_part(self, part: Part, now: datetime) -> tuple[BulkResult, int]:
        result = store_facts(
            resource=part.mapping.resource,
            source=self._run.connection.source,
            batch=part.batch,
            actor=self._run.actor,
            run=self._run.pk,
            is_remapped=self._run.kind == RunKind.REMAP,
            now=now,
        )
        lines: list[tuple[Accepted | Refused, str, list[dict[str, Any]]]] = [
            (each, each.external_id, [asdict(one) for one in each.problems]) for each in part.refused
        ]
        for rejection in result.rejected:
            source = part.doubtful[rejection.index]
            external_id = str(source.record.get("external_id") or "")
            lines.append((source, external_id, [_described(issue) for issue in rejection.issues]))
        file = part.origin if part.is_file else ""
        settle(run=self._run, stream=part.mapping.stream, records=part.records, file=file)
        RejectedRecord.objects.bulk_create([self._rejected(part, *line) for line in lines])
        return result, len(part.refused) + len(result.rejected)

    def _rejected(
        self, part: Part, source: Accepted | Refused, external_id: str, problems: list[dict[str, Any]]
    ) -> RejectedRecord:
        number = source.row.number
        record_id = part.origins[number - 1] if part.origins and number else external_id
        return RejectedRecord(
            connection_id=self._run.connection_id,
            run=self._run,
            stream=part.mapping.stream,
            file_name=part.origin,
            row=part.rows_before + number,
            external_id=external_id[:200],
            record_id=record_id[:200],
            problems=problems,
            raw=masked(source.row.as_text, columns_of([part.mapping]), seal_address),
        )

    def _count(self, chunk: Chunk, results: Sequence[tuple[BulkResult, int]], now: datetime) -> None:
        held = SyncRun.objects.filter(pk=self._run.pk, state=RunState.RUNNING, lease_owner=self._owner)
        counted = held.update(
            progress_done=F("progress_done") + chunk.counted,
            inserted_count=F("inserted_count") + sum(result.inserted for result, _ in results),
            updated_count=F("updated_count") + sum(result.updated for result, _ in results),
            unchanged_count=F("unchanged_count") + sum(result.unchanged for result, _ in results),
            deleted_count=F("deleted_count") + sum(result.deleted for result, _ in results),
            rejected_count=F("rejected_count") + sum(rejected for _, rejected in results),
            lease_until=now + LEASE,
            **chunk.more,
        )
        if not counted:
            raise LostRunError


def _described(issue: Issue) -> dict[str, Any]:
    params = {name: value if isinstance(value, str | int) else str(value) for name, value in issue.params}
    return {"field": issue.field, "code": issue.code, "template": issue.template, "params": params}
