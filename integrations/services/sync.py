"""One import from beginning to end: look at everything first, then store it chunk by chunk.

Nothing is half-imported:
- Every file is opened, decoded and checked and every row decided before the first record is stored. A file that is
  broken anywhere changes nothing.
- A chunk of records, its rejections, its counts and the checkpoint are one transaction. A worker that is lost between
  two chunks is replaced, and the run goes on behind its last checkpoint; what was stored twice changes nothing.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from integrations.choices import RunState
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import Accepted, Refused, Tally
from integrations.models import Checkpoint, RawRecord, RejectedRecord, SourceFile, SyncRun
from integrations.selectors.plans import Delivery, Plan, read_plan
from integrations.selectors.references import unresolved_references
from integrations.services.runs import LEASE, claimed_run, fail_run, finish_run, release_run
from kpis.engine.issues import Issue
from kpis.services.facts import BulkResult, upsert_facts

logger = logging.getLogger(__name__)

CHUNK_RECORDS = 2_000
LAP_SECONDS = 60


class LostRunError(Exception):
    """The run was cancelled or taken over while a chunk was being stored; the chunk is rolled back."""


def run_sync(*, run_id: int, owner: str, now: datetime, lap_seconds: float = LAP_SECONDS) -> SyncRun | None:
    """Take a queued or interrupted run on, for one lap. None when it is not to be run now.

    A lap that is over gives the run back to be continued. Raises the database's own errors when it is away, for the
    caller to try again.
    """
    with claimed_run(run_id=run_id, owner=owner, now=now) as run:
        if run is not None:
            _run(run, owner=owner, now=now, lap_seconds=lap_seconds)
        return run


def _run(run: SyncRun, *, owner: str, now: datetime, lap_seconds: float) -> None:
    clock = _Clock(now)
    try:
        plan = read_plan(upload=run.upload, connection=run.connection)
        is_done = _Storing(run, plan, clock, owner).store(until=clock.started + lap_seconds)
        if is_done:
            finish_run(run=run, resources=_resources(plan), report=_report(run, plan), now=clock.now())
        else:
            release_run(run=run, now=clock.now())
    except ConnectorError as error:
        fail_run(run=run, code=error.code, params=dict(error.params), now=clock.now())
    except LostRunError:
        logger.info("sync.lost", extra={"run": str(run.public_id)})
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("sync.failed", extra={"run": str(run.public_id)})
        _fail_where_it_stands(run, clock)
    run.refresh_from_db()


class _Clock:
    """The time of the run: the moment it was started with, plus what has passed since."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.started = time.monotonic()

    def now(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self.started)


