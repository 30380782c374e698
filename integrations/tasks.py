"""Work of the data floor, done by workers."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from integrations.choices import Trigger
from integrations.models import Connection, SyncRun
from integrations.services.comparing import request_comparison
from integrations.services.drift import refresh_calculated
from integrations.services.mending import ask_to_mend
from integrations.services.notified import request_fetch
from integrations.services.retention import forget_received
from integrations.services.runs import look_into
from integrations.services.schedule import (
    DUE_COMPARISON,
    DUE_CONNECTION,
    DUE_MENDING,
    DUE_RUN,
    schedule_comparison,
)
from integrations.services.sync import run_sync
from tenants.registry import ProvisionRequest
from tenants.services.due import cancel_due, schedule_due
from tenants.tasks import CompanyTask

DUE_RETENTION = "integrations.retention"
QUIET_HOUR = time(3, 30)


@shared_task(base=CompanyTask)
def sync(*, company_id: str, object_id: str) -> None:
    """Take an import on (topic sync.requested)."""
    run_sync(run_id=int(object_id), owner=uuid.uuid4().hex, now=timezone.now())


@shared_task(base=CompanyTask)
def look_into_connection(*, company_id: str, object_id: str) -> None:
    """Ask a connection's source, or look whether something new lies in its folder (due work)."""
    connection = Connection.objects.filter(public_id=object_id).first()
    if connection is None:
        cancel_due(company_id=company_id, kind=DUE_CONNECTION, object_id=object_id)
        return
    look_into(connection=connection, now=timezone.now())


@shared_task(base=CompanyTask)
def forget_old(*, company_id: str, object_id: str = "") -> None:
    """Drop what was received and has been kept long enough, and come again tomorrow night."""
    now = timezone.now()
    forget_received(now=now)
    schedule_due(company_id=company_id, kind=DUE_RETENTION, next_run_at=_next_night(now))


def seed_retention_clock(request: ProvisionRequest) -> None:
    """Let a new company's old receipts be dropped every night."""
    schedule_due(company_id=request.company.pk, kind=DUE_RETENTION, next_run_at=_next_night(request.now))


def _next_night(now: datetime) -> datetime:
    tomorrow = timezone.localdate(now) + timedelta(days=1)
    return timezone.make_aware(datetime.combine(tomorrow, QUIET_HOUR))


@shared_task(base=CompanyTask)
def take_up_run(*, company_id: str, object_id: str) -> None:
    """Take a run up that was put off (due work)."""
    cancel_due(company_id=company_id, kind=DUE_RUN, object_id=object_id)
    if SyncRun.objects.filter(pk=object_id).exists():
        run_sync(run_id=int(object_id), owner=uuid.uuid4().hex, now=timezone.now())


@shared_task(base=CompanyTask)
def fetch_notified(*, company_id: str, object_id: str) -> None:
    """Have fetched what a source called us about (topic event.received)."""
    connection = Connection.objects.filter(public_id=object_id).first()
    if connection is not None:
        request_fetch(connection=connection, now=timezone.now())


@shared_task(base=CompanyTask)
def compare_connection(*, company_id: str, object_id: str) -> None:
    """Compare a connection with its source (due work, every night)."""
    connection = Connection.objects.filter(public_id=object_id, is_paused=False, stopped_by="").first()
    if connection is None:
        cancel_due(company_id=company_id, kind=DUE_COMPARISON, object_id=object_id)
        return
    now = timezone.now()
    schedule_comparison(connection=connection, now=now)
    refresh_calculated(connection=connection, now=now)
    request_comparison(connection=connection, trigger=Trigger.SCHEDULE, actor=None, now=now)


@shared_task(base=CompanyTask)
def ask_people_to_mend(*, company_id: str, object_id: str) -> None:
    """Write to those who can mend a connection (due work); where the mail server refuses, it comes again."""
    connection = Connection.objects.filter(public_id=object_id).first()
    if connection is not None:
        ask_to_mend(connection=connection, now=timezone.now())
    cancel_due(company_id=company_id, kind=DUE_MENDING, object_id=object_id)
