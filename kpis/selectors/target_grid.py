"""The targets of a tree as a grid that people fill in: rows are KPIs, or the members of a dimension for one KPI."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import OuterRef, Q, Subquery

from kpis.choices import DimensionCode, Direction, Level, PeriodState, RequestStatus
from kpis.engine.spreading import Gap, gap_between
from kpis.engine.targets import TargetPart, derive_longer
from kpis.models import DimensionMember, KpiNode, KpiTree, Period, Person, Target, TargetRequestCell, TargetRevision
from kpis.selectors.calendar import period_namer
from kpis.selectors.visibility import Sight
from tenants.settings.selectors import company_settings

MayWrite = Callable[[KpiNode, DimensionMember | None], bool]


@dataclass(frozen=True)
class GridQuery:
    """Which targets: one line of a tree at one frequency, of the company or of a dimension's members for `node`."""

    tree: KpiTree
    line: str
    grain: str
    dimension: str = DimensionCode.COMPANY
    node: KpiNode | None = None


@dataclass(frozen=True)
class GridColumn:
    """One period of the tree's fiscal year; nothing is written into a closed one."""

    start: date
    label: str
    short_label: str
    is_locked: bool


@dataclass(frozen=True)
class GridCell:
    """One target as first set (当初) and as it stands (現行), None where none is set; `reason` is its last setting's.

    `proposed` is what waits for approval (None: to be removed), where something `is_waiting`.
    """

    start: date
    is_locked: bool
    value: Decimal | None = None
    upper: Decimal | None = None
    initial: Decimal | None = None
    initial_upper: Decimal | None = None
    reason: str = ""
    proposed: Decimal | None = None
    is_waiting: bool = False

    @property
    def is_changed(self) -> bool:
        return (self.value, self.upper) != (self.initial, self.initial_upper)


@dataclass(frozen=True)
class GridRow:
    """The targets of one node for the company or one member, one cell per column; `depth` below another row.

    `left_on` is the last day of a person who has left: what stands in later columns is held by nobody.
    """

    node: KpiNode
    member: DimensionMember | None
    name: str
    depth: int
    is_writable: bool
    cells: tuple[GridCell, ...]
    left_on: date | None = None

    @property
    def accumulation(self) -> str:
        return self.node.metric.accumulation if self.node.metric else ""

    @property
    def unit(self) -> str:
        return self.node.metric.unit if self.node.metric else ""

    @property
    def is_range(self) -> bool:
        return self.node.metric is not None and self.node.metric.direction == Direction.RANGE

    @property
    def total(self) -> Decimal | None:
        """The year, where the periods decide it."""
        return derive_longer(self.accumulation, [TargetPart(cell.value) for cell in self.cells])

    @property
    def initial_total(self) -> Decimal | None:
        return derive_longer(self.accumulation, [TargetPart(cell.initial) for cell in self.cells])


@dataclass(frozen=True)
class TargetGrid:
    """A whole grid. `top` is the company's row above the members' rows; `gaps` compares it per column with their sum.

    Both are there only where the members' targets add up to the company's and the reader sees all members.
    """

    query: GridQuery
    currency: str
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    top: GridRow | None = None
    gaps: tuple[Gap | None, ...] = ()

    @property
    def is_writable(self) -> bool:
        return any(row.is_writable for row in self.rows)


def grid_nodes(tree: KpiTree) -> list[KpiNode]:
    """The nodes of a tree that can have targets, in the tree's order: parents before their children."""
    rows = list(tree.nodes.select_related("tree", "metric", "responsible").order_by("position", "id"))
    return [row for row in _in_tree_order(rows) if row.level != Level.KSF and row.metric is not None]


def read_target_grid(query: GridQuery, *, sight: Sight, may_write: MayWrite) -> TargetGrid:
    """The grid as the reader may see it; `may_write` says which rows he may change. At most ten queries."""
    columns = read_columns(query)
    reader = _Reader(query, columns, _load_targets(query), _load_proposed(query), may_write)
    if query.node is None:
        nodes = [node for node in grid_nodes(query.tree) if node.frequency == query.grain]
        rows = tuple(reader.row(node, None, node.name, 0) for node in nodes)
        return TargetGrid(query, company_settings().currency, columns, rows)
    aimed = {member for _node, member, _start in reader.targets if member is not None}
    members = grid_members(query.dimension, sight=sight, also=aimed)
    left = _load_leaving(query, [member.pk for member, _depth in members])
    rows = tuple(
        reader.row(query.node, member, str(member.name), depth, left.get(member.pk)) for member, depth in members
    )
    is_additive = query.node.metric is not None and query.node.metric.accumulation == "sum"
    top = reader.row(query.node, None, query.node.name, 0) if is_additive else None
    gaps = tuple(_gaps(top, rows, len(columns))) if top and query.dimension not in sight.members else ()
    return TargetGrid(query, company_settings().currency, columns, rows, top if gaps else None, gaps)


