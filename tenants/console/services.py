"""Writes of the console: the summary row of each client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenants.console.models import CompanyHealth
from tenants.context import tenant_context
from tenants.models import Company
from tenants.services.companies import get_console

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
