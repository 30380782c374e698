"""The table of target beside actual (予実表) of a fiscal year: by KPI, or one KPI by team or person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, product

from django.utils import timezone

from kpis.choices import Accumulation, Grain, Level
from kpis.engine import specs
from kpis.engine.budget import BudgetPart, cumulate, variance, year_on_year
from kpis.engine.scoring import Method
from kpis.engine.status import achievement
from kpis.engine.values import Absence
from kpis.models import KpiNode, Period
from kpis.selectors.budget_shapes import (
    AHEAD,
    OVER,
    RUNNING,
    BudgetCell,
    BudgetColumn,
    BudgetQuery,
    BudgetRow,
    BudgetTable,
)
from kpis.selectors.calendar import period_namer
from kpis.selectors.landings import Landing, read_open_landings
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.selectors.matrix.loading import Definitions, is_additive_on, load_definitions
from kpis.selectors.matrix.shapes import OFFICIAL
from kpis.selectors.open_restatements import LateNumber, LatePlace, read_late_numbers
from kpis.selectors.target_grid import grid_members
from kpis.selectors.visibility import Sight

GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.HALF, Grain.YEAR)
ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
ROUNDING = Decimal("1e-9")  # locked numbers are kept with so many decimals that twelve of them stay below


def read_budget_table(query: BudgetQuery, *, sight: Sight, now: datetime) -> BudgetTable:
    """The table as the reader may see it; a fixed number of queries. Empty where the calendar lacks the fiscal year."""
    today = timezone.localdate(now)
    grains = (Grain.MONTH,) if query.is_cumulative else GRAINS
    periods = _periods_of(query.tree.fiscal_year)
    if not periods[Grain.MONTH]:
        return BudgetTable(query, "", (), (), None)
    reader = _Reader.load(query, grains, periods, sight, now)
    columns = tuple(_columns(reader, today))
    rows = tuple(_rows(reader, columns, sight))
    return BudgetTable(query, reader.currency, columns, rows, _lead(reader, rows, today))


def _periods_of(year: int) -> Mapping[str, list[Period]]:
    rows = Period.objects.select_related("fiscal_year").filter(fiscal_year__start_year=year, grain__in=GRAINS)
    found: dict[str, list[Period]] = {grain: [] for grain in GRAINS}
    for row in rows.order_by("start_date"):
        found[row.grain].append(row)
    return found


@dataclass(frozen=True)
class Adding:
    """How months of a metric go together: whether at all, and by what Σ numerator ÷ Σ denominator is multiplied."""

    is_additive: bool = True
    factor: Decimal = ONE


def _adding(node: KpiNode, definitions: Definitions, days: Sequence[date]) -> Adding:
    if node.metric is None or node.metric.code not in definitions:
        return Adding()
    is_additive = is_additive_on(node.metric.code, definitions, days)
    own = [definitions[node.metric.code].at(day)[1] for day in days]
    is_nps = any(isinstance(spec, specs.Score) and spec.survey == "nps" for spec in own)
    return Adding(is_additive, HUNDRED if is_nps else ONE)


def _late(
    query: BudgetQuery, matrix: KpiMatrix, grains: Sequence[str], months: Sequence[Period]
) -> Mapping[LatePlace, LateNumber]:
    """What waits for a decision of what is shown; of live numbers nothing does."""
    if query.org == "now" or query.line != OFFICIAL:
        return {}
    found = read_late_numbers(
        nodes=[node.row.pk for node in matrix.nodes],
        grains=grains,
        start=months[0].start_date,
        end=months[-1].end_date,
        dimension=query.dimension,
    )
    shown = {member.id for member in matrix.members}
    return {place: number for place, number in found.items() if place[-1] in shown}


@dataclass(frozen=True)
class _Reader:
    """The matrices of this year and the one before, by grain."""

    query: BudgetQuery
    periods: Mapping[str, list[Period]]
    matrices: Mapping[str, KpiMatrix]
    places: Mapping[tuple[str, int, int], int]  # grain, fiscal year, ordinal → index of the period
    landings: Mapping[tuple[int, int], Mapping[int | None, Landing]]  # node, month → member
    adding: Sequence[Adding]  # of each node
    late: Mapping[LatePlace, LateNumber]
    today: date

    @classmethod
    def load(
        cls, query: BudgetQuery, grains: Sequence[str], periods: Mapping[str, list[Period]], sight: Sight, now: datetime
    ) -> "_Reader":
        months = periods[Grain.MONTH]
        start, end = months[0].start_date - timedelta(days=366), months[-1].end_date
        matrices = {
            grain: build_matrix(
                MatrixQuery(
                    tree=query.tree,
                    grain=grain,
                    start=start,
                    end=end,
                    dimension=query.dimension,
                    org=query.org,
                    codes=[query.node.code] if query.node else None,
                    line=query.line,
                    member_ids=sight.members.get(query.dimension),
                ),
                now=now,
            )
            for grain in grains
        }
        places = {
            (grain, period.row.fiscal_year.start_year, period.row.ordinal): index
            for grain, matrix in matrices.items()
            for index, period in enumerate(matrix.periods)
        }
        own = [places[Grain.MONTH, row.fiscal_year.start_year, row.ordinal] for row in months]
        by_month = matrices[Grain.MONTH]
        landings = read_open_landings(
            by_month,
            dimension=query.dimension,
            now=now,
            places=list(product(range(len(by_month.nodes)), own if by_month.members else [])),
        )
        codes = {node.row.metric.code for node in by_month.nodes if node.row.metric}
        definitions, days = load_definitions(codes), [row.start_date for row in months]
        adding = [_adding(node.row, definitions, days) for node in by_month.nodes]
        late = _late(query, by_month, grains, months)
        return cls(query, periods, matrices, places, landings, adding, late, timezone.localdate(now))

    @property
    def currency(self) -> str:
        return self.months.currency

    @property
    def months(self) -> KpiMatrix:
        return self.matrices[Grain.MONTH]

    def index(self, row: Period, years_before: int = 0) -> int | None:
        return self.places.get((row.grain, row.fiscal_year.start_year - years_before, row.ordinal))

    def part(self, node: int, member: int, row: Period, years_before: int = 0) -> BudgetPart:
        index = self.index(row, years_before)
        if index is None:
            return BudgetPart()
        matrix = self.matrices[row.grain]
        columns = (matrix.value, matrix.numerator, matrix.denominator, matrix.target, matrix.upper)
        value, numerator, denominator, target, upper = (column[node][member][index] for column in columns)
        absence, cases = matrix.absence[node][member][index], matrix.cases.get((node, member, index))
        return BudgetPart(value, numerator, denominator, target, upper, absence, cases)

    def cell(self, node: int, member: int, row: Period) -> BudgetCell:
        """One period by itself, as the matrix says it."""
        matrix, index = self.matrices[row.grain], self.index(row)
        before = self.part(node, member, row, years_before=1).value
        if index is None:
            return BudgetCell(BudgetPart().without(Absence.NOT_APPLICABLE), None, None, before, None)
        part, months = self.part(node, member, row), self._months_in(row)
        cell = self._cell(node, member, part, before, months)
        is_judged = cell.landing is None and row.start_date <= self.today
        return replace(
            cell,
            achievement=matrix.achievement[node][member][index] if is_judged else cell.achievement,
            status=matrix.status[node][member][index] or "none",
            beyond_months=self._beyond(node, member, part.value, months) if row.grain != Grain.MONTH else None,
            late=self.late.get((matrix.nodes[node].row.pk, row.grain, row.start_date, matrix.members[member].id)),
        )

    def _beyond(self, node: int, member: int, value: Decimal | None, months: Sequence[Period]) -> Decimal | None:
        """Value − Σ months, where a closed month shows what was locked and the longer period what is live."""
        metric = self.months.nodes[node].row.metric
        is_sum = metric is not None and metric.accumulation == Accumulation.SUM and self.adding[node].is_additive
        parts = [self.part(node, member, month) for month in months if month.start_date <= self.today]
        # Too few cases to be shown are in the longer period all the same; a month that is missing adds nothing to it.
        if value is None or not is_sum or any(part.absence not in {None, Absence.MISSING} for part in parts):
            return None
        difference = value - sum((part.value or ZERO for part in parts), ZERO)
        return difference if abs(difference) > ROUNDING else None

    def _cell(
        self, node: int, member: int, part: BudgetPart, before: Decimal | None, months: Sequence[Period]
    ) -> BudgetCell:
        """A cell over these months, judged by its landing where it has one."""
        metric = self.months.nodes[node].row.metric
        assert metric is not None
        landing, landing_absence = self._landing(node, member, months)
        is_ahead = months[0].start_date > self.today
        judged = replace(part, value=landing if is_ahead or landing is not None else part.value)
        value = Absence.MISSING if judged.value is None else judged.value
        return BudgetCell(
            part,
            variance(judged, metric.direction),
            achievement(value, part.target, metric.direction, part.upper, metric.achievement_formula),
            before,
            year_on_year(judged.value, before, metric.accumulation),
            landing,
            landing_absence,
        )

    def _months_in(self, row: Period) -> list[Period]:
        return [each for each in self.periods[Grain.MONTH] if row.start_date <= each.start_date < row.end_date]

    def _landing(self, node: int, member: int, months: Sequence[Period]) -> tuple[Decimal | None, str | None]:
        """Where the last of these months and all before it will end together, or why nobody can say."""
        if months[-1].end_date <= self.today:
            return None, None
        metric = self.months.nodes[node].row.metric
        is_sum = metric is not None and metric.accumulation == Accumulation.SUM
        if not is_sum or (len(months) > 1 and not self.adding[node].is_additive):
            return None, str(Absence.NOT_APPLICABLE)
        expected = [self._expected(node, member, row) for row in months]
        absence = next((reason for value, reason in expected if value is None), None)
        if absence is not None:
            return None, absence
        return sum((value for value, _reason in expected if value is not None), ZERO), None

    def _expected(self, node: int, member: int, row: Period) -> tuple[Decimal | None, str]:
        """What one month came to, or where it will end; else the reason."""
        if row.end_date <= self.today:
            part = self.part(node, member, row)
            return part.value, part.absence or ""
        index = self.index(row)
        found = self.landings.get((node, -1 if index is None else index), {}).get(self.months.members[member].id)
        if found is None:
            return None, str(Absence.NOT_APPLICABLE)
        if found.shown is not None:
            return found.shown.value, ""
        return None, next(view.absence or "" for view in found.views if view.method == Method.PACE)

    def running(self, node: int, member: int) -> list[BudgetCell]:
        """Each month together with those before it."""
        months = self.periods[Grain.MONTH]
        metric = self.months.nodes[node].row.metric
        if metric is None:
            return []
        parts, past = (
            cumulate(
                metric.accumulation,
                [self.part(node, member, row, years_before) for row in months],
                is_additive=self.adding[node].is_additive,
                factor=self.adding[node].factor,
            )
            for years_before in (0, 1)
        )
        return [
            self._cell(node, member, part, before.value, months[: number + 1])
            for number, (part, before) in enumerate(zip(parts, past, strict=True))
        ]


def phase_of(row: Period, today: date) -> str:
    if row.start_date > today:
        return AHEAD
    return OVER if row.end_date <= today else RUNNING


def _columns(reader: _Reader, today: date) -> Iterator[BudgetColumn]:
    """Months with each quarter, half and the year behind the last month that it holds."""
    name, short = period_namer(), period_namer(short=True)
    rows = [row for grain in reader.matrices for row in reader.periods[grain]]
    order = {grain: number for number, grain in enumerate(GRAINS)}
    is_first_ahead = True
    for row in sorted(rows, key=lambda row: (row.end_date, order[Grain(row.grain)])):
        index = reader.index(row)
        state = reader.matrices[row.grain].periods[index].state if index is not None else row.state
        phase = phase_of(row, today)
        is_border = phase == AHEAD and row.grain == Grain.MONTH and is_first_ahead
        is_first_ahead = is_first_ahead and not is_border
        late = sum((grain, start) == (row.grain, row.start_date) for _node, grain, start, _member in reader.late)
        yield BudgetColumn(row, name(row), short(row), state, phase, is_border, late)


def _rows(reader: _Reader, columns: Sequence[BudgetColumn], sight: Sight) -> Iterator[BudgetRow]:
    matrix, query = reader.months, reader.query
    if query.node is None:
        by_node = {node.row.pk: number for number, node in enumerate(matrix.nodes)}
        for row, depth in _nested([node.row for node in matrix.nodes]):
            is_heading = row.level == Level.KSF
            cells = () if is_heading else _cells(reader, by_node[row.pk], 0, columns)
            node = matrix.nodes[by_node[row.pk]]
            yield BudgetRow(row, None, row.name, depth, cells, node.is_stale, node.as_of)
        return
    depths = {member.code: depth for member, depth in grid_members(query.dimension, sight=sight)}
    order = list(depths)
    found = [(number, member) for number, member in enumerate(matrix.members) if member.code in depths]
    for number, member in sorted(found, key=lambda each: order.index(str(each[1].code))):
        cells = _cells(reader, 0, number, columns)
        if any(cell.value or cell.landing or cell.target is not None for cell in cells):
            depth, shown = depths[str(member.code)], matrix.nodes[0]
            yield BudgetRow(query.node, member.code, member.shown_name, depth, cells, shown.is_stale, shown.as_of)


def _cells(reader: _Reader, node: int, member: int, columns: Sequence[BudgetColumn]) -> tuple[BudgetCell, ...]:
    if reader.query.is_cumulative:
        return tuple(reader.running(node, member))
    return tuple(reader.cell(node, member, column.row) for column in columns)


def _lead(reader: _Reader, rows: Sequence[BudgetRow], today: date) -> tuple[BudgetRow, BudgetColumn, BudgetCell] | None:
    """The company's KGI, where it stands through the last month that is over."""
    matrix = reader.months
    goal = next((number for number, node in enumerate(matrix.nodes) if node.row.level == Level.KGI), None)
    over = [number for number, row in enumerate(reader.periods[Grain.MONTH]) if row.end_date <= today]
    if goal is None or not over or reader.query.node is not None or not matrix.members:
        return None
    cell = reader.running(goal, 0)[over[-1]]
    row = next((row for row in rows if row.node.pk == matrix.nodes[goal].row.pk), None)
    if row is None or cell.value is None or cell.target is None:
        return None
    month = reader.periods[Grain.MONTH][over[-1]]
    name = period_namer()(month)
    return row, BudgetColumn(month, name, name, month.state, OVER), cell


def _nested(rows: Sequence[KpiNode]) -> Iterator[tuple[KpiNode, int]]:
    """Parents before their children, with their depth."""
    known = {row.pk for row in rows}
    ordered = sorted(rows, key=lambda row: row.parent_id if row.parent_id in known else 0)
    children = {
        parent: list(group)
        for parent, group in groupby(ordered, key=lambda row: row.parent_id if row.parent_id in known else None)
    }

    def below(parent: int | None, depth: int) -> Iterator[tuple[KpiNode, int]]:
        for row in children.get(parent, ()):
            yield row, depth
            yield from below(row.pk, depth + 1)

    return below(None, 0)
