"""Work of the data floor, done by workers."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from integrations.models import Connection
from integrations.services.retention import forget_received
from integrations.services.runs import look_into
from integrations.services.schedule import DUE_CONNECTION
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
