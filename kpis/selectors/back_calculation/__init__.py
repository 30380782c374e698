"""Working back from a goal with what the company knows of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Grain
from kpis.engine.back_calculation import (
    GOAL,
    LEAD_SHARE,
    MonthSpan,
    Plan,
    Question,
    Scenario,
    Swing,
    scenarios,
    sensitivity,
)
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import KpiTree, Period
from kpis.selectors.back_calculation.history import History, OwnRate, read_history
from kpis.selectors.back_calculation.places import Places, per_deal, read_places
from kpis.selectors.back_calculation.requests import (
    BackCalculationRequest,
    BenchmarkRate,
    benchmarks_of,
    find_issues,
    read_question,
    unit_of,
)
from kpis.selectors.back_calculation.targets import Fate, NodeTargets, PlannedTarget, plan_targets
from kpis.selectors.calendar import period_namer

__all__ = [
    "BackCalculationRequest",
    "Basis",
    "BenchmarkRate",
    "Fate",
    "NodeTargets",
    "OwnRate",
    "Places",
    "PlannedTarget",
    "WorkedBack",
    "month_namer",
    "per_deal",
    "plan_targets",
    "read_basis",
    "unit_of",
    "work_back_goal",
]

MOSTLY_LEADS = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known before anything is asked: where the parts stand, the company's own rates, the benchmarks."""

    places: Places
    history: History
    benchmarks: Mapping[str, BenchmarkRate]


@dataclass(frozen=True, slots=True)
class WorkedBack:
    """The answer: a plan per scenario (standard as asked), the swings of each rate, and doubts about the whole.

    With `issues` there is no question and no plan.
    """

    request: BackCalculationRequest
    basis: Basis
    issues: tuple[Issue, ...] = ()
    question: Question | None = None
    plans: Mapping[str, Plan] | None = None
    swings: tuple[Swing, ...] = ()
    warnings: tuple[Issue, ...] = ()

    def plan(self, scenario: str = Scenario.STANDARD) -> Plan:
        """The plan of a scenario. Raises ValueError where there are issues."""
        if self.plans is None:
            raise ValueError("A question with issues has no plan.")
        return self.plans[scenario]

    @property
    def has_goal(self) -> bool:
        """Whether it began at the KGI itself."""
        goal = self.basis.places.goal
        asked = self.request.metric
        return goal is not None and goal.metric is not None and asked in (goal.metric.code, goal.code)


def read_basis(tree: KpiTree, *, has_mql: bool | None = None, now: datetime) -> Basis:
    """What a tree and the company's last twelve months offer to a back-calculation."""
    places = read_places(tree, has_mql=has_mql)
    return Basis(places, read_history(places, now=now), benchmarks_of(places))


def work_back_goal(request: BackCalculationRequest, basis: Basis, *, now: datetime) -> WorkedBack:
    """Everything that the goal asks for, in three scenarios; or the issues that keep it from being worked out."""
    issues = find_issues(request, basis.places, basis.history, basis.benchmarks)
    if issues:
        return WorkedBack(request, basis, issues)
    today = timezone.localdate(now)
    question = read_question(request, basis.places, basis.history, basis.benchmarks, today=today)
    return WorkedBack(
        request=request,
        basis=basis,
        question=question,
        plans=scenarios(question),
        swings=sensitivity(question),
        warnings=tuple(_warnings(request, basis, question)),
    )


def _warnings(request: BackCalculationRequest, basis: Basis, question: Question) -> list[Issue]:
    """Doubts that belong to no single step."""
    share = basis.history.rates.get(LEAD_SHARE)
    if share is None or LEAD_SHARE in request.rates or share.value >= MOSTLY_LEADS or question.start != GOAL:
        return []
    template = gettext_noop(
        "Only %(share)s of the deals of the last twelve months came from leads; without a lead share every one is "
        "taken to, so the leads come out too high."
    )
    return [Issue("rates.lead_share", "other_origins", template, (("share", f"{share.value * 100:.0f}%"),))]


def month_namer() -> Callable[[MonthSpan], str]:
    """A function that names months of the calendar in the caller's language; three queries, whatever it names."""
    name = period_namer()
    months = Period.objects.select_related("fiscal_year").filter(grain=Grain.MONTH)
    labels = {month.start_date: name(month) for month in months}
    return lambda span: labels[span.start]
