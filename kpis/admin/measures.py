"""What is derived or recorded: events, blocks, locked cells, changes, streams, what is dirty. All read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from kpis.admin.base import ReadOnlyAdmin
from kpis.admin.numbers import measured, rated
from kpis.models import (
    DirtyFact,
    DirtyRange,
    ExternalIdentity,
    FactChange,
    FactStream,
    KpiEvent,
    LockedCell,
    MeasureBlock,
    OpenRestatement,
    PeriodToCompare,
    RestatementDecision,
    ShownChange,
    UnresolvedReference,
    ValuesVersion,
)


@admin.register(KpiEvent)
class KpiEventAdmin(ReadOnlyAdmin):
    """Dated, credited events."""

    list_display = ("kind", "date", "credit", "outcome", "weight", "amount", "fact_id", "is_rate_missing")
    list_filter = ("kind", "credit", "outcome", "is_rate_missing")
    search_fields = ("=fact_id",)
    date_hierarchy = "date"


@admin.register(MeasureBlock)
class MeasureBlockAdmin(ReadOnlyAdmin):
    """Measures per period, with a number for each member."""

    list_display = ("group", "grain", "period_start", "is_of_people", "member_count", "measures")
    list_filter = ("group", "grain", "is_of_people")
    search_fields = ("group",)
    date_hierarchy = "period_start"

    @admin.display(description=_("Members"))
    def member_count(self, block: MeasureBlock) -> int:
        return len(block.member_ids)


@admin.register(LockedCell)
class LockedCellAdmin(ReadOnlyAdmin):
    """Numbers as they were when their period was closed."""

    list_display = (
        "node",
        "grain",
        "period_start",
        "dimension",
        "member",
        measured("value", _("Actual"), metric="node.metric"),
        measured("target", _("Target"), metric="node.metric"),
        rated("achievement", _("Achievement rate")),
        "status",
        "absence",
        "locked_at",
    )
    list_select_related = ("node__metric", "member")
    list_filter = ("grain", "dimension", "status", "absence")
    search_fields = ("node__name", "node__code", "member__name")
    date_hierarchy = "period_start"


@admin.register(RestatementDecision)
class RestatementDecisionAdmin(ReadOnlyAdmin):
    """What was decided about closed numbers that would be others today."""

    list_display = (
        "node",
        "grain",
        "period_start",
        "dimension",
        "member",
        "verdict",
        measured("old_value", _("Locked value"), metric="node.metric"),
        measured("new_value", _("Live value"), metric="node.metric"),
        "reason",
        "actor",
        "decided_at",
    )
    list_select_related = ("node__metric", "member", "actor")
    list_filter = ("verdict", "grain", "dimension")
    search_fields = ("node__name", "node__code", "member__name", "reason")
    date_hierarchy = "decided_at"


@admin.register(OpenRestatement)
class OpenRestatementAdmin(ReadOnlyAdmin):
    """Closed numbers that would be others today and wait for a decision."""

    list_display = (
        "node",
        "grain",
        "period_start",
        "dimension",
        "member",
        measured("value", _("Live value"), metric="node.metric"),
        "absence",
    )
    list_select_related = ("node__metric", "member")
    list_filter = ("grain", "dimension")
    search_fields = ("node__name", "node__code", "member__name")
    date_hierarchy = "period_start"


@admin.register(PeriodToCompare)
class PeriodToCompareAdmin(ReadOnlyAdmin):
    """Closed periods in which something was computed again."""

    list_display = ("id", "period")
    list_select_related = ("period",)


@admin.register(FactChange)
class FactChangeAdmin(ReadOnlyAdmin):
    """What changed in which fact, when and by whom."""

    list_display = ("at", "fact", "external_id", "action", "changes", "actor", "run")
    list_select_related = ("actor",)
    list_filter = ("fact", "action")
    search_fields = ("external_id",)
    date_hierarchy = "at"


@admin.register(FactStream)
class FactStreamAdmin(ReadOnlyAdmin):
    """What each source has delivered, and until when."""

    list_display = ("source", "fact", "covered_from", "last_success_at", "expected_every")
    list_filter = ("source", "fact")
    search_fields = ("source", "fact")
    date_hierarchy = "last_success_at"


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(ReadOnlyAdmin):
    """Names under which outside systems know our rows."""

    list_display = ("entity", "source", "external_id", "row_id")
    list_filter = ("entity", "source")
    search_fields = ("external_id",)


@admin.register(UnresolvedReference)
class UnresolvedReferenceAdmin(ReadOnlyAdmin):
    """References that were sent but point to nothing yet."""

    list_display = ("fact", "fact_id", "field", "entity", "source", "external_id")
    list_filter = ("fact", "field", "entity", "source")
    search_fields = ("external_id",)


@admin.register(DirtyFact)
class DirtyFactAdmin(ReadOnlyAdmin):
    """Facts whose events are to be derived again."""

    list_display = ("fact", "fact_id")
    list_filter = ("fact",)
    search_fields = ("=fact_id",)


@admin.register(DirtyRange)
class DirtyRangeAdmin(ReadOnlyAdmin):
    """Dates whose blocks are to be computed again."""

    list_display = ("group", "start_date", "end_date")
    list_filter = ("group",)
    search_fields = ("group",)


@admin.register(ValuesVersion)
class ValuesVersionAdmin(ReadOnlyAdmin):
    """Which computation the values are of."""

    list_display = ("version", "computed_at")


@admin.register(ShownChange)
class ShownChangeAdmin(ReadOnlyAdmin):
    """What changed that is shown, as numbers that add up to its version."""

    list_display = ("id", "number")
