"""Reads about a company's settings."""

from __future__ import annotations

from tenants.settings.models import CompanySettings


def company_settings() -> CompanySettings:
    """The settings of the current company. Raises CompanySettings.DoesNotExist outside a provisioned company."""
    return CompanySettings.objects.get(id=1)
