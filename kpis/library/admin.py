"""The library in the console's admin. Read-only: templates are changed on their own pages, versions never."""

from django.contrib import admin

from kpis.library.models import Template, TemplatePush, TemplateVersion
from tenants.backoffice import ReadOnlyAdmin


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    list_display = ("name", "code", "style", "status", "changed_at")
    list_filter = ("status", "style")
    search_fields = ("name", "code", "description")


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnlyAdmin):
    list_display = ("template", "number", "note", "published_by", "published_at")
    list_select_related = ("template", "published_by")
    list_filter = ("template",)
    search_fields = ("template__name", "note")


@admin.register(TemplatePush)
class TemplatePushAdmin(ReadOnlyAdmin):
    list_display = ("version", "company_id", "status", "requested_by", "requested_at", "finished_at")
    list_select_related = ("version__template", "requested_by")
    list_filter = ("status",)
    search_fields = ("version__template__name", "company_id")
