"""Events between companies, in the console's admin."""

from django.contrib import admin

from tenants.backoffice import ReadOnlyAdmin
from tenants.outbox.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "topic", "company", "state", "attempt_count", "created_at", "finished_at")
    list_filter = ("state", "topic", "company")
    list_select_related = ("company",)
    search_fields = ("object_id", "error")
