"""The answer as a page shows it: rows with names, in the reader's language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from kpis.choices import Grain
from kpis.engine.back_calculation import (
    Assumption,
    LeadSource,
    LeadTime,
    MonthSpan,
    Plan,
    Scenario,
    Step,
    Swing,
    under,
)
from kpis.models import Period
from kpis.selectors.back_calculation import WorkedBack, month_namer
from kpis.selectors.back_calculation.targets import NodeTargets
from kpis.selectors.back_calculation.wording import lead_words, month_words, rate_words, stage_words
from kpis.selectors.calendar import period_namer

NEARLY_ALL = Decimal("0.95")


@dataclass(frozen=True)
class StepRow:
    """One step with its name, the months in which most of it is needed ("first" and "last" label), and its doubts.

    `lead` says how long before the order that is, and where this is known from; `shares` how the months share it, each
    as (months before the order, share); empty where all of it is needed at once.
    """

    name: str
    step: Step
    rate_name: str
    first: str
    last: str
    lead: str
    shares: tuple[tuple[str, Decimal], ...]
    warnings: tuple[str, ...]

    @property
    def assumption(self) -> Assumption | None:
        return self.step.assumption


@dataclass(frozen=True)
class ScenarioRow:
    """One number in all scenarios, in their order; None where a scenario does not reach it."""

    name: str
    unit: str
    values: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class SwingRow:
    """One rate, 10 % lower and higher: what is then needed of the farthest stage, against the plan's own number."""

    name: str
    unit: str
    swing: Swing
    stage_name: str
    needed: Decimal


@dataclass(frozen=True)
class MonthRow:
    """A node's planned targets, one for each column; None where there is none."""

    row: NodeTargets
    unit: str
    values: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class MonthTable:
    """Planned targets month by month."""

    labels: tuple[str, ...]
    rows: tuple[MonthRow, ...]


def step_rows(worked: WorkedBack, plan: Plan) -> list[StepRow]:
    """The steps of one scenario."""
    places, name_of = worked.basis.places, month_namer()

    def label(months: Sequence[MonthSpan], place: int) -> str:
        return name_of(months[place]) if months else ""

    return [
        StepRow(
            name=stage_words(step.stage, places),
            step=step,
            rate_name=rate_words(step.assumption.code, places) if step.assumption else "",
            first=label(step.months, 0),
            last=label(step.months, -1),
            lead=lead_words(step.lead_time),
            shares=tuple(_shares(step.lead_time)),
            warnings=tuple(issue.translated(_) for issue in step.warnings),
        )
        for step in plan.steps
    ]


def _shares(lead_time: LeadTime | None) -> Iterator[tuple[str, Decimal]]:
    """The shares month by month until nearly all is told, and what lies before that in one."""
    if lead_time is None or lead_time.source != LeadSource.PROFILE:
        return
    told = Decimal(0)
    for months, share in enumerate(lead_time.profile.shares):
        if told >= NEARLY_ALL:
            yield _("earlier"), 1 - told
            return
        told += share
        if share:
            yield month_words(months), share


def scenario_rows(worked: WorkedBack) -> tuple[list[ScenarioRow], list[ScenarioRow]]:
    """What is assumed, and what is then needed, side by side."""
    question, places = worked.question, worked.basis.places
    assert question is not None
    used = [under(question, each).assumptions for each in Scenario]
    plans = [{step.stage: step.needed for step in worked.plan(each).steps} for each in Scenario]
    standard = worked.plan().steps
    codes = [step.assumption.code for step in standard if step.assumption]
    assumed = [
        ScenarioRow(rate_words(code, places), used[0][code].unit, tuple(each[code].value for each in used))
        for code in codes
    ]
    needed = [
        ScenarioRow(stage_words(step.stage, places), "count", tuple(plan.get(step.stage) for plan in plans))
        for step in standard
    ]
    return assumed, needed


def swing_rows(worked: WorkedBack) -> list[SwingRow]:
    """The rates on the way, each 10 % lower and higher."""
    places = worked.basis.places
    needed = {step.stage: step.needed for step in worked.plan().steps}
    assumptions = worked.question.assumptions if worked.question else {}
    return [
        SwingRow(
            name=rate_words(swing.code, places),
            unit=assumptions[swing.code].unit,
            swing=swing,
            stage_name=stage_words(swing.stage, places),
            needed=needed[swing.stage],
        )
        for swing in worked.swings
    ]


def month_table(rows: Sequence[NodeTargets]) -> MonthTable:
    """Planned targets of the nodes that are kept by the month."""
    monthly = [row for row in rows if row.node.frequency == Grain.MONTH]
    starts = sorted({each.period_start for row in monthly for each in row.planned})
    name = period_namer()
    periods = Period.objects.select_related("fiscal_year").filter(grain=Grain.MONTH, start_date__in=starts)
    labels = {period.start_date: name(period) for period in periods}
    return MonthTable(
        labels=tuple(labels[start] for start in starts),
        rows=tuple(MonthRow(row, _unit(row), tuple(_values(row, starts))) for row in monthly),
    )


def _values(row: NodeTargets, starts: Sequence[date]) -> Iterator[Decimal | None]:
    planned = {each.period_start: each.value for each in row.planned}
    for start in starts:
        yield planned.get(start)


def _unit(row: NodeTargets) -> str:
    return row.node.metric.unit if row.node.metric is not None else "count"