class _Storing:
    """Stores a plan behind the checkpoints of its run."""

    def __init__(self, run: SyncRun, plan: Plan, clock: _Clock, owner: str) -> None:
        self._run = run
        self._plan = plan
        self._clock = clock
        self._owner = owner

    def store(self, *, until: float) -> bool:
        """Store chunk after chunk until everything is stored (True) or the time is over (False)."""
        self._begin()
        for delivery in self._plan.deliveries:
            done = self._done(delivery)
            decisions = islice(delivery.decisions(Tally()), done, None)
            while chunk := list(islice(decisions, CHUNK_RECORDS)):
                done += len(chunk)
                self._store_chunk(delivery, chunk, done)
                if time.monotonic() >= until and not self._is_last(delivery, done):
                    return False
        return True

    def _begin(self) -> None:
        for each in self._plan.deliveries:
            SourceFile.objects.filter(pk=each.file.pk).update(encoding=each.table.encoding)
        read = sum(each.tally.read for each in self._plan.deliveries)
        before = dict(Checkpoint.objects.filter(connection_id=self._run.connection_id).values_list("stream", "cursor"))
        started = SyncRun.objects.filter(pk=self._run.pk, progress_total=0)
        started.update(progress_total=self._plan.total, read_count=read, cursor_before=before)

    def _done(self, delivery: Delivery) -> int:
        """How many decisions of this delivery the run has stored already."""
        saved = Checkpoint.objects.filter(
            connection_id=self._run.connection_id, stream=delivery.mapping.stream, cursor__run=self._run.pk
        ).first()
        return int(saved.cursor["files"].get(delivery.file.name, 0)) if saved is not None else 0

    def _is_last(self, delivery: Delivery, done: int) -> bool:
        return delivery is self._plan.deliveries[-1] and done >= delivery.tally.accepted + delivery.tally.refused

    @transaction.atomic
    def _store_chunk(self, delivery: Delivery, chunk: list[Accepted | Refused], done: int) -> None:
        accepted = [each for each in chunk if isinstance(each, Accepted)]
        refused = [each for each in chunk if isinstance(each, Refused)]
        now = self._clock.now()
        result = upsert_facts(
            resource=delivery.mapping.resource,
            source=self._run.connection.source,
            records=[each.record for each in accepted],
            actor=self._run.actor,
            run=self._run.pk,
            now=now,
        )
        self._keep_rejected(delivery, accepted, refused, result)
        self._keep_raw(delivery, accepted, now)
        self._save_checkpoint(delivery, done, now)
        self._count(len(chunk), len(refused), result, now)

    def _keep_rejected(
        self, delivery: Delivery, accepted: list[Accepted], refused: list[Refused], result: BulkResult
    ) -> None:
        rows = [
            RejectedRecord(
                run=self._run,
                stream=delivery.mapping.stream,
                file_name=delivery.file.name,
                row=each.row.number,
                external_id=each.external_id[:200],
                problems=[asdict(problem) for problem in each.problems],
                raw=each.row.as_text,
            )
            for each in refused
        ]
        for rejection in result.rejected:
            source = accepted[rejection.index]
            rows.append(
                RejectedRecord(
                    run=self._run,
                    stream=delivery.mapping.stream,
                    file_name=delivery.file.name,
                    row=source.row.number,
                    external_id=str(source.record.get("external_id") or "")[:200],
                    problems=[
                        {"field": issue.field, "code": issue.code, "template": issue.template, "params": _plain(issue)}
                        for issue in rejection.issues
                    ],
                    raw=source.row.as_text,
                )
            )
        RejectedRecord.objects.bulk_create(rows)

    def _keep_raw(self, delivery: Delivery, accepted: list[Accepted], now: datetime) -> None:
        """Remember each record as the source wrote it, where that differs from the last time."""
        latest = {str(each.record["external_id"]): each.row.as_text for each in accepted}
        same = RawRecord.objects.filter(
            connection_id=self._run.connection_id, stream=delivery.mapping.stream, external_id__in=latest
        )
        known = dict(same.values_list("external_id", "payload"))
        RawRecord.objects.bulk_create(
            [
                RawRecord(
                    connection_id=self._run.connection_id,
                    stream=delivery.mapping.stream,
                    external_id=external_id,
                    payload=payload,
                    received_at=now,
                )
                for external_id, payload in latest.items()
                if known.get(external_id) != payload
            ],
            update_conflicts=True,
            unique_fields=["connection", "stream", "external_id"],
            update_fields=["payload", "received_at"],
        )

    def _save_checkpoint(self, delivery: Delivery, done: int, now: datetime) -> None:
        where: dict[str, Any] = {"connection_id": self._run.connection_id, "stream": delivery.mapping.stream}
        saved = Checkpoint.objects.filter(**where, cursor__run=self._run.pk).first()
        files = dict(saved.cursor["files"]) if saved is not None else {}
        cursor = {"run": self._run.pk, "files": {**files, delivery.file.name: done}, "sha256": delivery.file.sha256}
        Checkpoint.objects.update_or_create(**where, defaults={"cursor": cursor, "saved_at": now})

    def _count(self, decisions: int, refused: int, result: BulkResult, now: datetime) -> None:
        held = SyncRun.objects.filter(pk=self._run.pk, state=RunState.RUNNING, lease_owner=self._owner)
        counted = held.update(
            progress_done=F("progress_done") + decisions,
            inserted_count=F("inserted_count") + result.inserted,
            updated_count=F("updated_count") + result.updated,
            unchanged_count=F("unchanged_count") + result.unchanged,
            deleted_count=F("deleted_count") + result.deleted,
            rejected_count=F("rejected_count") + refused + len(result.rejected),
            lease_until=now + LEASE,
        )
        if not counted:
            raise LostRunError


def _plain(issue: Issue) -> dict[str, Any]:
    """An issue's parameters as JSON keeps them."""
    return {name: value if isinstance(value, str | int) else str(value) for name, value in issue.params}


def _resources(plan: Plan) -> set[str]:
    return {each.mapping.resource for each in plan.deliveries}


def _report(run: SyncRun, plan: Plan) -> dict[str, Any]:
    """What was seen, for people: blanks, words translated or unknown, references that dangle, files left aside."""
    streams = [
        {
            "stream": each.mapping.stream,
            "resource": each.mapping.resource,
            "file": each.file.name,
            "encoding": each.table.encoding,
            **each.tally.as_report(),
        }
        for each in plan.deliveries
    ]
    unresolved = unresolved_references(source=run.connection.source, resources=_resources(plan))
    return {"streams": streams, "unresolved": unresolved, "ignored": list(plan.ignored)}


def _fail_where_it_stands(run: SyncRun, clock: _Clock) -> None:
    """End a run that an error of ours stopped, saying how far it came."""
    run.refresh_from_db()
    fail_run(
        run=run,
        code="interrupted",
        params={"row": run.progress_done, "stream": run.connection.name},
        now=clock.now(),
    )
