"""Locking what closed periods show: one LockedCell per node, period, dimension and member."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from kpis.choices import DimensionCode, Grain, TreeStatus
from kpis.models import Dimension, KpiTree, LockedCell, MetricVersion, Period
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

Versions = dict[int, list[MetricVersion]]


def lock_cells(*, periods: Sequence[Period], now: datetime) -> int:
    """Store the live cells of closed periods, in place of what was locked there; returns how many.

    Weeks are locked for the nodes that are kept by the week only. A cell without value is locked with its absence.
    """
    dimensions = [DimensionCode.COMPANY.value, *Dimension.objects.filter(is_active=True).values_list("code", flat=True)]
    versions = _versions()
    count = 0
    for grain in Grain:
        starts = {period.start_date: period.end_date for period in periods if period.grain == grain}
        if not starts:
            continue
        LockedCell.objects.filter(grain=grain, period_start__in=starts).exclude(
            node__tree__status=TreeStatus.RETIRED
        ).delete()
        for tree in KpiTree.objects.exclude(status=TreeStatus.RETIRED):
            for dimension in dimensions:
                query = MatrixQuery(
                    tree=tree,
                    grain=grain,
                    start=min(starts),
                    end=max(starts.values()),
                    dimension=dimension,
                    codes=_codes(tree, grain),
                    is_live=True,
                )
                if query.codes:
                    cells = _cells(build_matrix(query, now=now), dimension, set(starts), versions, now)
                    count += len(LockedCell.objects.bulk_create(cells, batch_size=2000))
    return count


def _codes(tree: KpiTree, grain: str) -> list[str]:
    nodes = tree.nodes.filter(metric__isnull=False)
    if grain == Grain.WEEK:
        nodes = nodes.filter(frequency=Grain.WEEK)
    return list(nodes.values_list("code", flat=True))


def _versions() -> Versions:
    """Metric → its versions, the latest in force first."""
    versions: Versions = {}
    for version in MetricVersion.objects.order_by("number"):
        versions.setdefault(version.metric_id, []).append(version)
    for each in versions.values():
        each.sort(key=lambda version: (version.effective_from or date.min, version.number), reverse=True)
    return versions


def _in_force(versions: Sequence[MetricVersion], day: date) -> MetricVersion | None:
    """The version that the matrix computes a period by."""
    for version in versions:
        if (version.effective_from or date.min) <= day:
            return version
    return versions[-1] if versions else None


def _cells(
    matrix: KpiMatrix, dimension: str, starts: set[date], versions: Versions, now: datetime
) -> Iterator[LockedCell]:
    for n, node in enumerate(matrix.nodes):
        for m, member in enumerate(matrix.members):
            for p, period in enumerate(matrix.periods):
                if period.start not in starts:
                    continue
                cell = LockedCell(
                    node=node.row,
                    metric_version=_in_force(versions.get(node.row.metric_id or 0, []), period.start),
                    grain=matrix.grain,
                    period_start=period.start,
                    dimension=dimension,
                    member_id=member.id,
                    target=matrix.target[n][m][p],
                    numerator=matrix.numerator[n][m][p],
                    denominator=matrix.denominator[n][m][p],
                    value=matrix.value[n][m][p],
                    absence=matrix.absence[n][m][p] or "",
                    achievement=matrix.achievement[n][m][p],
                    status=matrix.status[n][m][p] or "none",
                    locked_at=now,
                )
                cell.content_hash = _content_hash(cell, member.code)
                yield cell


def _content_hash(cell: LockedCell, member: str | None) -> str:
    """A fingerprint of what was locked, independent of database ids."""
    version = cell.metric_version
    content = [
        cell.node.code,
        version.number if version else None,
        cell.grain,
        cell.period_start.isoformat(),
        cell.dimension,
        member,
        *(_text(number) for number in (cell.target, cell.numerator, cell.denominator, cell.value)),
        cell.absence,
        cell.status,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number.normalize(), "f")
