"""When a connection is looked at next: the dispatcher of due work reads only this."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.models import Connection
from tenants.context import current_company
from tenants.services.due import cancel_due, schedule_due

DUE_CONNECTION = "integrations.connection"
# A folder is looked at more often than data is due, so that a file that comes late does not wait a whole interval.
LOOK_AT_LEAST_EVERY = timedelta(minutes=5)


def reschedule(*, connection: Connection, now: datetime) -> None:
    """Make the schedule follow the connection: none while it is paused or read only by hand."""
    company = current_company()
    if connection.is_paused or connection.every is None:
        cancel_due(company_id=company.id, kind=DUE_CONNECTION, object_id=connection.public_id)
        return
    schedule_due(
        company_id=company.id,
        kind=DUE_CONNECTION,
        object_id=connection.public_id,
        next_run_at=next_look(connection, now),
    )


def next_look(connection: Connection, now: datetime) -> datetime:
    """At once when it was never read, else after its interval, at the latest after five minutes."""
    if connection.every is None or connection.last_run_at is None:
        return now
    return now + min(connection.every, LOOK_AT_LEAST_EVERY)
