"""Addresses below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from kpis.api.views.back_calculations import BackCalculationViewSet
from kpis.api.views.budgets import BudgetView
from kpis.api.views.catalogue import CatalogueAdditionView, CatalogueView
from kpis.api.views.confirmations import ConfirmationsView
from kpis.api.views.definitions import MetricViewSet, NodeViewSet, TreeViewSet
from kpis.api.views.dimensions import DimensionViewSet, MemberViewSet, SegmentFieldsView
from kpis.api.views.evidence import EvidenceView
from kpis.api.views.forecast_tables import (
    DealsToCheckView,
    ForecastChangesView,
    ForecastLossesView,
    ForecastTableView,
)
from kpis.api.views.forecasts import CallViewSet, LandingsView, PhasesView, RanksView
from kpis.api.views.handovers import (
    HandoverDefinitionsView,
    HandoverSummaryView,
    HandoversView,
    LeadExclusionsView,
    LeadExclusionVerdictView,
    LeadLinksView,
    LeadLinkVerdictView,
    LeadRulesView,
)
from kpis.api.views.inputs import InputRequestsView
from kpis.api.views.metric_fields import MetricFieldsView
from kpis.api.views.operation import ChangeViewSet, ChecklistView, HealthView
from kpis.api.views.parallel import ParallelCheckViewSet
from kpis.api.views.periods import PeriodViewSet
from kpis.api.views.person_links import PersonLinksView, PersonLinkVerdictView
from kpis.api.views.proposals import TargetProposalView
from kpis.api.views.restatements import DecisionViewSet, RestatementsView
from kpis.api.views.results import BreakdownView, ContributionsView, MatrixView, RecordsView
from kpis.api.views.sheet_start import SheetPreviewView, SheetStartView
from kpis.api.views.target_levels import TargetGapsView, TargetHandOverView
from kpis.api.views.target_requests import TargetRequestViewSet
from kpis.api.views.targets import ManualEntryViewSet, TargetViewSet

app_name = "kpis-api"

router = SimpleRouter(use_regex_path=False)
router.register("metrics", MetricViewSet, basename="metric")
router.register("trees", TreeViewSet)
router.register("nodes", NodeViewSet)
router.register("targets", TargetViewSet)
router.register("target-requests", TargetRequestViewSet)
router.register("back-calculations", BackCalculationViewSet)
router.register("entries", ManualEntryViewSet)
router.register("parallel-checks", ParallelCheckViewSet)
router.register("forecast-calls", CallViewSet)
router.register("periods", PeriodViewSet)
router.register("restatement-decisions", DecisionViewSet)
router.register("dimensions", DimensionViewSet)
router.register("changes", ChangeViewSet)

urlpatterns = [
    *router.urls,
    path("dimensions/<slug:dimension>/members/", MemberViewSet.as_view({"get": "list"}), name="member-list"),
    path(
        "dimensions/<slug:dimension>/members/<path:code>/",
        MemberViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="member-detail",
    ),
    path("segment-fields/", SegmentFieldsView.as_view(), name="segment-fields"),
    path("metric-catalogue/", CatalogueView.as_view(), name="metric-catalogue"),
    path("metric-catalogue/<slug:code>/add/", CatalogueAdditionView.as_view(), name="metric-catalogue-add"),
    path("metric-fields/", MetricFieldsView.as_view(), name="metric-fields"),
    path("targets/gaps/", TargetGapsView.as_view(), name="target-gaps"),
    path("targets/hand-over/", TargetHandOverView.as_view(), name="target-hand-over"),
    path("targets/confirmations/", ConfirmationsView.as_view(), name="target-confirmations"),
    path("targets/proposals/", TargetProposalView.as_view(), name="target-proposals"),
    path("input-requests/", InputRequestsView.as_view(), name="input-requests"),
    path("matrix/", MatrixView.as_view(), name="matrix"),
    path("trees/from-sheet/", SheetStartView.as_view(), name="sheet-start"),
    path("trees/from-sheet/preview/", SheetPreviewView.as_view(), name="sheet-preview"),
    path("breakdowns/", BreakdownView.as_view(), name="breakdowns"),
    path("budget/", BudgetView.as_view(), name="budget"),
    path("contributions/", ContributionsView.as_view(), name="contributions"),
    path("evidence/", EvidenceView.as_view(), name="evidence"),
    path("records/", RecordsView.as_view(), name="records"),
    path("restatements/", RestatementsView.as_view(), name="restatements"),
    path("landings/", LandingsView.as_view(), name="landings"),
    path("forecast-table/", ForecastTableView.as_view(), name="forecast-table"),
    path("forecast-table/changes/", ForecastChangesView.as_view(), name="forecast-table-changes"),
    path("forecast-table/losses/", ForecastLossesView.as_view(), name="forecast-table-losses"),
    path("deals-to-check/", DealsToCheckView.as_view(), name="api-deals-to-check"),
    path("deal-phases/", PhasesView.as_view(), name="deal-phases"),
    path("confidence-ranks/", RanksView.as_view(), name="confidence-ranks"),
    path("handovers/", HandoversView.as_view(), name="api-handovers"),
    path("handovers/summary/", HandoverSummaryView.as_view(), name="api-handover-summary"),
    path("handover-definitions/", HandoverDefinitionsView.as_view(), name="api-handover-definitions"),
    path("lead-rules/", LeadRulesView.as_view(), name="api-lead-rules"),
    path("lead-links/", LeadLinksView.as_view(), name="api-lead-links"),
    path("lead-links/<int:pk>/verdict/", LeadLinkVerdictView.as_view(), name="api-lead-link-verdict"),
    path("lead-exclusions/", LeadExclusionsView.as_view(), name="api-lead-exclusions"),
    path("lead-exclusions/<int:pk>/verdict/", LeadExclusionVerdictView.as_view(), name="api-lead-exclusion-verdict"),
    path("person-links/", PersonLinksView.as_view(), name="api-person-links"),
    path("person-links/<int:pk>/verdict/", PersonLinkVerdictView.as_view(), name="api-person-link-verdict"),
    path("checklist/", ChecklistView.as_view(), name="checklist"),
    path("health/", HealthView.as_view(), name="health"),
]
