"""The demo's data on its way in: files in a connection's folder, a real import by the worker, progress as it goes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from config.demo.stage import DemoError, Stage
from integrations.choices import DELIVERED, Carries, RunState
from integrations.models import Connection, SyncRun
from integrations.services.connections import create_connection, set_frequency
from integrations.services.runs import sync_now
from integrations.services.uploads import inbox_path
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.outbox.models import OPEN_STATES, Event

EVERY = timedelta(days=1)
SYNC_SECONDS = 600
SETTLE_SECONDS = 300
TALK_EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class Delivery:
    """What one system sends; `paths` are the files, which are copied into the connection's folder."""

    name: str
    source: str
    carries: Carries
    preset: str
    paths: tuple[Path, ...]


def deliver(stage: Stage, company: Company, deliveries: Iterable[Delivery]) -> None:
    """Bring every delivery in, one after the other; what came in during an earlier run stays as it is."""
    with tenant_context(company):
        for delivery in deliveries:
            connection = Connection.objects.filter(name=delivery.name).first() or create_connection(
                name=delivery.name,
                source=delivery.source,
                carries=delivery.carries,
                preset=delivery.preset,
                now=timezone.now(),
            )
            if not SyncRun.objects.filter(connection=connection, state__in=DELIVERED).exists():
                _import(stage, connection, delivery.paths)
            if connection.every is None:
                set_frequency(connection=connection, every=EVERY, now=timezone.now())


def settle(stage: Stage, company: Company) -> None:
    """Wait until the workers have done everything that follows from what came in."""
    stage.wait_for(
        lambda: not _has_open_events(company), what=f"Computing the numbers of {company.slug}", seconds=SETTLE_SECONDS
    )


def _import(stage: Stage, connection: Connection, paths: Iterable[Path]) -> None:
    run = SyncRun.objects.filter(connection=connection, state__in=(RunState.QUEUED, RunState.RUNNING)).first()
    if run is None:
        folder = inbox_path(connection=connection)
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copy2(path, folder / path.name)
        run = sync_now(connection=connection, actor=None, now=timezone.now())
    follow(stage, connection, run)


def follow(stage: Stage, connection: Connection, run: SyncRun) -> None:
    """Stay with an import until the worker has ended it. Raises DemoError where it brought nothing in."""
    spoken = [0.0]

    def has_ended() -> bool:
        run.refresh_from_db()
        due = timezone.now().timestamp() - spoken[0] >= TALK_EVERY_SECONDS
        if run.is_under_way and run.progress_total and due:
            spoken[0] = timezone.now().timestamp()
            stage.report(f"    {connection.name}: {run.progress_done:,} of {run.progress_total:,} rows")
        return not run.is_under_way

    stage.report(f"Importing “{connection.name}” through the worker …")
    stage.wait_for(has_ended, what=f"Importing “{connection.name}”", seconds=SYNC_SECONDS)
    if run.state not in DELIVERED:
        raise DemoError(f"“{connection.name}” could not be imported: {run.message or run.get_state_display()}")
    counts = f"{run.read_count:,} rows read, {run.inserted_count:,} new, {run.rejected_count:,} rejected"
    stage.report(f"    {connection.name}: {counts}, {run.unresolved_count:,} references open")


def _has_open_events(company: Company) -> bool:
    with public_context():
        return Event.objects.filter(company_id=company.id, state__in=OPEN_STATES).exists()
