"""Which trees follow a template. Read-only: offers come from the console and are decided on the tree's own page."""

from django.contrib import admin

from kpis.admin.base import ReadOnlyAdmin
from kpis.models import TemplateUse


@admin.register(TemplateUse)
class TemplateUseAdmin(ReadOnlyAdmin):
    """Trees with the version of the template that they follow."""

    list_display = ("tree", "name", "version", "taken_at", "offered_version", "offered_at")
    list_select_related = ("tree",)
    list_filter = ("code",)
    search_fields = ("tree__name", "name", "code")
    date_hierarchy = "taken_at"
