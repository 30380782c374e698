"""The company's settings in its admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from tenants.backoffice import KeptAdmin
from tenants.settings.models import CompanySettings


@admin.register(CompanySettings)
class CompanySettingsAdmin(KeptAdmin):
    """One row, made with the company."""

    list_display = ("name", "fiscal_start_month", "closing_day", "currency", "visibility", "target_approval")
    readonly_fields = ("fiscal_start_month", "closing_day", "currency", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