def read_columns(query: GridQuery) -> tuple[GridColumn, ...]:
    """The periods of the tree's fiscal year at the query's frequency."""
    periods = Period.objects.select_related("fiscal_year").filter(
        grain=query.grain, fiscal_year__start_year=query.tree.fiscal_year
    )
    name, short = period_namer(), period_namer(short=True)
    return tuple(
        GridColumn(period.start_date, name(period), short(period), period.state == PeriodState.CLOSED)
        for period in periods.order_by("start_date")
    )


def grid_members(
    dimension: str, *, sight: Sight, also: Sequence[int] | set[int] = ()
) -> list[tuple[DimensionMember, int]]:
    """The members in sight that are in use or named in `also`, each below its parent, with its depth.

    The unassigned member is what is not allocated to anybody (未配賦) and comes last.
    """
    shown = DimensionMember.objects.filter(Q(is_active=True) | Q(pk__in=also), dimension__code=dimension)
    rows = [row for row in shown.order_by("is_unassigned", "name", "id") if sight.allows(dimension, row.pk)]
    by_id = {row.pk: row for row in rows}
    children: dict[int | None, list[DimensionMember]] = {}
    for row in rows:
        children.setdefault(row.parent_id if row.parent_id in by_id else None, []).append(row)

    def below(parent: int | None, depth: int) -> Iterator[tuple[DimensionMember, int]]:
        for row in children.get(parent, ()):
            yield row, depth
            yield from below(row.pk, depth + 1)

    return list(below(None, 0))


_TargetKey = tuple[int, int | None, date]


def _load_targets(query: GridQuery) -> dict[_TargetKey, Target]:
    reason = TargetRevision.objects.filter(target=OuterRef("pk")).order_by("-number").values("reason")
    rows = Target.with_removed.filter(node__tree=query.tree, line=query.line).annotate(reason=Subquery(reason[:1]))
    if query.node is not None:
        rows = rows.filter(node=query.node)
    rows = rows.filter(dimension__in={query.dimension, DimensionCode.COMPANY})
    return {(row.node_id, row.member_id, row.period_start): row for row in rows}


def _load_leaving(query: GridQuery, members: Sequence[int]) -> dict[int | None, date | None]:
    """The last day of every person among the members who has left."""
    if query.dimension != DimensionCode.PERSON:
        return {}
    left = Person.objects.filter(member__in=members, left_on__isnull=False)
    return dict(left.values_list("member_id", "left_on"))


def _load_proposed(query: GridQuery) -> dict[_TargetKey, Decimal | None]:
    """What waits for approval."""
    cells = TargetRequestCell.objects.filter(
        request__tree=query.tree,
        request__status=RequestStatus.WAITING,
        line=query.line,
        dimension__in={query.dimension, DimensionCode.COMPANY},
    )
    return {(cell.node_id, cell.member_id, cell.period_start): cell.value for cell in cells}


@dataclass(frozen=True)
class _Reader:
    query: GridQuery
    columns: tuple[GridColumn, ...]
    targets: Mapping[_TargetKey, Target]
    proposed: Mapping[_TargetKey, Decimal | None]
    may_write: MayWrite

    def row(
        self, node: KpiNode, member: DimensionMember | None, name: str, depth: int, left_on: date | None = None
    ) -> GridRow:
        cells = tuple(self._cell(node, member, column) for column in self.columns)
        return GridRow(node, member, name, depth, self.may_write(node, member), cells, left_on)

    def _cell(self, node: KpiNode, member: DimensionMember | None, column: GridColumn) -> GridCell:
        key = (node.pk, member.pk if member else None, column.start)
        target, proposed, is_waiting = self.targets.get(key), self.proposed.get(key), key in self.proposed
        if target is None:
            return GridCell(column.start, column.is_locked, proposed=proposed, is_waiting=is_waiting)
        return GridCell(
            column.start,
            column.is_locked,
            target.value,
            target.upper,
            target.initial_value,
            target.initial_upper,
            getattr(target, "reason", None) or "",
            proposed,
            is_waiting,
        )


def _gaps(top: GridRow, rows: Sequence[GridRow], count: int) -> Iterator[Gap | None]:
    """Company against the rows that stand below nothing else, column by column."""
    roots = [row for row in rows if row.depth == 0]
    for index in range(count):
        yield gap_between(top.cells[index].value, {number: row.cells[index].value for number, row in enumerate(roots)})


def _in_tree_order(rows: Sequence[KpiNode]) -> Iterator[KpiNode]:
    children: dict[int | None, list[KpiNode]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)

    def below(parent: int | None) -> Iterator[KpiNode]:
        for row in children.get(parent, ()):
            yield row
            yield from below(row.pk)

    return below(None)
