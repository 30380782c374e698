"""What an applied back-calculation would write: targets beside those that are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from django.db.models import Count, Q

from kpis.choices import Grain, PeriodState
from kpis.engine.back_calculation import MonthSpan, Need, Plan, as_target, divide
from kpis.models import CalendarDay, KpiNode, Period, Target
from kpis.selectors.back_calculation.places import Places


class Fate(StrEnum):
    """What becomes of one planned target."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    LOCKED = "locked"  # the period is closed
    EARLIER = "earlier"  # before the day from which targets are to change
    OUTSIDE = "outside"  # the month belongs to another fiscal year than the tree


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """One target that follows from the goal; `current` is the one in force, None where there is none."""

    period_start: date
    value: Decimal
    current: Decimal | None
    fate: Fate

    @property
    def is_written(self) -> bool:
        return self.fate in (Fate.NEW, Fate.CHANGED)


@dataclass(frozen=True, slots=True)
class NodeTargets:
    """The planned targets of one node in order; `is_flow`: they add up over the year."""

    node: KpiNode
    is_flow: bool
    planned: tuple[PlannedTarget, ...]

    def count(self, *fates: str) -> int:
        """How many planned targets come to one of these."""
        return sum(each.fate in fates for each in self.planned)

    @property
    def written_count(self) -> int:
        return self.count(Fate.NEW, Fate.CHANGED)

    @property
    def kept_count(self) -> int:
        """Planned, but not written: closed, too early, or of another year."""
        return self.count(Fate.LOCKED, Fate.EARLIER, Fate.OUTSIDE)

    @property
    def planned_total(self) -> Decimal | None:
        """What the plan asks for in all, or the one value that holds throughout."""
        return self._whole([each.value for each in self.planned])

    @property
    def current_total(self) -> Decimal | None:
        """The same of the targets in force; None where one is missing or they differ."""
        values = [each.current for each in self.planned if each.current is not None]
        return self._whole(values) if len(values) == len(self.planned) else None

    def _whole(self, values: Sequence[Decimal]) -> Decimal | None:
        if self.is_flow:
            return sum(values, Decimal(0)) if values else None
        return values[0] if len(set(values)) == 1 else None


def plan_targets(places: Places, plan: Plan, *, has_goal: bool, first: date | None = None) -> list[NodeTargets]:
    """The planned targets of every node on the way, the goal's first; four queries.

    Targets are written on the official line, at the node's own frequency: the weeks that begin in a month share its
    number by their business days. `has_goal`: the question began at the KGI, whose targets are the goal itself. Nothing
    before `first` is to change.
    """
    wanted = list(_wanted(places, plan, has_goal=has_goal))
    periods = _periods(places)
    current = {
        (row.node_id, row.period_start): row.standing
        for row in Target.objects.filter(
            node__in=[node for node, _needs, _is_flow in wanted], line=places.tree.official_line, member=None
        )
    }
    days = _week_days(places) if any(node.frequency == Grain.WEEK for node, _needs, _is_flow in wanted) else {}
    return [
        NodeTargets(node, is_flow, tuple(_planned(node, parts, periods, current, first)))
        for node, needs, is_flow in wanted
        for parts in [_at_frequency(node, needs, periods, days, is_flow=is_flow)]
    ]


def _wanted(places: Places, plan: Plan, *, has_goal: bool) -> Iterator[tuple[KpiNode, Sequence[Need], bool]]:
    if has_goal and places.goal is not None:
        yield places.goal, plan.goal, True
    for step in plan.steps:
        assumption = step.assumption
        rate = places.node_of(assumption.code) if assumption else None
        if assumption is not None and rate is not None:
            yield rate, [Need(need.month, as_target(assumption)) for need in plan.goal], False
        node = places.node_of(step.stage)
        if node is not None and node != places.goal:
            yield node, step.targets, True


_Periods = Mapping[str, Mapping[date, Period]]


def _periods(places: Places) -> _Periods:
    """Months and weeks of the tree's year by their start."""
    found: dict[str, dict[date, Period]] = {Grain.MONTH: {}, Grain.WEEK: {}}
    rows = Period.objects.filter(grain__in=found, fiscal_year__start_year=places.tree.fiscal_year)
    for row in rows.order_by("start_date"):
        found[row.grain][row.start_date] = row
    return found


def _week_days(places: Places) -> dict[date, int]:
    """Start of a week → its business days."""
    days = CalendarDay.objects.order_by().values("week").annotate(n=Count("day", filter=Q(is_business_day=True)))
    return dict(days.values_list("week", "n"))


def _at_frequency(
    node: KpiNode, needs: Sequence[Need], periods: _Periods, days: Mapping[date, int], *, is_flow: bool
) -> list[tuple[date, Decimal]]:
    """(start, value) at the node's own frequency."""
    merged: dict[MonthSpan, Decimal] = {}
    for need in needs:
        merged[need.month] = merged.get(need.month, Decimal(0)) + need.value if is_flow else need.value
    if node.frequency != Grain.WEEK:
        return [(month.start, value) for month, value in merged.items()]
    parts: list[tuple[date, Decimal]] = []
    for month, value in merged.items():
        weeks = [start for start in periods[Grain.WEEK] if month.start <= start < month.end]
        weights = [Decimal(days.get(start, 0)) for start in weeks]
        values = (
            divide(value, weights, is_whole=value == value.to_integral_value()) if is_flow else [value] * len(weeks)
        )
        parts += zip(weeks, values, strict=True)
    return parts


def _planned(
    node: KpiNode,
    parts: Sequence[tuple[date, Decimal]],
    periods: _Periods,
    current: Mapping[tuple[int, date], Decimal],
    first: date | None,
) -> Iterator[PlannedTarget]:
    for start, value in parts:
        there = current.get((node.pk, start))
        period = periods[node.frequency].get(start)
        yield PlannedTarget(start, value, there, _fate(period, value, there, first))


def _fate(period: Period | None, value: Decimal, current: Decimal | None, first: date | None) -> Fate:
    if period is None:
        return Fate.OUTSIDE
    if current == value:
        return Fate.SAME
    if period.state == PeriodState.CLOSED:
        return Fate.LOCKED
    if first is not None and period.start_date < first:
        return Fate.EARLIER
    return Fate.NEW if current is None else Fate.CHANGED
