"""From blocks, entries, targets and locks to cells; asks the database nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from kpis.choices import DimensionCode, Grain, PeriodState
from kpis.engine import specs
from kpis.engine.cells import (
    Cell,
    block_group,
    cohort_cell,
    formula_cell,
    ratio_cell,
    score_cell,
    simple_cell,
)
from kpis.engine.graph import needed
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
    Window,
)
from kpis.engine.status import Status, StatusInput, achievement, judge
from kpis.engine.targets import TargetPart, derive_longer, derive_shorter
from kpis.engine.values import Absence, Value
from kpis.engine.windows import WindowReading, clv_cell, repeat_cell, retention_cell, window_parts
from kpis.models import KpiNode, LockedCell, Metric, MetricSnapshot
from kpis.selectors.matrix.axes import Members, Periods
from kpis.selectors.matrix.loading import Blocks, Definition, Definitions, Entries, Locks, Snapshots, Stream, Targets
from kpis.selectors.matrix.shapes import KpiMatrix, MatrixMember, MatrixNode, MatrixPeriod, MatrixQuery

CellsByCode = Mapping[str, list[list[Cell]]]

_COLUMNS = ("value", "numerator", "denominator", "target", "upper", "achievement", "status", "absence")
_NOT_APPLICABLE = Cell(Absence.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Computation:
    """All that was loaded for one query; `nodes` are all of the tree, `shown` those that were asked for."""

    query: MatrixQuery
    now: datetime
    today: date
    currency: str
    nodes: Sequence[KpiNode]
    shown: Sequence[KpiNode]
    periods: Periods
    members: Members
    definitions: Definitions
    streams: Mapping[str, Stream]
    blocks: Blocks
    entries: Entries
    targets: Targets
    locks: Locks
    snapshots: Snapshots

    def matrix(self) -> KpiMatrix:
        """Every cell asked for, in columns."""
        cells = self._compute()
        by_code = {row.metric.code: row for row in self.nodes if row.metric}
        columns: dict[str, list[list[list[object]]]] = {name: [] for name in _COLUMNS}
        for row in self.shown:
            sides = self._sides(row, by_code)
            for name in _COLUMNS:
                columns[name].append([])
            for m in range(len(self.members.shown)):
                line = [self._column(row, m, p, cells, sides) for p in range(len(self.periods.asked))]
                for name in _COLUMNS:
                    columns[name][-1].append([each[name] for each in line])
        return KpiMatrix(
            tree=self.query.tree,
            grain=self.query.grain,
            currency=self.currency,
            generated_at=self.now,
            periods=self.periods.asked,
            members=self.members.shown,
            nodes=tuple(self._node(row) for row in self.shown),
            **columns,  # type: ignore[arg-type]
        )

    def _compute(self) -> CellsByCode:
        """Code → cells [member][period], in the order in which formulas need one another."""
        cells: dict[str, list[list[Cell]]] = {}
        for code, definition in self.definitions.items():
            cells[code] = [
                [self._cell(definition, m, p, cells) for p in range(len(self.periods.asked))]
                for m in range(len(self.members.shown))
            ]
        return cells

    def _cell(self, definition: Definition, m: int, p: int, cells: CellsByCode) -> Cell:
        member, period = self.members.shown[m], self.periods.asked[p]
        number, spec = definition.at(period.start)
        match spec:
            case Simple():
                return self._simple(spec, member, period)
            case Ratio(numerator, denominator):
                return ratio_cell(self._simple(numerator, member, period), self._simple(denominator, member, period))
            case Formula():
                formula = definition.formulas[number]
                return formula_cell(formula, {name: cells[name][m][p].value for name in formula.names if name in cells})
            case Manual():
                return Cell(self._manual(definition.metric, member, period))
            case Conversion():
                sides = self._terms(specs.conversion_sides(spec), member, period)
                if spec.basis == "period":
                    return ratio_cell(*sides)
                return cohort_cell(*sides, is_mature=period.end + timedelta(days=spec.window_days) <= self.today)
            case Retention(measure="renewal_rate"):
                return ratio_cell(*self._terms(specs.renewal_sides(spec), member, period))
            case Score(survey):
                return score_cell(survey, *self._terms(specs.score_sides(spec), member, period))
            case Snapshot(measure):
                return _snapshot_cell(self.snapshots.get((measure, period.start, member.id)))
            case Retention() | Repeat() | Clv():
                return self._customers(spec, member, period)

    def _terms(self, terms: Sequence[Simple], member: MatrixMember, period: MatrixPeriod) -> list[Cell]:
        return [self._simple(term, member, period) for term in terms]

    def _customers(self, spec: Retention | Repeat | Clv, member: MatrixMember, period: MatrixPeriod) -> Cell:
        """Windows are kept by the month and longer."""
        if self.query.grain == Grain.WEEK:
            return _NOT_APPLICABLE
        readings = [
            WindowReading(
                window_parts(term, self.blocks.get((block_group(term), period.start, member.id), {})),
                is_covered=self._is_covered(term.fact, period),
                is_over=period.end <= self.today,
            )
            for term in specs.terms(spec)
            if isinstance(term, Window)
        ]
        match spec:
            case Retention():
                return retention_cell(spec, readings[0])
            case Repeat():
                return repeat_cell(spec, readings[0])
            case Clv():
                return clv_cell(spec, *readings)

    def _is_covered(self, fact: str, period: MatrixPeriod) -> bool:
        """Whether the fact's stream was loaded for the period, so that no case means none."""
        stream = self.streams.get(fact)
        return bool(stream and stream.covered_from and stream.covered_from < period.end and period.start <= self.today)

    def _simple(self, term: Simple, member: MatrixMember, period: MatrixPeriod) -> Cell:
        if term.credit == "overlay" and self.query.dimension not in {DimensionCode.PERSON, DimensionCode.TEAM}:
            return _NOT_APPLICABLE
        measures = self.blocks.get((block_group(term), period.start, member.id), {})
        return simple_cell(term, measures, is_covered=self._is_covered(term.fact, period))

    def _manual(self, metric: Metric, member: MatrixMember, period: MatrixPeriod) -> Value:
        """Typed values: flows add up where every month that has begun is there, stocks take the last."""
        typed = self.entries.get((metric.pk, member.id))
        if typed is None:
            is_typed_here = any(key[0] == metric.pk and key[1] is not None for key in self.entries)
            if self.query.grain == Grain.WEEK or (member.id is not None and not is_typed_here):
                return Absence.NOT_APPLICABLE
            return Absence.MISSING
        starts = self.periods.base_starts[period.start]
        values = [typed[start] for start in starts if start in typed]
        if not values:
            return Absence.MISSING
        if len(starts) == 1 or metric.accumulation == "stock":
            return values[-1]
        if any(start not in typed and start <= self.today for start in starts):
            return Absence.MISSING
        return sum(values, Decimal(0)) if metric.accumulation == "sum" else Absence.NOT_APPLICABLE

    def _target(
        self, row: KpiNode, member: MatrixMember, period: MatrixPeriod, sides: tuple[KpiNode, KpiNode] | None
    ) -> tuple[Decimal | None, Decimal | None]:
        """Target and upper bound at the asked grain, derived from the node's own frequency."""
        own = self.targets.get((row.pk, member.id), {})
        if not own or row.metric is None:
            return None, None
        if self.query.grain == row.frequency:
            found = own.get(period.start)
            return (found.value, found.upper) if found else (None, None)
        accumulation = row.metric.accumulation
        if self.query.grain == Grain.WEEK:
            month = self.periods.week_month[period.start]
            found = own.get(month)
            total = self.periods.month_days.get(month, 0)
            return (
                derive_shorter(accumulation, found.value if found else None, period.business_days, total),
                derive_shorter(accumulation, found.upper if found else None, period.business_days, total),
            )
        starts = self.periods.base_starts[period.start]
        planned = [self.targets.get((side.pk, member.id), {}) for side in sides] if sides else [{}, {}]
        parts = [
            TargetPart(
                own[start].value if start in own else None,
                planned[0][start].value if start in planned[0] else None,
                planned[1][start].value if start in planned[1] else None,
            )
            for start in starts
        ]
        uppers = [TargetPart(own[start].upper if start in own else None) for start in starts]
        return derive_longer(accumulation, parts), derive_longer(accumulation, uppers)

    def _sides(self, row: KpiNode, by_code: Mapping[str, KpiNode]) -> tuple[KpiNode, KpiNode] | None:
        """The nodes whose targets plan a rate: those of a formula that is one code divided by another."""
        definition = self.definitions.get(row.metric.code) if row.metric else None
        if definition is None or not self.periods.asked:
            return None
        _number, spec = definition.at(self.periods.asked[-1].start)
        if not isinstance(spec, Formula):
            return None
        codes = [each.strip() for each in spec.expression.split("/")]
        found = [by_code[code] for code in codes if code in by_code]
        return (found[0], found[1]) if len(codes) == len(found) == 2 else None

    def _column(
        self, row: KpiNode, m: int, p: int, cells: CellsByCode, sides: tuple[KpiNode, KpiNode] | None
    ) -> dict[str, object]:
        member, period = self.members.shown[m], self.periods.asked[p]
        lock = self.locks.get((row.pk, period.start, member.id))
        if lock is not None and period.state == PeriodState.CLOSED:
            return _locked_column(lock)
        cell = cells[row.metric.code][m][p] if row.metric and row.metric.code in cells else _NOT_APPLICABLE
        return _live_column(row, period, cell, *self._target(row, member, period, sides))

    def _node(self, row: KpiNode) -> MatrixNode:
        definition = self.definitions.get(row.metric.code) if row.metric else None
        if definition is None:
            return MatrixNode(row, None, None, False)
        number, spec = definition.at(self.periods.asked[-1].start if self.periods.asked else self.today)
        references = {code: each.names for code, each in self.definitions.items()}
        facts = {
            term.fact
            for code in needed(references, [definition.metric.code])
            if code in self.definitions
            for term in self.definitions[code].terms
        }
        streams = [self.streams.get(fact) for fact in facts]
        times = [stream.as_of if stream else None for stream in streams]
        if isinstance(spec, Snapshot):
            times.append(
                max((row.taken_at for row in self.snapshots.values() if row.measure == spec.measure), default=None)
            )
        as_of = None if not times or None in times else min(time for time in times if time)
        return MatrixNode(row, number, as_of, any(stream and stream.is_stale for stream in streams))


