"""Recurring work of companies: what is due is sent to the workers, companies taking turns."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from celery import current_app
from django.db import connection, transaction

from tenants.choices import CompanyStatus
from tenants.context import public_context
from tenants.models import DueSync
from tenants.registry import due_kinds

_FAIR_ORDER: Final = """
    SELECT id FROM (
        SELECT due.id, due.next_run_at, row_number() OVER (PARTITION BY due.company_id ORDER BY due.next_run_at) AS turn
        FROM tenants_duesync AS due JOIN tenants_company AS company ON company.id = due.company_id
        WHERE due.next_run_at <= %s AND company.status = %s AND due.kind = ANY(%s)
    ) AS due ORDER BY turn, next_run_at LIMIT %s
"""


class UnknownDueKindError(ValueError):
    """No floor has registered this kind of recurring work."""


def schedule_due(*, company_id: uuid.UUID | str, kind: str, object_id: object = "", next_run_at: datetime) -> None:
    """Say when a piece of a company's work is due next. Raises UnknownDueKindError."""
    if due_kinds.get(kind) is None:
        raise UnknownDueKindError(f"There is no due work of the kind {kind}. Known: {', '.join(due_kinds.names())}.")
    DueSync.objects.update_or_create(
        company_id=company_id, kind=kind, object_id=str(object_id), defaults={"next_run_at": next_run_at}
    )


def cancel_due(*, company_id: uuid.UUID | str, kind: str, object_id: object = "") -> None:
    DueSync.objects.filter(company_id=company_id, kind=kind, object_id=str(object_id)).delete()


def dispatch_due(*, now: datetime, limit: int = 100) -> int:
    """Send what is due; returns how many. What does not schedule itself anew comes again after `retry_after`."""
    sent = []
    with public_context(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FAIR_ORDER, [now, CompanyStatus.READY, due_kinds.names(), limit])
            ids = [row[0] for row in cursor.fetchall()]
        rows = DueSync.objects.filter(id__in=ids, next_run_at__lte=now).select_for_update(skip_locked=True)
        turn = {row_id: position for position, row_id in enumerate(ids)}
        for row in sorted(rows, key=lambda row: turn[row.id]):
            kind = due_kinds.get(row.kind)
            if kind is None:
                continue
            row.dispatched_at = now
            row.next_run_at = now + kind.retry_after
            row.save(update_fields=["dispatched_at", "next_run_at"])
            sent.append((kind.task.name, {"company_id": str(row.company_id), "object_id": row.object_id}))
    for name, arguments in sent:
        current_app.send_task(name, kwargs=arguments, retry=False)
    return len(sent)
