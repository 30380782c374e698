"""The targets of one fiscal year for the periods of another, for a tree that is copied."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.db.models import Count, Q

from kpis.choices import Accumulation, DimensionCode, Grain, Unit
from kpis.engine.apportion import apportion
from kpis.engine.spreading import spread_target
from kpis.models import CalendarDay, DimensionMember, KpiNode, KpiTree, Period, Target
from kpis.selectors.calendar import months_of_year
from kpis.services.targets import TargetEntry

WHOLE = {Unit.COUNT, Unit.AMOUNT}
FINE = Decimal("0.00000001")  # of the numbers that a target is stored with

Rows = Mapping[date, Target]


@dataclass(frozen=True, slots=True)
class _Years:
    """The fiscal year whose targets are taken along, and the one that they are taken to."""

    before: int
    after: int


def moved_targets(
    *, tree: KpiTree, copies: Mapping[int, KpiNode], fiscal_year: int, growth: Decimal
) -> list[TargetEntry]:
    """What is to be set on the copies (key of the original → copy): every target of the tree, a period for a period.

    Of the company and of every member who is there when the year begins, on every line. Sums grow and stay whole where
    they are counts or money; what members add up to a total, they do again. Rates, averages and stocks stay. Weeks are
    not the same from year to year: what a month's weeks add up to goes to its weeks by business days, a level to the
    week of the same number. Periods that the other year does not have are left out.
    """
    years = _Years(tree.fiscal_year, fiscal_year)
    rows = Target.objects.select_related("node__metric", "member").filter(node__tree=tree, node__metric__isnull=False)
    series: dict[tuple[int, str, int | None, str], dict[date, Target]] = defaultdict(dict)
    for row in rows.exclude(member__in=members_gone(fiscal_year=fiscal_year)):
        series[row.node_id, row.dimension, row.member_id, row.line][row.period_start] = row
    moved: list[TargetEntry] = []
    later: dict[str, Mapping[date, date]] = {}
    weeks: list[_Month] = []
    for found in series.values():
        node = next(iter(found.values())).node
        if node.frequency == Grain.WEEK:
            weeks = weeks or _weeks(years)
            moved += _by_week(found, weeks, copies[node.pk], growth)
            continue
        if node.frequency not in later:
            later[node.frequency] = _later(node.frequency, years)
        moved += _by_period(found, later[node.frequency], copies[node.pk], growth)
    return _whole(moved)


def members_gone(*, fiscal_year: int) -> list[int]:
    """Members who are not there any more when a fiscal year begins: withdrawn, a person who left, a team that ended."""
    months = months_of_year(fiscal_year)
    if not months:
        return []
    begins = months[0].start_date
    gone = Q(is_active=False) | Q(person__left_on__lte=begins) | Q(team__ends_on__lte=begins)
    return list(DimensionMember.objects.filter(gone).values_list("pk", flat=True))


def _starts(grain: str, year: int) -> list[date]:
    rows = Period.objects.filter(grain=grain, fiscal_year__start_year=year).order_by("start_date")
    return list(rows.values_list("start_date", flat=True))


def _later(grain: str, years: _Years) -> Mapping[date, date]:
    """The periods of one year → those of the other, in their order."""
    return dict(zip(_starts(grain, years.before), _starts(grain, years.after), strict=False))


def _by_period(rows: Rows, later: Mapping[date, date], copy: KpiNode, growth: Decimal) -> Iterator[TargetEntry]:
    for start, row in rows.items():
        if start in later:
            factor = growth if _is_sum(copy) else Decimal(1)
            yield _entry(row, copy, later[start], row.standing * factor, row.upper and row.upper * factor)


@dataclass(frozen=True, slots=True)
class _Month:
    """The weeks that begin in a month, those of the same month of the other year, and how much of a sum each takes."""

    before: Sequence[date]
    after: Sequence[date]
    weights: Mapping[date, Decimal]


def _weeks(years: _Years) -> list[_Month]:
    before, after = (_weeks_by_month(year) for year in (years.before, years.after))
    days = CalendarDay.objects.filter(week__in=[week for month in after for week in month], is_business_day=True)
    counted = dict(days.order_by().values("week").annotate(n=Count("pk")).values_list("week", "n"))
    found = []
    for old, new in zip(before, after, strict=False):
        worked = {week: Decimal(counted[week]) for week in new if week in counted}
        found.append(_Month(old, new, worked or dict.fromkeys(new, Decimal(1))))
    return found


def _weeks_by_month(year: int) -> list[list[date]]:
    months = [month.start_date for month in months_of_year(year)]
    found: list[list[date]] = [[] for _month in months]
    for week in _starts(Grain.WEEK, year):
        found[max((n for n, start in enumerate(months) if start <= week), default=0)].append(week)
    return found


def _by_week(rows: Rows, months: Sequence[_Month], copy: KpiNode, growth: Decimal) -> Iterator[TargetEntry]:
    for month in months:
        found = [rows[week] for week in month.before if week in rows]
        if not found:
            continue
        if not _is_sum(copy):
            for n, week in enumerate(month.after):
                row = found[min(n, len(found) - 1)]
                yield _entry(row, copy, week, row.standing, row.upper)
            continue
        weights = list(month.weights.values())
        lower = _spread(sum((row.standing for row in found), Decimal(0)) * growth, weights, copy)
        tops = [row.upper for row in found if row.upper is not None]
        upper = _spread(sum(tops, Decimal(0)) * growth, weights, copy) if tops else [None] * len(lower)
        for week, value, top in zip(month.weights, lower, upper, strict=True):
            yield _entry(found[0], copy, week, value, top)


def _spread(total: Decimal, weights: Sequence[Decimal], node: KpiNode) -> Sequence[Decimal]:
    step = _step(node)
    return spread_target(Accumulation.SUM, apportion([total], step)[0], weights, step=step).parts


def _entry(row: Target, copy: KpiNode, start: date, value: Decimal, upper: Decimal | None) -> TargetEntry:
    return TargetEntry(copy, start, value, upper, row.dimension, row.member, row.line)


def _is_sum(node: KpiNode) -> bool:
    return node.metric is not None and node.metric.accumulation == Accumulation.SUM


def _step(node: KpiNode) -> Decimal:
    return Decimal(1) if node.metric is not None and node.metric.unit in WHOLE else FINE


def _whole(entries: Sequence[TargetEntry]) -> list[TargetEntry]:
    """Sums in whole units; members who add up to the company's total before the rounding do so after it."""
    totals = {
        (entry.node.pk, entry.period_start, entry.line): entry.value
        for entry in entries
        if entry.dimension == DimensionCode.COMPANY
    }
    groups: dict[tuple[int, date, str, str], list[TargetEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.node.pk, entry.period_start, entry.line, entry.dimension].append(entry)
    found: list[TargetEntry] = []
    for (node, start, line, _dimension), group in groups.items():
        step = _step(group[0].node)
        if not _is_sum(group[0].node):
            found += group
            continue
        values = [entry.value for entry in group if entry.value is not None]
        if sum(values, Decimal(0)) == totals.get((node, start, line)):
            rounded = list(apportion(values, step))
        else:
            rounded = [apportion([value], step)[0] for value in values]
        for entry, value in zip(group, rounded, strict=True):
            upper = None if entry.upper is None else max(apportion([entry.upper], step)[0], value)
            found.append(replace(entry, value=value, upper=upper))
    return found