def _snapshot_cell(row: MetricSnapshot | None) -> Cell:
    if row is None:
        return Cell(Absence.MISSING)
    return Cell(Absence(row.absence) if row.value is None else row.value, row.numerator, row.denominator)


def _live_column(
    row: KpiNode, period: MatrixPeriod, cell: Cell, target: Decimal | None, upper: Decimal | None
) -> dict[str, object]:
    metric = row.metric
    status, reached = Status.NONE, None
    if metric is not None:
        status = judge(
            StatusInput(
                state=period.state,
                accumulation=metric.accumulation,
                direction=metric.direction,
                actual=cell.value,
                target=target,
                upper=upper,
                elapsed=period.elapsed,
                total=period.business_days,
            )
        )
        reached = achievement(cell.value, target, metric.direction, upper)
    return {
        "value": _number(cell.value),
        "numerator": _number(cell.numerator),
        "denominator": _number(cell.denominator),
        "target": target,
        "upper": upper,
        "achievement": reached,
        "status": str(status),
        "absence": str(cell.value) if isinstance(cell.value, Absence) else None,
    }


def _locked_column(lock: LockedCell) -> dict[str, object]:
    return {
        "value": lock.value,
        "numerator": lock.numerator,
        "denominator": lock.denominator,
        "target": lock.target,
        "upper": None,
        "achievement": lock.achievement,
        "status": lock.status,
        "absence": lock.absence or None,
    }


def _number(value: Value | None) -> Decimal | None:
    return None if isinstance(value, Absence) else value
