"""Reminders of typed values: sent by the clock, looked at here."""

from django.contrib import admin

from kpis.admin.base import ReadOnlyAdmin
from kpis.models import InputReminder


@admin.register(InputReminder)
class InputReminderAdmin(ReadOnlyAdmin):
    """Who was reminded of which value."""

    list_display = ("metric", "period_start", "dimension", "member", "number", "recipient", "sent_at")
    list_select_related = ("metric", "member", "recipient")
    list_filter = ("number", "grain")
    search_fields = ("metric__name", "metric__code", "recipient__name")
    date_hierarchy = "sent_at"
