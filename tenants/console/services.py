"""Writes of the console: the summary row of each client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from tenants.console.models import CompanyHealth
from tenants.context import current_company, tenant_context
from tenants.models import Company
from tenants.registry import ItemStatus, ProvisionRequest, checklist, health_signals
from tenants.services.companies import get_console
from tenants.services.due import schedule_due
from tenants.settings.selectors import company_settings

DUE_HEALTH: Final = "health"
SUMMARY_FIELDS = frozenset(field.name for field in CompanyHealth._meta.fields) - {"company_id", "updated_at"}


class UnknownSummaryError(ValueError):
    """The summary names something that the console does not keep."""


def update_company_health(*, company: Company, summary: Mapping[str, Any], now: datetime) -> None:
    """Write what a company's own task found out about it; what `summary` leaves out stays. Raises UnknownSummaryError.

    The one place where a company's task writes into the console.
    """
    unknown = set(summary) - SUMMARY_FIELDS
    if unknown:
        raise UnknownSummaryError(f"{', '.join(sorted(unknown))}: no such field of the summary row.")
    with tenant_context(get_console()):
        CompanyHealth.objects.update_or_create(
            company_id=company.id,
            defaults={**summary, "updated_at": now},
            create_defaults={"name": company.slug, **summary, "updated_at": now},
        )


def refresh_company_health(*, now: datetime) -> None:
    """Ask every floor what it knows of the current company and write the console's summary row of it."""
    own = company_settings()
    states = [item.check(timezone.localdate(now)) for item in checklist]
    summary: dict[str, Any] = {
        "name": own.name,
        "rollout_stage": own.rollout_stage,
        "checklist_item_count": len(states),
        "checklist_done_count": sum(state.status == ItemStatus.DONE for state in states),
    }
    for signal in health_signals:
        summary.update(signal.read(now))
    update_company_health(company=current_company(), summary=summary, now=now)


def schedule_health(request: ProvisionRequest) -> None:
    """Let a new company's summary be written from now on."""
    schedule_due(company_id=request.company.id, kind=DUE_HEALTH, next_run_at=request.now)
