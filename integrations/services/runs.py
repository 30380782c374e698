"""Asking for imports, claiming them for one worker, ending them. At most one runs for each connection."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from integrations.choices import UNDER_WAY, ConnectionKind, EventState, RunKind, RunState, Trigger
from integrations.connectors.errors import ConnectorError
from integrations.models import Checkpoint, Connection, InboundEvent, SyncRun, Upload
from integrations.selectors.references import count_unresolved
from integrations.services.rhythms import due_streams, has_troubled_stream, note_read, resource_rhythms, soonest
from integrations.services.schedule import ask_soon, look_at, reschedule, take_up_at
from integrations.services.uploads import receive_inbox
from kpis.services.streams import record_stream
from tenants.context import current_company
from tenants.locks import hold
from tenants.outbox.services import emit

SYNC_REQUESTED = "sync.requested"
SYNC_FINISHED = "sync.finished"
LEASE = timedelta(seconds=90)
MAX_ATTEMPTS = 4
# A source that failed is asked again sooner than its interval, less and less soon.
FIRST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True)
class Outcome:
    """What a run that came to its end brought: the resources that are complete now, and what was seen.

    `is_partial`: some streams failed; theirs are not among the resources.
    """

    resources: frozenset[str]
    report: dict[str, Any]
    is_partial: bool = False


@transaction.atomic
def request_run(
    *,
    connection: Connection,
    upload: Upload | None = None,
    kind: str = RunKind.SYNC,
    streams: Sequence[str] = (),
    trigger: str,
    actor: Any,
    now: datetime,
) -> SyncRun:
    """Queue an import: of what was received, or (without upload) of what the source is asked for, of these streams
    (empty: of all).

    What waits already is not queued twice; it takes these streams along.
    """
    Connection.objects.select_for_update().get(pk=connection.pk)
    waiting = SyncRun.objects.filter(connection=connection, upload=upload, kind=kind, state=RunState.QUEUED).first()
    if waiting is not None and _takes_along(waiting, streams):
        return waiting
    run = SyncRun.objects.create(
        connection=connection,
        upload=upload,
        kind=kind,
        streams=list(streams),
        trigger=trigger,
        actor=actor,
        requested_at=now,
    )
    announce(run)
    return run


@transaction.atomic
def sync_now(*, connection: Connection, actor: Any, now: datetime) -> SyncRun:
    """Ask the source; of a file connection, import what lies in the folder, else the last delivery again.

    Raises ConnectorError when there is nothing to read.
    """
    if connection.kind != ConnectionKind.FILE:
        _stand_up(connection)
        return request_run(connection=connection, trigger=Trigger.MANUAL, actor=actor, now=now)
    upload = receive_inbox(connection=connection, trigger=Trigger.MANUAL, only_new=False, actor=actor, now=now)
    upload = upload or Upload.objects.filter(connection=connection).order_by("-id").first()
    if upload is None:
        raise ConnectorError("config", "nothing_to_read")
    return request_run(connection=connection, upload=upload, trigger=Trigger.MANUAL, actor=actor, now=now)


@transaction.atomic
def look_into(*, connection: Connection, now: datetime) -> SyncRun | None:
    """The scheduled look: ask the source, or import what is new in the folder; and say when to look again."""
    queued = SyncRun.objects.filter(connection=connection, state=RunState.QUEUED, kind=RunKind.SYNC)
    postponed = queued.filter(not_before__lte=now).first()
    if postponed is not None:
        SyncRun.objects.filter(pk=postponed.pk).update(not_before=None)
        announce(postponed)
        reschedule(connection=connection, now=now)
        return postponed
    streams = due_streams(connection=connection, now=now) if connection.kind != ConnectionKind.FILE else []
    if connection.is_paused or soonest(connection=connection) is None or connection.stopped_by or streams is None:
        reschedule(connection=connection, now=now)
        return None
    Connection.objects.filter(pk=connection.pk).update(last_run_at=now)
    connection.last_run_at = now
    reschedule(connection=connection, now=now)
    if connection.kind != ConnectionKind.FILE:
        return request_run(connection=connection, streams=streams, trigger=Trigger.SCHEDULE, actor=None, now=now)
    try:
        upload = receive_inbox(connection=connection, trigger=Trigger.SCHEDULE, only_new=True, actor=None, now=now)
    except ConnectorError as error:
        return _record_refusal(connection, error, now)
    if upload is None:
        return None
    return request_run(connection=connection, upload=upload, trigger=Trigger.SCHEDULE, actor=None, now=now)


def announce(run: SyncRun) -> None:
    """Ask a worker to take the run on."""
    emit(topic=SYNC_REQUESTED, company_id=current_company().id, object_id=run.pk)


@contextmanager
def claimed_run(*, run_id: int, owner: str, now: datetime) -> Iterator[SyncRun | None]:
    """A run as one worker's own for the block; None when there is nothing to do for it now.

    A run whose worker was lost is taken over at once, one whose worker went silent after LEASE; it is given up after
    MAX_ATTEMPTS. A queued run waits while another one of its connection is under way; the end of that one announces
    it.
    """
    with hold(f"sync:{current_company().pk}:{run_id}") as is_mine:
        yield _claim(run_id, owner, now, is_mine=is_mine)


def _claim(run_id: int, owner: str, now: datetime, *, is_mine: bool) -> SyncRun | None:
    run = SyncRun.objects.get(pk=run_id)
    silent = Q(state=RunState.RUNNING, lease_until__lt=now)
    if is_mine:
        silent |= Q(state=RunState.RUNNING, pk=run_id)
    _give_up_poison(run.connection_id, silent, now)
    may_begin = Q(not_before=None) | Q(not_before__lte=now)
    free = Q(state=RunState.QUEUED) & may_begin | silent
    try:
        with transaction.atomic():
            taken = SyncRun.objects.filter(free, pk=run_id).update(
                state=RunState.RUNNING,
                lease_owner=owner,
                lease_until=now + LEASE,
                attempts=F("attempts") + 1,
            )
    except IntegrityError:
        return None
    if not taken:
        return None
    SyncRun.objects.filter(pk=run_id, started_at=None).update(started_at=now)
    return SyncRun.objects.select_related("connection", "upload", "actor").get(pk=run_id)


def release_run(*, run: SyncRun, now: datetime) -> None:
    """Give the run back unfinished, to be taken on where it stands."""
    SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(lease_until=now - LEASE, attempts=0)
    announce(run)


@transaction.atomic
def postpone_run(*, run: SyncRun, code: str, params: dict[str, Any], seconds: float, now: datetime) -> None:
    """Put a run off because its source asks for patience; it goes on where it stands, and says until when it waits."""
    until = now + timedelta(seconds=seconds)
    put_off = SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        state=RunState.QUEUED, not_before=until, attempts=0, problem_code=code, problem_params=params
    )
    if put_off and run.kind == RunKind.SYNC:
        look_at(connection=run.connection, at=until)
    elif put_off:
        take_up_at(run=run, at=until)


@transaction.atomic
def cancel_run(*, run: SyncRun, now: datetime) -> bool:
    """Stop a run that waits or is under way; what it has stored stays. False when it had ended already."""
    stopped = SyncRun.objects.filter(pk=run.pk, state__in=UNDER_WAY).update(
        state=RunState.CANCELLED, finished_at=now, problem_code="cancelled"
    )
    if stopped:
        _after(run, now)
    return bool(stopped)


@transaction.atomic
def fail_run(*, run: SyncRun, code: str, params: dict[str, Any], now: datetime, stops: bool = False) -> None:
    """End a run with the reason a person needs.

    With `stops` a source is not asked again on schedule until a person has acted; else it is asked again soon.
    """
    ended = SyncRun.objects.filter(pk=run.pk, state__in=UNDER_WAY).update(
        state=RunState.FAILED, finished_at=now, problem_code=code, problem_params=params
    )
    if ended and run.kind != RunKind.SYNC:
        # The schedule of imports is not concerned; they find out for themselves how the source is.
        _after(run, now)
    elif ended:
        connection = Connection.objects.select_for_update().get(pk=run.connection_id)
        connection.last_run_at, connection.failure_count = now, connection.failure_count + 1
        if connection.kind != ConnectionKind.FILE:
            connection.stopped_by = code if stops else ""
        if connection.stopped_by:
            connection.stopped_at = connection.stopped_at or now
        connection.save(update_fields=["last_run_at", "failure_count", "stopped_by", "stopped_at"])
        note_read(run=run, at=None)
        _try_again(connection, now)
        ask_soon(connection=connection, now=now)
        _after(run, now)


@transaction.atomic
def finish_run(*, run: SyncRun, outcome: Outcome, now: datetime) -> None:
    """End a run that came to its end: partly where rows or streams were left, and note how fresh each resource is."""
    run.refresh_from_db()
    if run.state != RunState.RUNNING:
        return
    run.state = RunState.PARTLY if run.rejected_count or outcome.is_partial else RunState.SUCCEEDED
    run.finished_at = now
    run.progress_total = run.progress_done = max(run.progress_total, run.progress_done)
    run.report = outcome.report
    run.unresolved_count = count_unresolved(source=run.connection.source, resources=outcome.resources)
    run.cursor_after = dict(Checkpoint.objects.filter(connection=run.connection).values_list("stream", "cursor"))
    run.problem_code, run.problem_params = "", {}
    run.save()
    if run.kind == RunKind.SYNC:
        _note_success(run, outcome, now)
    _after(run, now)


def _note_success(run: SyncRun, outcome: Outcome, now: datetime) -> None:
    """The source has been asked: say how fresh what it gives is now."""
    connection = run.connection
    note_read(run=run, at=now)
    # A stream that was not asked for this time may still be in trouble from the time before.
    is_troubled = outcome.is_partial or (bool(run.streams) and has_troubled_stream(connection=connection))
    succeeded = {} if is_troubled else {"last_success_at": now, "failure_count": 0}
    Connection.objects.filter(pk=connection.pk).update(last_run_at=now, stopped_by="", stopped_at=None, **succeeded)
    rhythms = resource_rhythms(connection=connection)
    for resource in sorted(outcome.resources):
        every = rhythms.get(resource, connection.every)
        record_stream(source=connection.source, fact=resource, last_success_at=now, expected_every=every)
    connection.refresh_from_db()
    if connection.kind != ConnectionKind.FILE:
        reschedule(connection=connection, now=now)
    if InboundEvent.objects.filter(connection=connection, state=EventState.WAITING).exists():
        # What could not be fetched while the source was away.
        request_run(connection=connection, kind=RunKind.EVENTS, trigger=Trigger.WEBHOOK, actor=None, now=now)


def _takes_along(waiting: SyncRun, streams: Sequence[str]) -> bool:
    """Let a run that waits read these streams too; False where it has begun meanwhile."""
    both = sorted({*waiting.streams, *streams}) if waiting.streams and streams else []
    taken = SyncRun.objects.filter(pk=waiting.pk, state=RunState.QUEUED).update(streams=both)
    waiting.streams = both
    return bool(taken)


def _stand_up(connection: Connection) -> None:
    """A person has acted: ask the source on schedule again."""
    Connection.objects.filter(pk=connection.pk).update(stopped_by="")


def _try_again(connection: Connection, now: datetime) -> None:
    """Ask a source that failed again sooner than its interval says, a little by chance: not all at once."""
    every = soonest(connection=connection)
    if connection.kind == ConnectionKind.FILE or every is None or connection.is_paused:
        return
    if connection.stopped_by:
        reschedule(connection=connection, now=now)
        return
    pause = FIRST_RETRY * 2 ** min(connection.failure_count - 1, 10) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
    look_at(connection=connection, at=now + min(pause, every))


def _record_refusal(connection: Connection, error: ConnectorError, now: datetime) -> SyncRun:
    """A failed run for files that could not even be received; said once, not at every look."""
    params = dict(error.params)
    last = SyncRun.objects.filter(connection=connection).order_by("-id").first()
    if last is not None and (last.problem_code, last.problem_params) == (error.code, params):
        return last
    run = SyncRun.objects.create(connection=connection, trigger=Trigger.SCHEDULE, requested_at=now)
    fail_run(run=run, code=error.code, params=params, now=now)
    return run


def _after(run: SyncRun, now: datetime) -> None:
    """Tell who wants to know, and let the next one waiting for the connection begin."""
    emit(topic=SYNC_FINISHED, company_id=current_company().id, object_id=run.pk)
    may_begin = Q(not_before=None) | Q(not_before__lte=now)
    queued = SyncRun.objects.filter(may_begin, connection_id=run.connection_id, state=RunState.QUEUED)
    following = queued.order_by("id").first()
    if following is not None:
        announce(following)


def _give_up_poison(connection_id: int, silent: Q, now: datetime) -> None:
    """Fail runs whose workers died again and again, so that they do not block the connection."""
    for run in SyncRun.objects.filter(silent, connection_id=connection_id, attempts__gte=MAX_ATTEMPTS):
        fail_run(run=run, code="interrupted", params={"row": run.progress_done, "stream": run.connection.name}, now=now)
