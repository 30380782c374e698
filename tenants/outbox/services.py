"""Recording events in the caller's transaction and working through them at least once.

An event is one row per handler: waiting → sent → running → done. Every open row carries `due_at`, the moment at which
it is looked at again, so a message that got lost only costs time. Whoever runs an event holds a lock that ends with
its process: an event that runs without the lock has lost its worker and is due at once. Handlers are idempotent.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from celery import current_app
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from tenants.choices import CompanyStatus
from tenants.context import public_context
from tenants.locks import HELD_KEYS, hold
from tenants.models import DeadLetter
from tenants.outbox.models import OPEN_STATES, Event, EventState
from tenants.outbox.registry import find_handler, handler_names

logger = logging.getLogger(__name__)

DISPATCH_TASK: Final = "tenants.outbox.tasks.dispatch"
DELIVER_TASK: Final = "tenants.outbox.tasks.deliver"
MAX_ATTEMPTS: Final = 5
RUN_LEASE: Final = timedelta(seconds=330)  # longer than the hard time limit of a task
SEND_LEASE: Final = timedelta(seconds=30)
LONGEST_SEND_LEASE: Final = timedelta(hours=1)
KEEP_DONE: Final = timedelta(days=7)

_FAIR_ORDER: Final = """
    SELECT id FROM (
        SELECT event.id, row_number() OVER (PARTITION BY event.company_id ORDER BY event.due_at, event.id) AS turn
        FROM outbox_event AS event JOIN tenants_company AS company ON company.id = event.company_id
        WHERE event.state = ANY(%s) AND event.due_at <= %s AND company.status = ANY(%s)
    ) AS due ORDER BY turn, id LIMIT %s
"""
_WORKING: Final = (CompanyStatus.PROVISIONING, CompanyStatus.READY)  # events of a suspended company wait for it

_TAKE_BACK_LOST: Final = f"""
    UPDATE outbox_event SET due_at = %s
    WHERE state = 'running' AND due_at > %s AND hashtextextended('outbox:' || id, 0) NOT IN ({HELD_KEYS})
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True)
class DrainResult:
    """What draining did: events finished, events whose handler failed, events still open."""

    done_count: int
    failed_count: int
    open_count: int


def emit(*, topic: str, company_id: uuid.UUID | str, object_id: object = "") -> None:
    """Record that something happened, for every handler of `topic`; it counts when the caller's transaction does."""
    now = timezone.now()
    rows = [
        Event(topic=topic, handler=name, company_id=company_id, object_id=str(object_id), due_at=now, created_at=now)
        for name in handler_names(topic)
    ]
    if rows:
        Event.objects.bulk_create(rows)
        transaction.on_commit(nudge, robust=True)


def nudge() -> None:
    """Ask a worker to look at once. Where Redis is away nothing is lost: beat sweeps every second."""
    current_app.send_task(DISPATCH_TASK, retry=False, expires=10)


def dispatch_events(*, now: datetime, limit: int = 500) -> int:
    """Send what is due to the workers, companies taking turns; returns how many were sent.

    Equal events that wait together are sent once: the last one stands for all.
    """
    with public_context(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_BACK_LOST, [now, now])
            cursor.execute(_FAIR_ORDER, [list(OPEN_STATES), now, list(_WORKING), limit])
            ids = [row[0] for row in cursor.fetchall()]
        due = Event.objects.filter(id__in=ids, state__in=OPEN_STATES, due_at__lte=now).order_by("id")
        sent = []
        for event in _merge(due.select_for_update(skip_locked=True), now):
            if event.attempt_count >= MAX_ATTEMPTS:
                _give_up(event, f"Its worker was lost {event.attempt_count} times.", now)
                continue
            lease = min(SEND_LEASE * 2 ** min(event.sent_count, 10), LONGEST_SEND_LEASE)
            Event.objects.filter(id=event.id).update(
                state=EventState.SENT, sent_count=F("sent_count") + 1, due_at=now + lease
            )
            sent.append(event.id)
    for event_id in sent:
        current_app.send_task(DELIVER_TASK, kwargs={"event_id": event_id}, retry=False)
    return len(sent)


def run_event(*, event_id: int, now: datetime) -> bool:
    """Claim one event and run its handler; False when another worker has it or has finished it.

    A handler that fails is tried again later, MAX_ATTEMPTS times in all, then it ends as a dead letter.
    """
    with _claimed(event_id, now) as event:
        if event is None:
            return False
        try:
            _call_handler(event)
        except Exception as error:
            logger.exception("outbox.handler_failed", extra={"topic": event.topic, "handler": event.handler})
            _retry_later(event, error)
        else:
            _finish(event)
        return True


