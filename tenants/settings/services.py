"""Writes about a company's settings."""

from __future__ import annotations

from datetime import date

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


def set_start_date(*, start_date: date) -> None:
    """Say from when on the company works with the product: misses of earlier periods ask nobody for an answer."""
    CompanySettings.objects.update(start_date=start_date)
