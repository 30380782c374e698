"""The inbox of notifications: each record that a source called us about is read from the source and stored.

Notifications may come twice, late, or in any order: what is stored is what the source says when it is asked, and of
many notifications of one record it is asked once. Whatever cannot be fetched stays for the next import.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from integrations.choices import EventState, RunKind, Trigger
from integrations.connectors.base import Record
from integrations.connectors.errors import ConnectorError
from integrations.models import Connection, InboundEvent, SyncRun
from integrations.services.refetching import AT_ONCE, Refetching
from integrations.services.runs import Outcome, request_run
from integrations.services.sources import opened_source
from integrations.services.storing import Clock, Storing

# A source that does not answer is asked again after a while, longer each time; after the last attempt the next import
# brings the record.
FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
MAX_ATTEMPTS = 8
KEEP_EVENTS = timedelta(days=14)


def request_fetch(*, connection: Connection, now: datetime) -> SyncRun | None:
    """Have the waiting records fetched; None while the connection is paused or stopped: its next import does it."""
    if connection.is_paused or connection.stopped_by or not _waiting(connection).exists():
        return None
    return request_run(connection=connection, kind=RunKind.EVENTS, trigger=Trigger.WEBHOOK, actor=None, now=now)


def fetch_notified(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Fetch what waits, the oldest first; None when the time was over before the end.

    Raises ConnectorError (with `wait` where trying again can help) and LostRunError; what is left stays waiting.
    """
    waiting = _waiting(run.connection)
    _leave_hopeless(waiting, clock.now())
    with opened_source(run.connection) as connector:
        offered = {each.name for each in connector.streams() if each.reads_by_id}
        fetching = Refetching(run, connector, Storing(run, clock, owner))
        waiting.exclude(stream__in=offered & set(fetching.mappings)).update(state=EventState.ASIDE, done_at=clock.now())
        while events := list(waiting.order_by("id")[:AT_ONCE]):
            _fetch(fetching, events, clock)
            if time.monotonic() >= until and waiting.exists():
                return None
    return Outcome(frozenset(), {})


def forget_old_events(*, connection: Connection, now: datetime) -> None:
    """Drop notifications and the runs that fetched them when nobody will look at them any more."""
    before = now - KEEP_EVENTS
    InboundEvent.objects.filter(connection=connection, received_at__lt=before).exclude(
        state=EventState.WAITING
    ).delete()
    SyncRun.objects.filter(connection=connection, kind=RunKind.EVENTS, finished_at__lt=before).delete()


def _fetch(fetching: Refetching, events: Sequence[InboundEvent], clock: Clock) -> None:
    by_stream: dict[str, list[InboundEvent]] = {}
    for event in events:
        by_stream.setdefault(event.stream, []).append(event)
    for stream, some in by_stream.items():
        InboundEvent.objects.filter(pk__in=[each.pk for each in some]).update(attempts=F("attempts") + 1)
        ids = list(dict.fromkeys(event.external_id for event in some))
        try:
            records = fetching.read(stream, ids)
        except ConnectorError as error:
            raise _patient(error, max(event.attempts for event in some)) from error
        with transaction.atomic():
            fetching.store(stream, records, now=clock.now())
            _note_done(some, records, clock.now())


def _note_done(events: Sequence[InboundEvent], records: Sequence[Record], now: datetime) -> None:
    stamps = {record.external_id: record.updated_at for record in records}
    for event in events:
        event.state, event.done_at = EventState.DONE, now
        event.source_updated_at = stamps.get(event.external_id)
    InboundEvent.objects.bulk_update(events, ["state", "done_at", "source_updated_at"])


def _patient(error: ConnectorError, attempts: int) -> ConnectorError:
    """The error with a time to wait, where waiting can help."""
    if error.permanent or error.wait is not None:
        return error
    pause = min(FIRST_RETRY_SECONDS * 2**attempts, LONGEST_RETRY_SECONDS)
    return ConnectorError(error.kind, error.code, permanent=False, wait=pause, **error.params)


def _leave_hopeless(waiting: QuerySet[InboundEvent], now: datetime) -> None:
    waiting.filter(attempts__gte=MAX_ATTEMPTS).update(state=EventState.LEFT, done_at=now)


def _waiting(connection: Connection) -> QuerySet[InboundEvent]:
    return InboundEvent.objects.filter(connection=connection, state=EventState.WAITING)
