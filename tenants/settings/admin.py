"""The company's settings in its admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _

from tenants.backoffice import KeptAdmin
from tenants.settings.models import CompanySettings


class CompanySettingsForm(forms.ModelForm):
    """The settings that may change after the company was made."""

    def clean(self) -> dict[str, Any]:
        """Refuse to close a month before it is provisional."""
        cleaned = super().clean() or {}
        first, last = cleaned.get("provisional_business_day"), cleaned.get("closing_business_day")
        if first is not None and last is not None and last < first:
            message = _("A month is closed after it is provisional. Choose business day %(day)s or a later one.")
            self.add_error("closing_business_day", message % {"day": first})
        return cleaned


@admin.register(CompanySettings)
class CompanySettingsAdmin(KeptAdmin):
    """One row, made with the company."""

    form = CompanySettingsForm
    list_display = ("name", "fiscal_start_month", "closing_day", "currency", "visibility", "target_approval")
    readonly_fields = ("fiscal_start_month", "closing_day", "currency", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
