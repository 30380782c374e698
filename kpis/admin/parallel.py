"""Parallel checks: started and ended on the pages and through the API, looked at here."""

from django.contrib import admin

from kpis.admin.base import ReadOnlyAdmin
from kpis.models import ParallelCheck


@admin.register(ParallelCheck)
class ParallelCheckAdmin(ReadOnlyAdmin):
    """Typed metrics beside automatic ones."""

    list_display = ("metric", "candidate", "outcome", "effective_from", "started_by", "started_at", "ended_by")
    list_select_related = ("metric", "candidate", "started_by", "ended_by")
    list_filter = ("outcome",)
    search_fields = ("metric__name", "metric__code", "reason")
    date_hierarchy = "started_at"
