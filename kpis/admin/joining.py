"""How marketing and sales are joined: the rules save through their service, what they found is read-only."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.models import LeadExclusion, LeadLink, LeadRules
from kpis.services.lead_rules import set_lead_rules


class LeadRulesForm(ServiceForm):
    """The company's rules for leads."""

    class Meta:
        model = LeadRules
        fields = ("link_order", "joins_same_email", "scan_count", "scan_minutes", "opens_at", "closes_at")

    def write(self) -> LeadRules:
        """Set the rules."""
        return set_lead_rules(**self.whole(), actor=self.actor, now=timezone.now())


@admin.register(LeadRules)
class LeadRulesAdmin(ServiceAdmin):
    """The one row of rules."""

    form = LeadRulesForm
    list_display = ("__str__", "joins_same_email", "scan_count", "scan_minutes", "opens_at", "closes_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not LeadRules.objects.exists()


@admin.register(LeadLink)
class LeadLinkAdmin(ReadOnlyAdmin):
    """Which lead a deal came from, by which rule. Pages and the API undo them."""

    list_display = ("deal", "lead", "rule", "decided_at", "decided_by", "undone_at", "undone_by")
    list_select_related = ("deal", "lead", "decided_by", "undone_by")
    list_filter = ("rule",)
    search_fields = ("deal__external_id", "deal__name", "lead__external_id")
    date_hierarchy = "decided_at"


@admin.register(LeadExclusion)
class LeadExclusionAdmin(ReadOnlyAdmin):
    """Leads kept out of the count. Pages and the API say otherwise."""

    list_display = ("lead", "reason", "same_as", "is_out", "is_worked", "verdict", "verdict_by", "decided_at")
    list_select_related = ("lead", "same_as", "verdict_by")
    list_filter = ("reason", "is_out", "verdict")
    search_fields = ("lead__external_id", "same_as__external_id")
    date_hierarchy = "decided_at"