def drain(
    *, company_id: uuid.UUID | str | None = None, wait: timedelta = timedelta(), reraise: bool = False
) -> DrainResult:
    """Work through the open events (of one company) here and now, also those they cause.

    Waits up to `wait` for events that a worker is running. With `reraise` the first failure is raised as it is.
    """
    until = time.monotonic() + wait.total_seconds()
    done_count = 0
    failed: set[int] = set()
    with public_context():
        mine = Event.objects.filter(company__status__in=_WORKING)
        if company_id is not None:
            mine = mine.filter(company_id=company_id)
        while True:
            now = timezone.now()
            untried = Q(state=EventState.SENT) | Q(state=EventState.WAITING, attempt_count=0)
            ready = mine.filter(untried | Q(state=EventState.WAITING, due_at__lte=now)).exclude(id__in=failed)
            events = _merge(ready.order_by("id"), now)
            for event in events:
                with _claimed(event.id, now) as claimed:
                    if claimed is None:
                        continue
                    try:
                        _call_handler(claimed)
                    except Exception as error:
                        if reraise:
                            raise
                        failed.add(claimed.id)
                        _retry_later(claimed, error)
                    else:
                        done_count += 1
                        _finish(claimed)
            running = mine.filter(state=EventState.RUNNING).exists()
            if not events and (not running or time.monotonic() >= until):
                break
            if not events:
                time.sleep(0.05)
        return DrainResult(done_count, len(failed), mine.filter(state__in=OPEN_STATES).count())


def purge_events(*, now: datetime) -> int:
    """Delete what was done a week ago; returns how many rows."""
    with public_context():
        count, _models = Event.objects.filter(state=EventState.DONE, finished_at__lt=now - KEEP_DONE).delete()
    return count


def _merge(events: Iterable[Event], now: datetime) -> list[Event]:
    """The last of each group of equal events, the others marked as done with it."""
    last: dict[tuple[object, ...], Event] = {}
    merged = []
    for event in events:
        identity = (event.topic, event.handler, event.company_id, event.object_id)
        if identity in last:
            merged.append(last[identity].id)
        last[identity] = event
    if merged:
        Event.objects.filter(id__in=merged).update(state=EventState.DONE, finished_at=now)
    return list(last.values())


@contextmanager
def _claimed(event_id: int, now: datetime) -> Iterator[Event | None]:
    """The event as this process' own for the block, None where another one is at it or it is done."""
    with hold(f"outbox:{event_id}") as is_mine:
        claimable = Q(state=EventState.RUNNING, due_at__lte=now)
        if is_mine:
            claimable |= Q(state__in=OPEN_STATES)
        with public_context():
            claimed = Event.objects.filter(claimable, id=event_id).update(
                state=EventState.RUNNING, attempt_count=F("attempt_count") + 1, due_at=now + RUN_LEASE
            )
            event = Event.objects.get(id=event_id) if claimed else None
        yield event


def _call_handler(event: Event) -> None:
    handler = find_handler(event.topic, event.handler)
    if handler is None:
        raise LookupError(f"Nobody handles {event.topic} as {event.handler}.")
    handler(company_id=str(event.company_id), object_id=event.object_id)


def _finish(event: Event) -> None:
    with public_context():
        Event.objects.filter(id=event.id).update(state=EventState.DONE, finished_at=timezone.now(), error="")


def _retry_later(event: Event, error: Exception) -> None:
    now = timezone.now()
    reason = f"{type(error).__name__}: {error}"[:2000]
    with public_context():
        if event.attempt_count >= MAX_ATTEMPTS:
            _give_up(event, reason, now)
        else:
            Event.objects.filter(id=event.id).update(
                state=EventState.WAITING, error=reason, due_at=now + timedelta(seconds=2**event.attempt_count)
            )


def _give_up(event: Event, reason: str, now: datetime) -> None:
    Event.objects.filter(id=event.id).update(state=EventState.DEAD, error=reason, finished_at=now)
    DeadLetter.objects.create(
        company_id=event.company_id,
        task=event.handler,
        arguments={"topic": event.topic, "object_id": event.object_id, "event": event.id},
        reason=reason,
    )
