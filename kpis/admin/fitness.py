"""Findings about KPIs and reviews of benchmarks. Both read-only: the check and the pages write them."""

from django.contrib import admin

from kpis.admin.base import ReadOnlyAdmin
from kpis.models import BenchmarkReview, KpiFinding


@admin.register(KpiFinding)
class KpiFindingAdmin(ReadOnlyAdmin):
    """Open faults and remarks."""

    list_display = ("node", "code", "is_fault", "found_on", "due_on")
    list_select_related = ("node",)
    list_filter = ("is_fault", "code")
    search_fields = ("node__name", "node__code", "code")
    date_hierarchy = "found_on"


@admin.register(BenchmarkReview)
class BenchmarkReviewAdmin(ReadOnlyAdmin):
    """Who consulted which benchmark."""

    list_display = ("node", "verdict", "note", "reviewed_by", "reviewed_at")
    list_select_related = ("node", "reviewed_by")
    list_filter = ("verdict",)
    search_fields = ("node__name", "node__code", "note")
    date_hierarchy = "reviewed_at"
