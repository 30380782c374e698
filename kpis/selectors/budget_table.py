"""The table of target beside actual (予実表) of a fiscal year: by KPI, or one KPI by team or person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from django.utils import timezone

from kpis.choices import DimensionCode, Grain, Level
from kpis.engine.budget import BudgetPart, cumulate, variance, year_on_year
from kpis.engine.status import achievement
from kpis.engine.values import Absence
from kpis.models import KpiNode, KpiTree, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.selectors.target_grid import grid_members
from kpis.selectors.visibility import Sight

GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.HALF, Grain.YEAR)
OVER, RUNNING, AHEAD = "over", "running", "ahead"


@dataclass(frozen=True)
class BudgetQuery:
    """A tree with one of its target lines; the company's KPIs, or `node` by the members of a dimension.

    `is_cumulative`: every month together with those before it, instead of months with quarters, halves and the year.
    """

    tree: KpiTree
    line: str = "official"
    dimension: str = DimensionCode.COMPANY
    node: KpiNode | None = None
    is_cumulative: bool = False


@dataclass(frozen=True)
class BudgetColumn:
    """One period. `phase`: over (a month that has ended), running, or ahead, where there is a target only.

    `is_border`: the first column ahead, so that nobody reads a target as an actual.
    """

    row: Period
    label: str
    short_label: str
    state: str
    phase: str
    is_border: bool = False

    @property
    def grain(self) -> str:
        return self.row.grain

    @property
    def is_total(self) -> bool:
        return self.row.grain != Grain.MONTH


@dataclass(frozen=True)
class BudgetCell:
    """Target and actual of one period with what follows from them; None where it cannot be said.

    `before` is the value of the same period of the year before, `year_on_year` a ratio (of rates a difference).
    """

    part: BudgetPart
    variance: Decimal | None
    achievement: Decimal | None
    before: Decimal | None
    year_on_year: Decimal | None
    absence: str | None
    status: str = "none"

    @property
    def value(self) -> Decimal | None:
        return self.part.value

    @property
    def target(self) -> Decimal | None:
        return self.part.target


@dataclass(frozen=True)
class BudgetRow:
    """A KPI, or a member; a KSF is a heading without cells. `depth` below another row."""

    node: KpiNode
    member_code: str | None
    name: str
    depth: int
    cells: tuple[BudgetCell, ...]

    @property
    def unit(self) -> str:
        return self.node.metric.unit if self.node.metric else ""

    @property
    def accumulation(self) -> str:
        return self.node.metric.accumulation if self.node.metric else ""

    @property
    def direction(self) -> str:
        return self.node.metric.direction if self.node.metric else "up"


@dataclass(frozen=True)
class BudgetTable:
    """The whole table; `lead` is the KGI (or the KPI shown) from the start of the year through the last month over."""

    query: BudgetQuery
    currency: str
    columns: tuple[BudgetColumn, ...]
    rows: tuple[BudgetRow, ...]
    lead: tuple[BudgetRow, BudgetColumn, BudgetCell] | None


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
class _Reader:
    """The matrices of this year and the one before, by grain."""

    query: BudgetQuery
    periods: Mapping[str, list[Period]]
    matrices: Mapping[str, KpiMatrix]
    places: Mapping[tuple[str, int, int], int]  # grain, fiscal year, ordinal → index of the period

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
        return cls(query, periods, matrices, places)

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
        return BudgetPart(*(column[node][member][index] for column in columns))

    def cell(self, node: int, member: int, row: Period) -> BudgetCell:
        """One period by itself, as the matrix says it."""
        matrix, index = self.matrices[row.grain], self.index(row)
        part = self.part(node, member, row)
        metric = matrix.nodes[node].row.metric
        before = self.part(node, member, row, years_before=1).value
        if index is None or metric is None:
            return BudgetCell(part, None, None, before, None, str(Absence.NOT_APPLICABLE))
        return BudgetCell(
            part,
            variance(part, metric.direction),
            matrix.achievement[node][member][index],
            before,
            year_on_year(part.value, before, metric.accumulation),
            matrix.absence[node][member][index],
            matrix.status[node][member][index] or "none",
        )

    def running(self, node: int, member: int) -> list[BudgetCell]:
        """Each month together with those before it."""
        months = self.periods[Grain.MONTH]
        metric = self.months.nodes[node].row.metric
        if metric is None:
            return []
        parts = cumulate(metric.accumulation, [self.part(node, member, row) for row in months])
        past = cumulate(metric.accumulation, [self.part(node, member, row, years_before=1) for row in months])
        return [
            BudgetCell(
                part,
                variance(part, metric.direction),
                achievement(
                    Absence.MISSING if part.value is None else part.value, part.target, metric.direction, part.upper
                ),
                before.value,
                year_on_year(part.value, before.value, metric.accumulation),
                None if part.value is not None else str(Absence.MISSING),
            )
            for part, before in zip(parts, past, strict=True)
        ]


def _columns(reader: _Reader, today: date) -> Iterator[BudgetColumn]:
    """Months with each quarter, half and the year behind the last month that it holds."""
    name, short = period_namer(), period_namer(short=True)
    rows = [row for grain in reader.matrices for row in reader.periods[grain]]
    order = {grain: number for number, grain in enumerate(GRAINS)}
    is_first_ahead = True
    for row in sorted(rows, key=lambda row: (row.end_date, order[Grain(row.grain)])):
        index = reader.index(row)
        state = reader.matrices[row.grain].periods[index].state if index is not None else row.state
        phase = AHEAD if row.start_date > today else (OVER if row.end_date <= today else RUNNING)
        is_border = phase == AHEAD and row.grain == Grain.MONTH and is_first_ahead
        is_first_ahead = is_first_ahead and not is_border
        yield BudgetColumn(row, name(row), short(row), state, phase, is_border)


def _rows(reader: _Reader, columns: Sequence[BudgetColumn], sight: Sight) -> Iterator[BudgetRow]:
    matrix, query = reader.months, reader.query
    if query.node is None:
        by_node = {node.row.pk: number for number, node in enumerate(matrix.nodes)}
        for row, depth in _nested([node.row for node in matrix.nodes]):
            is_heading = row.level == Level.KSF
            cells = () if is_heading else _cells(reader, by_node[row.pk], 0, columns)
            yield BudgetRow(row, None, row.name, depth, cells)
        return
    depths = {member.code: depth for member, depth in grid_members(query.dimension, sight=sight)}
    order = list(depths)
    found = [(number, member) for number, member in enumerate(matrix.members) if member.code in depths]
    for number, member in sorted(found, key=lambda each: order.index(str(each[1].code))):
        cells = _cells(reader, 0, number, columns)
        if any(cell.value or cell.target is not None for cell in cells):
            yield BudgetRow(query.node, member.code, member.name, depths[str(member.code)], cells)


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
