"""What this floor adds to the one below: navigation, panels, templates, clocks, and who may open its models."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kpis.choices import Style
from kpis.engine.templates import TEMPLATES as TREES
from kpis.models import KpiNode
from kpis.selectors import checklist as items
from kpis.selectors.calendar import period_namer
from kpis.selectors.closing_dues import find_waiting_month
from kpis.selectors.confirmations import read_own_targets
from kpis.selectors.details import Segment
from kpis.selectors.handover_check import check_handover
from kpis.selectors.health import read_goal
from kpis.selectors.inputs import open_inputs, read_inputs
from kpis.selectors.locked import read_locked_numbers
from kpis.selectors.open_restatements import read_late_periods
from kpis.selectors.parallel import find_check, is_typed, read_check
from kpis.selectors.target_requests import read_own_business
from kpis.selectors.template_use import read_template
from kpis.services.calendar import seed_calendar
from kpis.services.comparing import TO_COMPARE
from kpis.services.templates import instantiate_requested, typed_fields
from kpis.tasks import (
    DUE_FITNESS,
    DUE_FOLDING,
    DUE_INPUTS,
    DUE_PERIODS,
    DUE_SNAPSHOTS,
    check_fitness,
    compare_periods,
    fold_shown_changes,
    move_periods,
    note_snapshots,
    recompute_values,
    remind_of_inputs,
    seed_clock,
    seed_folding_clock,
    seed_input_clock,
    seed_snapshot_clock,
)
from tenants import registry
from tenants.capabilities import Capability, Scope, has_capability, scope_of
from tenants.choices import CompanyType
from tenants.outbox.registry import on
from tenants.registry import (
    ChecklistItem,
    CompanyTemplate,
    DueKind,
    HealthSignal,
    NavigationEntry,
    NumberNotes,
    PagePanel,
    ProvisionStep,
    Stage,
)

LATE_PERIODS = 3  # named on the first page of the day; the page of closing lists all of each grain
NAVIGATION = (
    NavigationEntry("home", _("Home"), "home", "home", 10, Capability.READ_RESULTS),
    NavigationEntry("budget", _("Budget versus actual table"), "budget-table", "table", 15, Capability.READ_RESULTS),
    NavigationEntry("kpis", _("KPI"), "kpi-tree", "tree", 20, Capability.READ_RESULTS),
    NavigationEntry("forecast", _("Deal forecast table"), "forecast", "table", 30, Capability.READ_RESULTS),
    NavigationEntry("checklist", _("Checklist"), "checklist", "checklist", 90, Capability.MANAGE_DEFINITIONS),
)
CHECKLIST = (
    ChecklistItem(1, Stage.SETTING, _("KGI set clearly"), items.check_goal),
    ChecklistItem(2, Stage.SETTING, _("KSFs identified"), items.check_factors),
    ChecklistItem(3, Stage.SETTING, _("KPIs worked back from the KGI"), items.check_worked_back),
    ChecklistItem(4, Stage.SETTING, _("Controllable KPIs chosen"), items.check_controllable),
    ChecklistItem(5, Stage.SETTING, _("KPIs are SMART"), items.check_smart),
    ChecklistItem(7, Stage.SETTING, _("Benchmarks consulted"), items.check_benchmarks),
    ChecklistItem(11, Stage.IMPLEMENTING, _("MQL→SQL handover defined"), check_handover),
    ChecklistItem(15, Stage.VISUALISING, _("Target beside actual"), items.check_target_beside_actual),
    ChecklistItem(16, Stage.VISUALISING, _("Trend charts"), items.check_trends),
    ChecklistItem(17, Stage.VISUALISING, _("Segments"), items.check_segments),
)
TEMPLATES = tuple(
    CompanyTemplate(
        style,
        Style(style).label,
        10 * number,
        instantiate_requested,
        typed_fields(tree),
    )
    for number, (style, tree) in enumerate(TREES.items(), start=1)
)
PROVISION_STEPS = (
    ProvisionStep("calendar", CompanyType.COMPANY, seed_calendar, 30),
    ProvisionStep("period clock", CompanyType.COMPANY, seed_clock, 31),
    ProvisionStep("snapshot clock", CompanyType.COMPANY, seed_snapshot_clock, 32),
    ProvisionStep("input clock", CompanyType.COMPANY, seed_input_clock, 33),
    ProvisionStep("folding clock", CompanyType.COMPANY, seed_folding_clock, 34),
)
MODEL_CAPABILITIES = {
    Capability.MANAGE_PEOPLE: ("person", "team", "teammembership", "teamleader"),
    Capability.MANAGE_CALENDAR: (
        "calendarrule",
        "companyholiday",
        "fiscalyear",
        "period",
        "periodtransition",
        "calendarday",
    ),
    Capability.SET_TARGETS: (
        "target",
        "targetrevision",
        "targetrequest",
        "targetrequestcell",
        "targetrequestdecision",
        "backcalculation",
        "forecastcall",
    ),
    Capability.READ_LOCKED_VALUES: ("lockedcell", "openrestatement", "restatementdecision"),
    Capability.ENTER_VALUES: ("manualentry", "inputreminder"),
    Capability.MANAGE_DEFINITIONS: (
        "parallelcheck",
        "kpifinding",
        "benchmarkreview",
        "templateuse",
        "leadrules",
        "leadlink",
        "leadexclusion",
        "handoverdefinition",
    ),
}


def targets_panel(request: HttpRequest, **_objects: Any) -> dict[str, Any] | None:
    """What targets ask of the reader: requests to decide or to answer, own targets to confirm. None where nothing."""
    today = timezone.localdate()
    may_set = has_capability(request.user, Capability.SET_TARGETS)
    requests = read_own_business(user=request.user, today=today) if may_set else []
    is_person = scope_of(request.user, Capability.READ_PERSON_RESULTS) in {Scope.OWN, Scope.TEAM}
    own = read_own_targets(user=request.user, today=today) if is_person else None
    return {"requests": requests, "own": own} if requests or own else None


def inputs_panel(request: HttpRequest, **_objects: Any) -> dict[str, Any] | None:
    """How many values wait to be typed by the reader. None for who types nothing."""
    if not has_capability(request.user, Capability.ENTER_VALUES):
        return None
    cells = [cell for cell in read_inputs(today=timezone.localdate()) if cell.may_be_typed_by(request.user)]
    waiting = open_inputs(cells, request.user)
    return {"count": len(waiting), "late_count": sum(cell.is_late for cell in waiting)} if cells else None


def typed_panel(request: HttpRequest, *, node: KpiNode, segment: Segment, **_objects: Any) -> dict[str, Any] | None:
    """Who types a KPI's values, and what waits of them. None of what is computed."""
    cells = read_inputs(today=timezone.localdate(), nodes=[node.pk]) if segment.member is None else []
    if not cells or not is_typed(node.metric, day=timezone.localdate()):
        return None
    types = has_capability(request.user, Capability.ENTER_VALUES)
    return {
        "place": next(cell.place for cell in cells if cell.place.member is None),
        "waiting": open_inputs(cells),
        "types": types and any(cell.may_be_typed_by(request.user) for cell in cells),
    }


