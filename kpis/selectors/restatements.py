"""Where live numbers differ from those that were locked when their period was closed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby, islice

from django.db.models import F, Max, Min, Q, QuerySet

from kpis.choices import DimensionCode, RestatementVerdict, TreeStatus
from kpis.models import Dimension, DimensionMember, KpiNode, KpiTree, LockedCell, Period, RestatementDecision
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.selectors.visibility import Sight

EXACT_TO = Decimal("1e-14")  # as locked cells are stored


@dataclass(frozen=True, slots=True)
class CellNumbers:
    """What a cell says."""

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    absence: str | None


@dataclass(frozen=True, slots=True)
class Restatement:
    """One locked cell whose numbers would be others today.

    `refusal`: the decision by which just these live numbers were refused, so that the locked ones stand; None while it
    is open.
    """

    cell: LockedCell
    live: CellNumbers
    refusal: RestatementDecision | None = None

    @property
    def locked(self) -> CellNumbers:
        cell = self.cell
        return CellNumbers(cell.value, cell.numerator, cell.denominator, cell.absence or None)


def find_restatements(
    *,
    tree: KpiTree | None,
    grain: str,
    dimension: str,
    start: date | None,
    end: date | None,
    member_ids: frozenset[int] | None,
    nodes: Collection[int] | None = None,
    now: datetime,
) -> list[Restatement]:
    """Locked cells of one grain and dimension that differ from live, by tree, node and period.

    Without a tree all trees in use are compared, without dates all closed periods. One live matrix per tree. `nodes`
    narrows to these (their primary keys).
    """
    trees = [tree] if tree is not None else KpiTree.objects.exclude(status=TreeStatus.RETIRED)
    found: list[Restatement] = []
    for each in trees:
        cells = LockedCell.objects.filter(node__tree=each, grain=grain, dimension=dimension)
        if nodes is not None:
            cells = cells.filter(node__in=nodes)
        if start is not None:
            cells = cells.filter(period_start__gte=start)
        if end is not None:
            cells = cells.filter(period_start__lt=end)
        span = cells.aggregate(first=Min("period_start"), last=Max("period_start"))
        if span["first"] is None:
            continue
        query = MatrixQuery(
            tree=each,
            grain=grain,
            start=span["first"],
            end=span["last"] + date.resolution,
            dimension=dimension,
            is_live=True,
            member_ids=member_ids,
        )
        found += _differences(cells, build_matrix(query, now=now))
    return _with_refusals(found, grain)


def find_restatements_of(
    period: Period, *, sight: Sight, nodes: Collection[int] | None = None, now: datetime
) -> list[Restatement]:
    """All locked cells of one period that differ from live and may be seen: the company's first, then each dimension's.

    One live matrix for each tree and dimension.
    """
    if not LockedCell.objects.filter(grain=period.grain, period_start=period.start_date).exists():
        return []
    dimensions = [DimensionCode.COMPANY.value, *Dimension.objects.filter(is_active=True).values_list("code", flat=True)]
    return [
        found
        for dimension in dimensions
        for found in find_restatements(
            tree=None,
            grain=period.grain,
            dimension=dimension,
            start=period.start_date,
            end=period.end_date,
            member_ids=sight.members.get(dimension),
            nodes=nodes,
            now=now,
        )
    ]


@dataclass(frozen=True)
class Decision:
    """What was decided at once about one node: the company's cell, or where only segments differed the first of
    theirs, and how many more cells of segments went with it."""

    row: RestatementDecision
    other_count: int


def read_decisions(period: Period, *, sight: Sight, limit: int) -> list[Decision]:
    """What was decided about a period, latest first, of the company and the members in sight."""
    rows = RestatementDecision.objects.filter(grain=period.grain, period_start=period.start_date)
    for dimension, members in sight.members.items():
        rows = rows.exclude(Q(dimension=dimension, member__isnull=False) & ~Q(member__in=members))
    rows = rows.order_by("-decided_at", "node__position", "node", F("member").asc(nulls_first=True), "id")
    told = rows.select_related("node__metric", "member", "actor")
    groups = groupby(told, key=lambda row: (row.decided_at, row.node_id, row.verdict))
    return [Decision(next(group), sum(1 for _row in group)) for _key, group in islice(groups, limit)]


def find_refusal(
    node: KpiNode, period: Period, dimension: str, member: DimensionMember | None
) -> RestatementDecision | None:
    """The latest decision about one cell, where that was to let the locked number stand."""
    rows = RestatementDecision.objects.filter(
        node=node, grain=period.grain, period_start=period.start_date, dimension=dimension, member=member
    )
    latest = rows.select_related("actor").first()
    return latest if latest is not None and latest.verdict == RestatementVerdict.REFUSED else None


Key = tuple[int, date, str, int | None]


def _with_refusals(found: list[Restatement], grain: str) -> list[Restatement]:
    """Each with the latest decision about its cell, where that refused what is live now."""
    if not found:
        return []
    rows = RestatementDecision.objects.filter(
        grain=grain,
        node__in={each.cell.node_id for each in found},
        period_start__in={each.cell.period_start for each in found},
        dimension__in={each.cell.dimension for each in found},
    )
    latest: dict[Key, RestatementDecision] = {}
    for row in rows.select_related("actor").order_by("decided_at", "id"):
        latest[row.node_id, row.period_start, row.dimension, row.member_id] = row
    return [replace(each, refusal=_refusal(latest.get(_key(each.cell)), each.live)) for each in found]


def _key(cell: LockedCell) -> Key:
    return cell.node_id, cell.period_start, cell.dimension, cell.member_id


def _refusal(decision: RestatementDecision | None, live: CellNumbers) -> RestatementDecision | None:
    if decision is None or decision.verdict != RestatementVerdict.REFUSED:
        return None
    refused = CellNumbers(
        decision.new_value, decision.new_numerator, decision.new_denominator, decision.new_absence or None
    )
    return decision if refused == live else None


def _differences(cells: QuerySet[LockedCell], live: KpiMatrix) -> list[Restatement]:
    """By node, period and member. Nearly all of very many cells say what they said: only the others are read whole."""
    now_at = _live_reader(live)
    differing: dict[int, CellNumbers] = {}
    for cell in cells.values_list(
        "pk", "node_id", "period_start", "member_id", "value", "numerator", "denominator", "absence", named=True
    ):
        now = now_at(cell.node_id, cell.period_start, cell.member_id)
        locked = CellNumbers(cell.value, cell.numerator, cell.denominator, cell.absence or None)
        if now is not None and now != locked:
            differing[cell.pk] = now
    rows = cells.filter(pk__in=differing).select_related("node__tree", "node__metric", "member")
    return [Restatement(row, differing[row.pk]) for row in rows.order_by("node_id", "period_start", "member_id")]


def _live_reader(matrix: KpiMatrix) -> Callable[[int, date, int | None], CellNumbers | None]:
    """What a matrix says of a node, first day and member, as exact as locked numbers; None of what it does not hold."""
    nodes = {node.row.pk: n for n, node in enumerate(matrix.nodes)}
    members = {member.id: m for m, member in enumerate(matrix.members)}
    periods = {period.start: p for p, period in enumerate(matrix.periods)}

    def read(node: int, start: date, member: int | None) -> CellNumbers | None:
        if node not in nodes or start not in periods or member not in members:
            return None
        n, m, p = nodes[node], members[member], periods[start]
        value, numerator, denominator = (
            _exact(grid[n][m][p]) for grid in (matrix.value, matrix.numerator, matrix.denominator)
        )
        return CellNumbers(value, numerator, denominator, matrix.absence[n][m][p])

    return read


def _exact(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(EXACT_TO)
