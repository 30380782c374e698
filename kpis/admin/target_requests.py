"""Requests for changed targets: made and decided on the pages and through the API, looked at here."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from kpis.admin.base import ReadOnlyAdmin
from kpis.admin.numbers import measured
from kpis.models import TargetRequest, TargetRequestCell, TargetRequestDecision

SEEN = measured("seen_value", _("Target when proposed"), metric="node.metric")
PROPOSED = measured("value", _("Proposed target"), metric="node.metric")


class ReadOnlyInline(TabularInline):
    """Rows of a request; nobody types them here."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CellInline(ReadOnlyInline):
    """The targets that were proposed together."""

    model = TargetRequestCell
    fields = readonly_fields = ("node", "period_start", "dimension", "member", "line", SEEN, PROPOSED)


class DecisionInline(ReadOnlyInline):
    """Who said what."""

    model = TargetRequestDecision
    fields = readonly_fields = ("step", "verdict", "comment", "actor", "at")


@admin.register(TargetRequest)
class TargetRequestAdmin(ReadOnlyAdmin):
    """Target change requests."""

    inlines = (CellInline, DecisionInline)
    list_display = ("tree", "status", "steps", "proposer", "proposed_at", "reason")
    list_select_related = ("tree", "proposer")
    list_filter = ("status", "tree")
    search_fields = ("reason", "proposer__name")
    date_hierarchy = "proposed_at"


@admin.register(TargetRequestCell)
class TargetRequestCellAdmin(ReadOnlyAdmin):
    """Proposed targets."""

    list_display = ("request", "node", "period_start", "dimension", "member", "line", SEEN, PROPOSED)
    list_select_related = ("request__tree", "node__metric", "member")
    list_filter = ("request__status", "dimension", "line")
    search_fields = ("node__name", "node__code", "member__name")
    date_hierarchy = "period_start"


@admin.register(TargetRequestDecision)
class TargetRequestDecisionAdmin(ReadOnlyAdmin):
    """What was said about requests."""

    list_display = ("request", "step", "verdict", "comment", "actor", "at")
    list_select_related = ("request__tree", "actor")
    list_filter = ("verdict",)
    search_fields = ("comment", "actor__name")
    date_hierarchy = "at"
