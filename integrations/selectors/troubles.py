"""Connections that do not bring what they should, as the pages of lower floors and letters speak of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from integrations.choices import Health
from integrations.models import Connection, MendRequest
from integrations.selectors.connections import health_of, problem_of, with_problems
from kpis.engine.freshness import in_time_until
from kpis.models import CalendarDay
from tenants.capabilities import Capability, has_capability
from tenants.registry import SourceTrouble

TROUBLED = (Health.FAILING, Health.LATE, Health.EMPTY)


def read_troubles(*, user: Any, now: datetime) -> list[SourceTrouble]:
    """The connections in trouble, those that were stopped first; why and where to mend them for who may. One query."""
    may_mend = has_capability(user, Capability.MANAGE_CONNECTIONS)
    found = [
        SourceTrouble(
            source=each.source,
            name=each.name,
            stopped_at=each.stopped_at if each.stopped_by else None,
            reason=problem_of(each) if may_mend else "",
            url=reverse("connection", args=[each.public_id]) if may_mend else "",
        )
        for each in with_problems(Connection.objects.order_by("name"))
        if health_of(connection=each, now=now) in TROUBLED
    ]
    return sorted(found, key=lambda trouble: trouble.stopped_at is None)


def late_since(connection: Connection) -> datetime | None:
    """The moment from which on something is owed; None for what has no rhythm."""
    last = connection.last_success_at or connection.created_at
    return in_time_until(last, connection.promised_every)


def is_late_for_a_working_day(connection: Connection, *, now: datetime) -> bool:
    """Whether a business day has passed from its first to its last hour while something was owed."""
    since = late_since(connection)
    if since is None or since >= now:
        return False
    whole = {"day__gte": timezone.localdate(since) + timedelta(days=1), "day__lt": timezone.localdate(now)}
    return CalendarDay.objects.filter(**whole, is_business_day=True).exists()


def asked_to_mend(connection: Connection) -> list[str]:
    """The names of those who were written to about what stops a connection now."""
    if connection.stopped_at is None:
        return []
    about = {"connection": connection, "problem": connection.stopped_by, "since": connection.stopped_at}
    sent = MendRequest.objects.filter(**about).exclude(recipient=None)
    return [str(each.recipient) for each in sent.select_related("recipient").order_by("id")]
