"""What the console's summary says of a company's data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from integrations.choices import Health
from integrations.models import Connection
from integrations.selectors.connections import health_of, worst_health
from tenants.console.models import SyncState

STATES = {
    Health.FAILING: SyncState.FAILING,
    Health.LATE: SyncState.LATE,
    Health.EMPTY: SyncState.LATE,
    Health.HEALTHY: SyncState.HEALTHY,
}


def read_sync_state(now: datetime) -> dict[str, Any]:
    """The worst state among the connections and the latest success. One query."""
    connections = list(Connection.objects.filter(is_paused=False))
    worst = worst_health([health_of(connection=each, now=now) for each in connections])
    successes = [each.last_success_at for each in connections if each.last_success_at is not None]
    return {
        "sync_state": SyncState.NONE if worst is None else STATES[worst],
        "last_synced_at": max(successes, default=None),
    }
