"""Writes about a company's settings."""

from __future__ import annotations

from django.utils import timezone

from tenants.registry import ProvisionRequest
from tenants.settings.models import CompanySettings


def seed_settings(request: ProvisionRequest) -> None:
    """The settings row of a new company; one that is there stays as it is."""
    CompanySettings.objects.get_or_create(
        id=1,
        defaults={
            "name": request.name,
            "start_date": timezone.localdate(request.now),
            "fiscal_start_month": request.fiscal_start_month,
            "closing_day": request.closing_day,
            "currency": request.currency,
        },
    )
