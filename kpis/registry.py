"""What this floor adds to the floor below: navigation, templates, the clock of periods, and who may open its models."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from kpis.choices import Style
from kpis.engine.templates import TEMPLATES as TREES
from kpis.selectors import checklist as items
from kpis.selectors.health import read_goal
from kpis.selectors.template_use import read_template
from kpis.services.calendar import seed_calendar
from kpis.services.templates import instantiate_requested, typed_fields
from kpis.tasks import (
    DUE_FITNESS,
    DUE_PERIODS,
    DUE_SNAPSHOTS,
    check_fitness,
    move_periods,
    note_snapshots,
    recompute_values,
    seed_clock,
    seed_snapshot_clock,
)
from tenants import registry
from tenants.capabilities import Capability
from tenants.choices import CompanyType
from tenants.outbox.registry import on
from tenants.registry import (
    ChecklistItem,
    CompanyTemplate,
    DueKind,
    HealthSignal,
    NavigationEntry,
    ProvisionStep,
    Stage,
)

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
    Capability.READ_LOCKED_VALUES: ("lockedcell",),
    Capability.SET_TARGETS: ("target", "targetrevision", "backcalculation", "forecastcall"),
    Capability.ENTER_VALUES: ("manualentry",),
    Capability.MANAGE_DEFINITIONS: ("kpifinding", "benchmarkreview", "templateuse"),
}


def register() -> None:
    """Called once, when the apps are ready."""
    for entry in NAVIGATION:
        registry.navigation.register(entry)
    for item in CHECKLIST:
        registry.checklist.register(item)
    for template in TEMPLATES:
        registry.templates.register(template)
    for step in PROVISION_STEPS:
        registry.provision_steps.register(step)
    registry.due_kinds.register(DueKind(DUE_PERIODS, move_periods, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_FITNESS, check_fitness, retry_after=timedelta(hours=1)))
    registry.due_kinds.register(DueKind(DUE_SNAPSHOTS, note_snapshots, retry_after=timedelta(hours=1)))
    registry.health_signals.register(HealthSignal("goal", read_goal, 20))
    registry.health_signals.register(HealthSignal("template", read_template, 21))
    on("calendar.changed", move_periods)
    for topic in ("facts.changed", "definition.changed", "calendar.changed"):
        on(topic, recompute_values)
    for capability, models in MODEL_CAPABILITIES.items():
        registry.model_capabilities.update({f"kpis.{model}": capability for model in models})
