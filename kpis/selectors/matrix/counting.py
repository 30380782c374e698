"""From blocks, entries and snapshots to the cells of every metric, a column of members at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import assert_never

from kpis.choices import DimensionCode, Grain
from kpis.engine import specs
from kpis.engine.cells import WITHOUT_COST, Cell, block_group, cohort_cell, score_cell
from kpis.engine.columns import Column, formula_column, measures_of, ratio_column, simple_column
from kpis.engine.freshness import Coverage
from kpis.engine.inputs import typed_together
from kpis.engine.snapshots import is_told
from kpis.engine.specs import (
    Clv,
    Conversion,
    Formula,
    Manual,
    Ratio,
    Repeat,
    Retention,
    Score,
    Simple,
    Snapshot,
    Spec,
    Term,
    Window,
)
from kpis.engine.values import Absence, Value
from kpis.engine.windows import WindowReading, clv_cell, repeat_cell, retention_cell, window_parts
from kpis.models import Metric, MetricSnapshot
from kpis.selectors.matrix.axes import Periods
from kpis.selectors.matrix.loading import Blocks, Definition, Definitions, Entries, Snapshots, Stream
from kpis.selectors.matrix.shapes import MatrixMember, MatrixPeriod
from kpis.selectors.streams import Deliveries, term_coverage

Columns = Mapping[str, Sequence[Column]]
Reader = Callable[[int], Column]  # number of a period → its column

_PEOPLE = frozenset({DimensionCode.PERSON, DimensionCode.TEAM})


@dataclass(frozen=True, slots=True)
class Counting:
    """What the metrics of one query are computed from; where two `dimensions` cross, a member stands for a pair."""

    grain: str
    dimensions: tuple[str, ...]
    today: date
    periods: Periods
    members: Sequence[MatrixMember]
    definitions: Definitions
    streams: Mapping[str, Stream]
    steps: frozenset[int]  # those of a sale that the company has numbered
    blocks: Blocks
    entries: Entries
    snapshots: Snapshots

    def columns(self) -> Columns:
        """Code → a column for each period, in the order in which formulas need one another."""
        columns: dict[str, list[Column]] = {}
        for code, definition in self.definitions.items():
            readers: dict[int, Reader] = {}
            columns[code] = []
            for p, period in enumerate(self.periods.asked):
                number, spec = definition.at(period.start)
                if number not in readers:
                    readers[number] = self._reader(definition, number, spec, columns)
                columns[code].append(readers[number](p))
        return columns

    def lacking(self) -> Mapping[str, Sequence[Mapping[int | None, Decimal]]]:
        """Code → for each period: member → records without a cost, for want of which it has no gross profit.

        Codes for which no record lacks one are left out. Of a formula's parts the one that lacks most speaks for all:
        it may be the same records.
        """
        found: dict[str, list[Mapping[int | None, Decimal]]] = {}
        for code, definition in self.definitions.items():
            lacks = []
            for p, period in enumerate(self.periods.asked):
                number, spec = definition.at(period.start)
                parts = [self._without_cost(term, p) for term in specs.terms(spec)]
                named = definition.formulas[number].names if isinstance(spec, Formula) else ()
                parts += [found[name][p] for name in named if name in found]
                lacks.append(_most(parts))
            if any(lacks):
                found[code] = lacks
        return found

    def _without_cost(self, term: Term, p: int) -> Mapping[int | None, Decimal]:
        if isinstance(term, Simple) and term.field != "gross_profit":
            return {}
        suffix = WITHOUT_COST if isinstance(term, Simple) else ".without_cost"
        return self._measures(term, p).get(specs.measure_key(term) + suffix, {})

    @property
    def ids(self) -> list[int | None]:
        return [member.id for member in self.members]

    def not_applicable(self) -> Column:
        """The column of a node that says nothing of these members."""
        return Column.filled(Absence.NOT_APPLICABLE, len(self.members))

    def _reader(self, definition: Definition, number: int, spec: Spec, columns: Columns) -> Reader:
        """How one version of a metric is read; what does not depend on the period is settled here."""
        match spec:
            case Simple():
                return self._simple(spec)
            case Ratio(numerator, denominator):
                top, bottom = self._simple(numerator), self._simple(denominator)
                return lambda p: ratio_column(top(p), bottom(p))
            case Formula():
                formula = definition.formulas[number]
                named = [name for name in formula.names if name in columns]
                count = len(self.members)
                return lambda p: formula_column(formula, {name: columns[name][p] for name in named}, count)
            case Manual():
                return self._each(lambda member, period: Cell(self._manual(definition.metric, member, period)))
            case Conversion():
                return self._conversion(spec)
            case Retention(measure="renewal_rate", window_months=1):
                top, bottom = self._simples(specs.renewal_sides(spec))
                return lambda p: ratio_column(top(p), bottom(p))
            case Score(survey):
                sides = self._simples(specs.score_sides(spec))
                return lambda p: Column.of(
                    score_cell(survey, *cells) for cells in zip(*(side(p).cells() for side in sides), strict=True)
                )
            case Snapshot(measure) if not all(is_told(measure, each, self.grain) for each in self.dimensions):
                return lambda _p: self.not_applicable()
            case Snapshot(measure, filters):
                metric = definition.metric.pk if filters else None
                return self._each(
                    lambda member, period: _snapshot_cell(
                        self.snapshots.get((measure, metric, period.start, member.id))
                    )
                )
            case Retention() | Repeat() | Clv():
                return self._customers(spec)
            case _:
                assert_never(spec)

    def _each(self, cell: Callable[[MatrixMember, MatrixPeriod], Cell]) -> Reader:
        return lambda p: Column.of(cell(member, self.periods.asked[p]) for member in self.members)

    def _simples(self, terms: Iterable[Simple]) -> list[Reader]:
        return [self._simple(term) for term in terms]

    def _simple(self, term: Simple) -> Reader:
        if term.credit == "overlay" and not _PEOPLE.intersection(self.dimensions):
            return lambda _p: self.not_applicable()
        ids, covered, has_steps = self.ids, self._coverage(term), specs.steps_behind(term) <= self.steps

        def read(p: int) -> Column:
            is_covered = has_steps and self._tells_none(covered, self.periods.asked[p])
            return simple_column(term, self._measures(term, p), ids, is_covered=is_covered)

        return read

    def _conversion(self, spec: Conversion) -> Reader:
        top, bottom = self._simples(specs.conversion_sides(spec))
        if spec.basis == "period":
            return lambda p: ratio_column(top(p), bottom(p))
        wait = timedelta(days=spec.window_days)
        covered = self._coverage(specs.conversion_sides(spec)[0])

        def read(p: int) -> Column:
            is_mature = covered.is_read_since(self.periods.asked[p].end + wait, self.today)
            pairs = zip(top(p).cells(), bottom(p).cells(), strict=True)
            return Column.of(cohort_cell(*sides, is_mature=is_mature) for sides in pairs)

        return read

    def _customers(self, spec: Retention | Repeat | Clv) -> Reader:
        """Windows are kept by the month and longer."""
        if self.grain == Grain.WEEK:
            return lambda _p: self.not_applicable()
        windows = [(term, self._coverage(term)) for term in specs.terms(spec) if isinstance(term, Window)]

        def read(p: int) -> Column:
            period = self.periods.asked[p]
            sides = []
            for term, covered in windows:
                stored, is_covered = self._measures(term, p), self._tells_none(covered, period)
                is_over = covered.is_read_since(period.end, self.today)
                parts = [window_parts(term, measures_of(member, stored)) for member in self.ids]
                sides.append([WindowReading(each, is_covered, is_over) for each in parts])
            return Column.of(_customer_cell(spec, readings) for readings in zip(*sides, strict=True))

        return read

    def _measures(self, term: Term, p: int) -> Mapping[str, Mapping[int | None, Decimal]]:
        """What is stored of the term's group in the period: measure key → member → number."""
        return self.blocks.get((block_group(term), self.periods.asked[p].start), {})

    @property
    def deliveries(self) -> Deliveries:
        """Fact → what each of its sources delivered."""
        return {fact: stream.deliveries for fact, stream in self.streams.items()}

    def _coverage(self, term: Term) -> Coverage:
        return term_coverage(term, self.deliveries)

    def _tells_none(self, covered: Coverage, period: MatrixPeriod) -> bool:
        return covered.tells_none(period.start, period.end, self.today)

    def _manual(self, metric: Metric, member: MatrixMember, period: MatrixPeriod) -> Value:
        """Typed values: flows add up where every month that has begun is there, stocks take the last."""
        typed = self.entries.get((metric.pk, member.id))
        if typed is None:
            is_typed_here = any(key[0] == metric.pk and key[1] is not None for key in self.entries)
            if self.grain == Grain.WEEK or (member.id is not None and not is_typed_here):
                return Absence.NOT_APPLICABLE
            return Absence.MISSING
        starts = self.periods.base_starts[period.start]
        values = [typed[start] for start in starts if start in typed]
        if not values:
            return Absence.MISSING
        if len(starts) == 1:
            return values[0]
        if metric.accumulation != "stock" and any(start not in typed and start <= self.today for start in starts):
            return Absence.MISSING
        return typed_together(values, metric.accumulation)


def _most(parts: Iterable[Mapping[int | None, Decimal]]) -> Mapping[int | None, Decimal]:
    """Member → the largest of its numbers."""
    found: dict[int | None, Decimal] = {}
    for part in parts:
        for member, count in part.items():
            found[member] = max(count, found.get(member, count))
    return found


def _customer_cell(spec: Retention | Repeat | Clv, readings: Sequence[WindowReading]) -> Cell:
    match spec:
        case Retention():
            return retention_cell(spec, readings[0])
        case Repeat():
            return repeat_cell(spec, readings[0])
        case Clv():
            return clv_cell(spec, *readings)


def _snapshot_cell(row: MetricSnapshot | None) -> Cell:
    if row is None:
        return Cell(Absence.MISSING)
    return Cell(Absence(row.absence) if row.value is None else row.value, row.numerator, row.denominator)
