"""What a consultant writes about a source that is called, what is true there, and reading it once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from integrations.connectors.mapping import StreamMapping
from integrations.models import Connection, SyncRun
from integrations.services.connections import create_source, save_mapping
from integrations.services.runs import sync_now
from integrations.services.sync import run_sync
from tests.fakes.rest import RestFake

RULES: list[dict[str, Any]] = [
    {"field": "external_id", "column": "uid"},
    {"field": "name", "column": "name"},
    {"field": "created_on", "column": "created"},
    {"field": "closed_on", "column": "closed"},
    {"field": "amount", "column": "amount"},
    {"field": "outcome", "column": "stage", "values": {"受注": "won", "失注": "lost"}},
]
DEALS: dict[str, Any] = {"stream": "deals", "resource": "deals", "reads": "deals", "rules": RULES}


def fill(fake: RestFake, count: int, **values: Any) -> None:
    """Deals D001, D002, … won on 2026-10-20 for 1,000, 2,000, …"""
    for number in range(1, count + 1):
        fake.world.tick(minutes=1)
        deal = {"name": f"案件{number}", "created": "2026-10-05", "closed": "2026-10-20", "stage": "受注"}
        fake.world.put(f"D{number:03}", **{**deal, "amount": number * 1000, **values})


def connect(fake: Any, *mappings: StreamMapping, **changes: Any) -> Connection:
    """A connection to a fake source that is read every hour, with these mappings."""
    now = timezone.now()
    asked = {"name": "社内CRM", "kind": "rest", "source": "crm", "carries": "sfa", **changes}
    description = asked.pop("description") if "description" in asked else fake.document()
    made = create_source(description=description, secrets=fake.secrets(), every=timedelta(hours=1), now=now, **asked)
    for mapping in mappings:
        save_mapping(connection=made, mapping=mapping, now=now)
    return made


def sync(connection: Connection, *, laps: int = 1, lap_seconds: float = 60) -> SyncRun:
    """Read the source now, in so many laps of a worker."""
    run = sync_now(connection=connection, actor=None, now=timezone.now())
    for _ in range(laps):
        run_sync(run_id=run.pk, owner="worker", now=timezone.now(), lap_seconds=lap_seconds)
    run.refresh_from_db()
    return run
