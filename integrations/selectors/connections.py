"""Connections with their health, for pages, API, checklist and console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from integrations.choices import ENDED, UNDER_WAY, Health
from integrations.models import Connection, SyncRun

# A delivery that is due is looked for within minutes; only what exceeds this is late.
GRACE = timedelta(minutes=15)


@dataclass(frozen=True)
class ConnectionState:
    """One connection as it stands: its health, what is under way, and the last run that ended."""

    connection: Connection
    health: Health
    under_way: SyncRun | None
    last_ended: SyncRun | None

    @property
    def tone(self) -> str:
        """The colour of the health, as the status components know it."""
        tones = {Health.HEALTHY: "good", Health.LATE: "warn", Health.FAILING: "bad"}
        return tones.get(self.health, "none")


def connection_states(*, now: datetime) -> list[ConnectionState]:
    """Every connection by name. Three queries."""
    connections = list(Connection.objects.order_by("name"))
    running = _latest(SyncRun.objects.filter(state__in=UNDER_WAY))
    ended = _latest(SyncRun.objects.filter(state__in=ENDED))
    return [
        ConnectionState(each, health_of(connection=each, now=now), running.get(each.pk), ended.get(each.pk))
        for each in connections
    ]


def connection_state(*, connection: Connection, now: datetime) -> ConnectionState:
    """As `connection_states`, for one."""
    runs = SyncRun.objects.filter(connection=connection)
    running = _latest(runs.filter(state__in=UNDER_WAY)).get(connection.pk)
    ended = _latest(runs.filter(state__in=ENDED)).get(connection.pk)
    return ConnectionState(connection, health_of(connection=connection, now=now), running, ended)


def health_of(*, connection: Connection, now: datetime) -> Health:
    """Whether what was promised arrives: paused, failing, nothing yet, late, or up to date."""
    if connection.is_paused:
        return Health.PAUSED
    if connection.failure_count:
        return Health.FAILING
    if connection.last_success_at is None:
        return Health.EMPTY
    if connection.every is not None and now - connection.last_success_at > connection.every + GRACE:
        return Health.LATE
    return Health.HEALTHY


def worst_health(healths: Sequence[Health]) -> Health | None:
    """What one word says of all connections that are not paused; None where there is none."""
    order = (Health.FAILING, Health.LATE, Health.EMPTY, Health.HEALTHY)
    return next((each for each in order if each in healths), None)


def _latest(runs: QuerySet[SyncRun]) -> dict[int, SyncRun]:
    newest = runs.order_by("connection_id", "-id").distinct("connection_id")
    return {run.connection_id: run for run in newest}
