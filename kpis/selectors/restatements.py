"""Where live numbers differ from those that were locked when their period was closed."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Max, Min

from kpis.choices import TreeStatus
from kpis.models import KpiTree, LockedCell
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

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
    """One locked cell whose numbers would be others today."""

    cell: LockedCell
    live: CellNumbers

    @property
    def locked(self) -> CellNumbers:
        return _locked(self.cell)


def find_restatements(
    *,
    tree: KpiTree | None,
    grain: str,
    dimension: str,
    start: date | None,
    end: date | None,
    member_ids: frozenset[int] | None,
    now: datetime,
) -> list[Restatement]:
    """Locked cells of one grain and dimension that differ from live, by tree, node and period.

    Without a tree all trees in use are compared, without dates all closed periods. One live matrix per tree.
    """
    trees = [tree] if tree is not None else KpiTree.objects.exclude(status=TreeStatus.RETIRED)
    found: list[Restatement] = []
    for each in trees:
        cells = LockedCell.objects.filter(node__tree=each, grain=grain, dimension=dimension)
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
        rows = cells.select_related("node__tree", "member").order_by("node_id", "period_start", "member_id")
        found += _differences(rows, build_matrix(query, now=now))
    return found


def _differences(cells: Iterable[LockedCell], live: KpiMatrix) -> list[Restatement]:
    numbers = _live(live)
    by_place = ((cell, numbers[cell.node_id].get((cell.period_start, cell.member_id))) for cell in cells)
    return [Restatement(cell, now) for cell, now in by_place if now is not None and now != _locked(cell)]


def _live(matrix: KpiMatrix) -> dict[int, dict[tuple[date, int | None], CellNumbers]]:
    """Node → (period, member) → numbers, as exact as locked ones."""
    found: dict[int, dict[tuple[date, int | None], CellNumbers]] = defaultdict(dict)
    for n, node in enumerate(matrix.nodes):
        for m, member in enumerate(matrix.members):
            for p, period in enumerate(matrix.periods):
                found[node.row.pk][period.start, member.id] = CellNumbers(
                    _exact(matrix.value[n][m][p]),
                    _exact(matrix.numerator[n][m][p]),
                    _exact(matrix.denominator[n][m][p]),
                    matrix.absence[n][m][p],
                )
    return found


def _locked(cell: LockedCell) -> CellNumbers:
    return CellNumbers(cell.value, cell.numerator, cell.denominator, cell.absence or None)


def _exact(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(EXACT_TO)
