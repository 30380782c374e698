"""From columns, targets and locks to the matrix; asks the database nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from kpis.choices import AchievementFormula, Grain, PeriodState
from kpis.engine.columns import Column, judged
from kpis.engine.specs import Formula, Snapshot
from kpis.engine.status import Status, StatusInput, due_now
from kpis.engine.status_rules import read_rules
from kpis.engine.targets import TargetPart, derive_longer, derive_shorter
from kpis.engine.values import Absence, Value
from kpis.models import KpiNode
from kpis.selectors.matrix.axes import Members, Periods
from kpis.selectors.matrix.counting import Columns, Counting
from kpis.selectors.matrix.freshness import Freshness, freshness
from kpis.selectors.matrix.loading import (
    Aim,
    Definitions,
    Lock,
    Locks,
    Targets,
    Usual,
    counts_each_once,
    is_additive_on,
)
from kpis.selectors.matrix.shapes import KpiMatrix, MatrixNode, MatrixPeriod, MatrixQuery

GRIDS = ("value", "numerator", "denominator", "target", "upper", "achievement", "status", "absence")

# One node in one period: for each grid the cells of all members.
Plane = list[Sequence[object]]


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
    counting: Counting
    targets: Targets
    usual: Usual
    locks: Locks

    def matrix(self) -> KpiMatrix:
        """Every cell asked for, in grids."""
        columns, ids = self.counting.columns(), self.counting.ids
        by_code = {row.metric.code: row for row in self.nodes if row.metric}
        grids: dict[str, list[list[list[object]]]] = {name: [] for name in GRIDS}
        for row in self.shown:
            sides = self._sides(row, by_code)
            planes = [self._plane(row, p, columns, sides) for p in range(len(self.periods.asked))]
            for n, name in enumerate(GRIDS):
                lines = [plane[n] for plane in planes]
                grids[name].append(list(map(list, zip(*lines, strict=True))) if lines else [[] for _ in ids])
        return KpiMatrix(
            tree=self.query.tree,
            grain=self.query.grain,
            currency=self.currency,
            generated_at=self.now,
            org=self.query.org,
            periods=self.periods.asked,
            members=self.members.shown,
            nodes=tuple(self._node(row) for row in self.shown),
            cases=dict(self._cases(columns)) | dict(self._without_cost(grids["absence"])),
            due=[[due_now(self._shared(row, period)) for period in self.periods.asked] for row in self.shown],
            **grids,  # type: ignore[arg-type]
        )

    def _cases(self, columns: Columns) -> Iterator[tuple[tuple[int, int, int], Decimal]]:
        """(node, member, period) → how many cases there were, of live cells with too few."""
        for n, row in enumerate(self.shown):
            for p, column in enumerate(columns.get(row.metric.code, ()) if row.metric else ()):
                locks = self.locks.get((row.pk, self.periods.asked[p].start), {})
                for m, count in enumerate(column.cases or ()):
                    if count is not None and self.counting.ids[m] not in locks:
                        yield (n, m, p), count

    def _without_cost(self, absence: list[list[list[object]]]) -> Iterator[tuple[tuple[int, int, int], Decimal]]:
        """(node, member, period) → records without a cost, where the cell is missing for them."""
        by_code = self.counting.lacking()
        for n, row in enumerate(self.shown):
            for p, lacks in enumerate(by_code.get(row.metric.code, ()) if row.metric else ()):
                for m, member in enumerate(self.counting.ids):
                    if member in lacks and absence[n][m][p] is Absence.MISSING:
                        yield (n, m, p), lacks[member]

    def _plane(self, row: KpiNode, p: int, columns: Columns, sides: tuple[KpiNode, KpiNode] | None) -> Plane:
        period = self.periods.asked[p]
        metric = row.metric
        column = columns[metric.code][p] if metric and metric.code in columns else None
        if column is None or metric is None:
            column = self.counting.not_applicable()
        elif self.members.moved and not is_additive_on(metric.code, self.definitions, [period.start]):
            column = self._without_moved(column)
        target, upper = self._aims(row, period, sides)
        achievement, status = judged(
            self._judged_as(row, period), column.value, target, upper, read_rules(row.status_rules)[0]
        )
        plane = [*_numbers(column), target, upper, achievement, status, _words(column)]
        locks = self.locks.get((row.pk, period.start))
        return _with_locks(plane, [locks.get(each) for each in self.counting.ids]) if locks else plane

    def _judged_as(self, row: KpiNode, period: MatrixPeriod) -> StatusInput:
        """A provisional period that its sources have not told to the end is judged like one that still runs."""
        shared = self._shared(row, period)
        if period.state != PeriodState.PROVISIONAL or row.metric is None or row.metric.code not in self.definitions:
            return shared
        is_told = self._freshness(row.metric.code, period.start).known_until >= period.end
        return shared if is_told else replace(shared, state=PeriodState.OPEN)

    def _without_moved(self, column: Column) -> Column:
        """No number of teams that are put together from several, where those do not add up."""
        moved = [member in self.members.moved for member in self.counting.ids]

        def others(side: Sequence[Value | None] | None) -> Sequence[Value | None] | None:
            return side and [None if out else each for out, each in zip(moved, side, strict=True)]

        value = [Absence.NOT_APPLICABLE if out else each for out, each in zip(moved, column.value, strict=True)]
        return Column(value, others(column.numerator), others(column.denominator))

    def _shared(self, row: KpiNode, period: MatrixPeriod) -> StatusInput:
        """What the verdicts of one node in one period share."""
        metric = row.metric
        return StatusInput(
            state=period.state,
            accumulation=metric.accumulation if metric else "",
            direction=metric.direction if metric else "up",
            elapsed=period.elapsed,
            total=period.business_days,
            usual=self.usual.get((metric.code, period.start)) if metric else None,
            formula=metric.achievement_formula if metric else AchievementFormula.DIFFERENCE,
        )

    def _aims(
        self, row: KpiNode, period: MatrixPeriod, sides: tuple[KpiNode, KpiNode] | None
    ) -> tuple[list[Decimal | None], list[Decimal | None]]:
        """Targets and upper bounds of all members at the asked grain, derived from the node's own frequency.

        None follow for what counts each thing once: no number of months makes up a quarter of it.
        """
        own = self.targets.get(row.pk, {})
        nothing: list[Decimal | None] = [None] * len(self.members.shown)
        if not own or row.metric is None:
            return nothing, nothing
        if self.query.grain == row.frequency:
            aims = own.get(period.start)
            if not aims:
                return nothing, nothing
            found = [aims.get(each) for each in self.counting.ids]
            return [each and each.value for each in found], [each and each.upper for each in found]
        if counts_each_once(row.metric.code, self.definitions):
            return nothing, nothing
        pairs = [self._derived_aim(row, own, period, member, sides) for member in self.counting.ids]
        return [value for value, _upper in pairs], [upper for _value, upper in pairs]

    def _derived_aim(
        self,
        row: KpiNode,
        own: Mapping[date, Mapping[int | None, Aim]],
        period: MatrixPeriod,
        member: int | None,
        sides: tuple[KpiNode, KpiNode] | None,
    ) -> tuple[Decimal | None, Decimal | None]:
        assert row.metric is not None
        accumulation = row.metric.accumulation
        if self.query.grain == Grain.WEEK:
            month = self.periods.week_month[period.start]
            found = own.get(month, {}).get(member)
            total = self.periods.month_days.get(month, 0)
            return (
                derive_shorter(accumulation, found and found.value, period.business_days, total),
                derive_shorter(accumulation, found and found.upper, period.business_days, total),
            )
        starts = self.periods.base_starts[period.start]
        aims = [own.get(start, {}).get(member) for start in starts]
        if not any(aims):
            return None, None
        planned = [
            [self.targets.get(side.pk, {}).get(start, {}).get(member) for start in starts] for side in sides or ()
        ] or [[None] * len(starts)] * 2
        parts = [
            TargetPart(aim and aim.value, top and top.value, bottom and bottom.value)
            for aim, top, bottom in zip(aims, *planned, strict=True)
        ]
        uppers = [TargetPart(aim and aim.upper) for aim in aims]
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

    def _node(self, row: KpiNode) -> MatrixNode:
        definition = self.definitions.get(row.metric.code) if row.metric else None
        if definition is None:
            return MatrixNode(row, None, None, False)
        day = self.periods.asked[-1].start if self.periods.asked else self.today
        number, spec = definition.at(day)
        found = self._freshness(definition.metric.code, day)
        as_of = found.as_of
        if isinstance(spec, Snapshot):
            taken = (each.taken_at for each in self.counting.snapshots.values() if each.measure == spec.measure)
            as_of = max(taken, default=None)
        return MatrixNode(row, number, as_of, found.is_stale)

    def _freshness(self, code: str, day: date) -> Freshness:
        return freshness(code, self.definitions, self.counting.streams, day=day)


def _numbers(column: Column) -> list[Sequence[object]]:
    nothing = [None] * len(column.value)
    return [
        nothing if side is None else [None if each.__class__ is Absence else each for each in side]
        for side in (column.value, column.numerator, column.denominator)
    ]


def _words(column: Column) -> list[object]:
    return [each if each.__class__ is Absence else None for each in column.value]


def _with_locks(plane: Plane, locks: Sequence[Lock | None]) -> Plane:
    """The plane with locked cells in the place of live ones."""
    locked: list[tuple[object, ...] | None] = [
        lock
        and (
            lock.value,
            lock.numerator,
            lock.denominator,
            lock.target,
            None,
            lock.achievement,
            Status(lock.status),
            Absence(lock.absence) if lock.absence else None,
        )
        for lock in locks
    ]
    return [
        [lock[n] if lock else live for lock, live in zip(locked, line, strict=True)] for n, line in enumerate(plane)
    ]
