"""What marketing and sales agreed on, version by version."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ServiceAdmin, ServiceForm
from kpis.models import HandoverDefinition
from kpis.services.handover import define_handover


class DefinitionForm(ServiceForm):
    """What marketing and sales agreed on."""

    class Meta:
        model = HandoverDefinition
        fields = (
            "effective_from",
            "mql_meaning",
            "sql_meaning",
            "response_hours",
            "marketing_name",
            "sales_name",
            "agreed_on",
        )

    def write(self) -> HandoverDefinition:
        """Keep the agreement."""
        return define_handover(**self.whole(), actor=self.actor, now=timezone.now())


@admin.register(HandoverDefinition)
class HandoverDefinitionAdmin(ServiceAdmin):
    """Agreements. One that is kept is never changed: the next one takes its place."""

    form = DefinitionForm
    list_display = ("effective_from", "response_hours", "marketing_name", "sales_name", "agreed_on", "recorded_at")
    search_fields = ("marketing_name", "sales_name", "mql_meaning", "sql_meaning")
    date_hierarchy = "effective_from"

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)
