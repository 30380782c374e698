"""When a connection is looked at next: the dispatcher of due work reads only this."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.choices import ConnectionKind
from integrations.models import Connection, FieldMapping, SyncRun
from tenants.context import current_company
from tenants.services.due import cancel_due, schedule_due

DUE_CONNECTION = "integrations.connection"
# A run beside the imports that was put off.
DUE_RUN = "integrations.run"
# A folder is looked at more often than data is due, so that a file that comes late does not wait a whole interval.
LOOK_AT_LEAST_EVERY = timedelta(minutes=5)


def reschedule(*, connection: Connection, now: datetime) -> None:
    """Make the schedule follow the connection: none while it is paused, stopped, not mapped or read only by hand."""
    is_mapped = FieldMapping.objects.filter(connection=connection, is_current=True).exists()
    if connection.is_paused or connection.every is None or connection.stopped_by or not is_mapped:
        cancel_due(company_id=current_company().id, kind=DUE_CONNECTION, object_id=connection.public_id)
        return
    look_at(connection=connection, at=next_look(connection, now))


def look_at(*, connection: Connection, at: datetime) -> None:
    """Look at the connection at this moment, instead of whenever it was due before."""
    company_id = current_company().id
    schedule_due(company_id=company_id, kind=DUE_CONNECTION, object_id=connection.public_id, next_run_at=at)


def take_up_at(*, run: SyncRun, at: datetime) -> None:
    """Take a run up that was put off; the connection's own rhythm stays as it is."""
    schedule_due(company_id=current_company().id, kind=DUE_RUN, object_id=run.pk, next_run_at=at)


def next_look(connection: Connection, now: datetime) -> datetime:
    """At once when it was never read, else after its interval; a folder at the latest after five minutes."""
    if connection.every is None or connection.last_run_at is None:
        return now
    if connection.kind != ConnectionKind.FILE:
        return now + connection.every
    return now + min(connection.every, LOOK_AT_LEAST_EVERY)