def parallel_panel(request: HttpRequest, *, node: KpiNode, segment: Segment, **_objects: Any) -> dict[str, Any] | None:
    """Where the check of a typed KPI stands, or the way to one. None of what is computed and was never checked."""
    if node.metric is None or segment.member is not None:
        return None
    check = find_check(node.metric)
    manages = has_capability(request.user, Capability.MANAGE_DEFINITIONS)
    if check is None and not (manages and is_typed(node.metric, day=timezone.localdate())):
        return None
    table = read_check(check, node.tree, now=timezone.now()) if check is not None and check.is_running else None
    return {"node": node, "check": check, "table": table}


def closing_panel(request: HttpRequest, **_objects: Any) -> dict[str, Any] | None:
    """The month that is to be closed next, and by when; the closed ones that wait for a decision about late changes.

    None for who does not close, and where nothing waits.
    """
    if not has_capability(request.user, Capability.CLOSE_PERIODS):
        return None
    waiting = find_waiting_month(today=timezone.localdate())
    late = read_late_periods(limit=LATE_PERIODS)
    if waiting is None and not late.shown:
        return None
    return {"waiting": waiting, "label": period_namer()(waiting.row) if waiting else "", "late": late}


PANELS = (
    PagePanel("kpi", "typed", "kpis/typed_panel.html", typed_panel, 5),
    PagePanel("kpi", "parallel", "kpis/parallel_panel.html", parallel_panel, 10),
    PagePanel("today", "inputs", "kpis/inputs_panel.html", inputs_panel, 5),
    PagePanel("today", "targets", "kpis/targets_panel.html", targets_panel, 10),
    PagePanel("today", "closing", "kpis/closing_panel.html", closing_panel, 30),
)


def register() -> None:
    """Called once, when the apps are ready."""
    for entry in NAVIGATION:
        registry.navigation.register(entry)
    for panel in PANELS:
        registry.panels.register(panel)
    for item in CHECKLIST:
        registry.checklist.register(item)
    for template in TEMPLATES:
        registry.templates.register(template)
    for step in PROVISION_STEPS:
        registry.provision_steps.register(step)
    registry.due_kinds.register(DueKind(DUE_PERIODS, move_periods, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_FITNESS, check_fitness, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_SNAPSHOTS, note_snapshots, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_INPUTS, remind_of_inputs, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_FOLDING, fold_shown_changes, retry_after=timedelta(hours=1)))
    registry.health_signals.register(HealthSignal("goal", read_goal, 20))
    registry.number_notes.register(NumberNotes("closing", read_locked_numbers, 10))
    registry.health_signals.register(HealthSignal("template", read_template, 21))
    on("calendar.changed", move_periods)
    on(TO_COMPARE, compare_periods)
    for topic in ("facts.changed", "definition.changed", "calendar.changed"):
        on(topic, recompute_values)
    for capability, models in MODEL_CAPABILITIES.items():
        registry.model_capabilities.update({f"kpis.{model}": capability for model in models})
