"""The clients' states and orders, in the console's admin."""

from django.contrib import admin

from tenants.backoffice import ReadOnlyAdmin
from tenants.console.models import CompanyHealth, CompanyRequest


@admin.register(CompanyHealth)
class CompanyHealthAdmin(ReadOnlyAdmin):
    list_display = ("name", "kgi_achievement", "sync_state", "unanswered_miss_count", "next_meeting_at", "updated_at")
    list_filter = ("sync_state", "rollout_stage")
    search_fields = ("name",)


@admin.register(CompanyRequest)
class CompanyRequestAdmin(ReadOnlyAdmin):
    list_display = ("name", "template", "fiscal_start_month", "closing_day", "currency", "requested_at")
    list_filter = ("template",)
    search_fields = ("name",)
