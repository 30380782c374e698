"""Where periods will end: ranks with their weights, phases, managers' calls, daily snapshots."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.models import ConfidenceRank, DealPhase, ForecastCall, MetricSnapshot
from kpis.services.phases import set_phase
from kpis.services.ranks import set_rank


class RankForm(ServiceForm):
    """A rank as deals carry it, its name and its weight."""

    class Meta:
        model = ConfidenceRank
        fields = ("code", "name", "position", "weight")

    def write(self) -> ConfidenceRank:
        """Set the rank."""
        return set_rank(**self.whole(), actor=self.actor, now=timezone.now())


@admin.register(ConfidenceRank)
class ConfidenceRankAdmin(ServiceAdmin):
    """Confidence ranks. The code is what deals carry: another code is another rank."""

    form = RankForm
    list_display = ("code", "name", "position", "weight")
    search_fields = ("code", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["code"] if obj else []


class PhaseForm(ServiceForm):
    """A phase as deals carry it, its name and which step of a sale it is."""

    class Meta:
        model = DealPhase
        fields = ("code", "name", "step")

    def write(self) -> DealPhase:
        """Set the phase."""
        return set_phase(**self.whole(), actor=self.actor, now=timezone.now())


@admin.register(DealPhase)
class DealPhaseAdmin(ServiceAdmin):
    """Phases of deals. The code is what deals carry: another code is another phase."""

    form = PhaseForm
    list_display = ("code", "name", "step")
    search_fields = ("code", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["code"] if obj else []


@admin.register(ForecastCall)
class ForecastCallAdmin(ReadOnlyAdmin):
    """What managers called; made on the deal forecast table."""

    list_display = ("at", "actor", "node", "grain", "period_start", "dimension", "member", "value", "note")
    list_select_related = ("actor", "node", "member")
    list_filter = ("grain", "dimension", "node__tree")
    search_fields = ("node__name", "node__code", "member__name", "note")
    date_hierarchy = "at"


@admin.register(MetricSnapshot)
class MetricSnapshotAdmin(ReadOnlyAdmin):
    """What was written down each day."""

    list_display = ("date", "measure", "metric", "grain", "period_start", "dimension", "member", "value", "absence")
    list_select_related = ("metric", "member")
    list_filter = ("measure", "grain", "dimension")
    search_fields = ("metric__name", "metric__code", "member__name")
    date_hierarchy = "date"
