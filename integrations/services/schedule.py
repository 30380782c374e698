"""When a connection is looked at next: the dispatcher of due work reads only this."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from integrations.choices import DUE_CONNECTION, ConnectionKind
from integrations.models import Connection, SyncRun
from integrations.selectors.plans import company_zone
from integrations.services.rhythms import next_due, soonest
from tenants.context import current_company
from tenants.services.due import cancel_due, schedule_due

# A run beside the imports that was put off.
DUE_RUN = "integrations.run"
DUE_COMPARISON = "integrations.comparison"
DUE_MENDING = "integrations.mending"
NIGHT_BEGINS, NIGHT_HOURS = 1, 4
# A folder is looked at more often than data is due, so that a file that comes late does not wait a whole interval.
LOOK_AT_LEAST_EVERY = timedelta(minutes=5)


def reschedule(*, connection: Connection, now: datetime) -> None:
    """Make the schedule follow the connection: none while it is paused, stopped, not mapped or read only by hand."""
    connection.read_every = soonest(connection=connection)
    Connection.objects.filter(pk=connection.pk).update(read_every=connection.read_every)
    if connection.is_paused or connection.read_every is None or connection.stopped_by:
        for kind in (DUE_CONNECTION, DUE_COMPARISON):
            cancel_due(company_id=current_company().id, kind=kind, object_id=connection.public_id)
        return
    look_at(connection=connection, at=next_look(connection, now))
    if connection.kind != ConnectionKind.FILE:
        schedule_comparison(connection=connection, now=now)


def look_at(*, connection: Connection, at: datetime) -> None:
    """Look at the connection at this moment, instead of whenever it was due before."""
    company_id = current_company().id
    schedule_due(company_id=company_id, kind=DUE_CONNECTION, object_id=connection.public_id, next_run_at=at)


def ask_soon(*, connection: Connection, now: datetime) -> None:
    """Have it looked at whether people have to be asked to mend the connection."""
    schedule_due(company_id=current_company().id, kind=DUE_MENDING, object_id=connection.public_id, next_run_at=now)


def take_up_at(*, run: SyncRun, at: datetime) -> None:
    """Take a run up that was put off; the connection's own rhythm stays as it is."""
    schedule_due(company_id=current_company().id, kind=DUE_RUN, object_id=run.pk, next_run_at=at)


def schedule_comparison(*, connection: Connection, now: datetime) -> None:
    """Compare the connection with its source in the coming night."""
    at = next_night(connection.public_id, now, company_zone())
    schedule_due(company_id=current_company().id, kind=DUE_COMPARISON, object_id=connection.public_id, next_run_at=at)


def next_night(public_id: UUID, now: datetime, zone: ZoneInfo) -> datetime:
    """The next moment between one and five at night, in the company's time; each connection has a minute of its own.

    >>> next_night(UUID(int=90), datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Asia/Tokyo")), ZoneInfo("Asia/Tokyo"))
    datetime.datetime(2026, 11, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo(key='Asia/Tokyo'))
    """
    minutes = int(public_id) % (NIGHT_HOURS * 60)
    at = time(NIGHT_BEGINS + minutes // 60, minutes % 60)
    today = now.astimezone(zone).date()
    tonight = datetime.combine(today, at, zone)
    return tonight if tonight > now else datetime.combine(today + timedelta(days=1), at, zone)


def next_look(connection: Connection, now: datetime) -> datetime:
    """At once when it was never read, else when a stream is due next; a folder at the latest after five minutes."""
    if connection.read_every is None or connection.last_run_at is None:
        return now
    if connection.kind != ConnectionKind.FILE:
        return next_due(connection=connection, now=now) or now
    return now + min(connection.read_every, LOOK_AT_LEAST_EVERY)
