"""Parallel checks: a typed metric's months beside those of the automatic metric that is to take its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from kpis.choices import DimensionCode, Grain, ParallelOutcome
from kpis.engine.formula import names
from kpis.engine.graph import needed
from kpis.engine.parallel import Compared, compare, equal_months
from kpis.engine.specs import Formula, Manual, Spec
from kpis.engine.values import Absence, Value
from kpis.models import KpiTree, ManualEntry, Metric, ParallelCheck, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.definitions import formula_references, newest_specs
from kpis.selectors.grounds import find_spec
from kpis.selectors.matrix import MatrixQuery, read_series
from kpis.selectors.matrix.freshness import FRESH, read_freshness

MONTHS = 12


@dataclass(frozen=True)
class CheckedMonth:
    """One month of a check; `entry` is what a person typed, with who and when."""

    period: Period
    label: str
    compared: Compared
    entry: ManualEntry | None

    @property
    def typed_absence(self) -> str:
        return "" if self.entry is None else self.entry.absence

    @property
    def automatic_absence(self) -> str:
        found = self.compared.automatic
        return str(found) if isinstance(found, Absence) else ""


@dataclass(frozen=True)
class CheckTable:
    """A check with its months, latest first, and whether enough of them in a row are equal."""

    check: ParallelCheck
    months: Sequence[CheckedMonth]
    equal_count: int

    @property
    def is_earned(self) -> bool:
        return self.equal_count >= self.check.months_needed

    @property
    def missing_count(self) -> int:
        """How many more equal months are needed."""
        return max(self.check.months_needed - self.equal_count, 0)


def read_check(check: ParallelCheck, tree: KpiTree, *, now: datetime) -> CheckTable:
    """The last twelve months that are over, of the company's numbers. `tree` is any in which the metric stands."""
    today = timezone.localdate(now)
    rows = Period.objects.select_related("fiscal_year").filter(grain=Grain.MONTH, end_date__lte=today)
    periods = list(rows.order_by("-start_date")[:MONTHS])
    typed = _typed(check.metric, [period.start_date for period in periods])
    automatic = _automatic(check.candidate, periods, tree, now)
    read_until = read_freshness([check.candidate.code], now=now).get(check.candidate.code, FRESH).known_until
    name = period_namer()
    months = []
    for period in periods:
        entry = typed.get(period.start_date)
        compared = compare(
            _value(entry),
            automatic.get(period.start_date, Absence.MISSING),
            unit=check.metric.unit,
            tolerance=check.tolerance,
            is_complete=read_until >= period.end_date,
        )
        months.append(CheckedMonth(period, name(period), compared, entry))
    return CheckTable(check, months, equal_months(month.compared.verdict for month in months))


def find_check(metric: Metric) -> ParallelCheck | None:
    """The check that runs, else the last one that ended."""
    rows = ParallelCheck.objects.filter(metric=metric).select_related("metric", "candidate", "started_by", "ended_by")
    return rows.filter(outcome=ParallelOutcome.RUNNING).first() or rows.first()


def is_typed(metric: Metric, *, day: date) -> bool:
    """Whether people type the metric on a day."""
    return isinstance(find_spec(metric, day=day), Manual)


def candidates_for(metric: Metric) -> QuerySet[Metric]:
    """The automatic metrics that measure in the same unit and add up alike, without those made of this one."""
    specs = newest_specs()
    references = formula_references()
    fitting = [code for code, spec in specs.items() if not cannot_replace(metric.code, code, spec, references)]
    rows = Metric.objects.filter(code__in=fitting, unit=metric.unit, accumulation=metric.accumulation)
    return rows.order_by("name")


def cannot_replace(code: str, candidate: str, spec: Spec, references: Mapping[str, Sequence[str]]) -> bool:
    """Whether a metric cannot take the place of another: it is typed itself, or made of the other."""
    named = names(spec.expression) if isinstance(spec, Formula) else ()
    return isinstance(spec, Manual) or code in needed(references, [candidate, *named])


def find_candidate(metric: Metric, code: str) -> Metric | None:
    """The automatic metric of that code, if it was ever set beside this one."""
    return Metric.objects.filter(code=code, pk__in=metric.parallel_checks.values("candidate")).first()


def _typed(metric: Metric, starts: Sequence[date]) -> Mapping[date, ManualEntry]:
    rows = ManualEntry.objects.filter(
        metric=metric, grain=Grain.MONTH, dimension=DimensionCode.COMPANY, period_start__in=starts
    )
    return {row.period_start: row for row in rows.select_related("entered_by")}


def _value(entry: ManualEntry | None) -> Value | None:
    if entry is None:
        return None
    return Absence(entry.absence) if entry.value is None else entry.value


def _automatic(metric: Metric, periods: Sequence[Period], tree: KpiTree, now: datetime) -> Mapping[date, Value]:
    """Start of a month → the live value."""
    if not periods:
        return {}
    first, last = periods[-1].start_date, periods[0].start_date
    query = MatrixQuery(tree=tree, grain=Grain.MONTH, start=first, end=last + timedelta(days=1), is_live=True)
    found = read_series(query, [metric.code], now=now)
    return {start: cells[metric.code].value for start, cells in found.items() if metric.code in cells}
