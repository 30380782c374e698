"""Locking what closed periods show: one LockedCell per node, period, dimension and member."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from kpis.choices import DimensionCode, Grain, TreeStatus
from kpis.models import Dimension, KpiTree, LockedCell, MetricVersion, Period
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

# Closing two years at once writes tens of thousands of cells: COPY takes a third of the time of INSERT.
COLUMNS = (
    "node_id",
    "metric_version_id",
    "grain",
    "period_start",
    "dimension",
    "member_id",
    "target",
    "numerator",
    "denominator",
    "value",
    "absence",
    "achievement",
    "status",
    "content_hash",
    "locked_at",
)
Versions = dict[int, list[MetricVersion]]


def lock_states() -> None:
    """One change of states or of closed numbers at a time: a quarter sees all its months, a decision what is closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':periods'))")


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
                    count += _store(_rows(build_matrix(query, now=now), dimension, set(starts), versions, now))
    return count


def relock_cells(*, cells: Sequence[LockedCell], now: datetime) -> int:
    """Lock what is live now in place of these cells, whose node is loaded with its tree; returns how many."""
    groups: dict[tuple[KpiTree, str, str], list[LockedCell]] = {}
    for cell in cells:
        groups.setdefault((cell.node.tree, cell.grain, cell.dimension), []).append(cell)
    versions, count = _versions(), 0
    for (tree, grain, dimension), locked in groups.items():
        starts = {cell.period_start for cell in locked}
        places = {(cell.node_id, cell.period_start.isoformat(), cell.member_id) for cell in locked}
        query = MatrixQuery(
            tree=tree,
            grain=grain,
            start=min(starts),
            end=max(starts) + date.resolution,
            dimension=dimension,
            codes=list(dict.fromkeys(cell.node.code for cell in locked)),
            is_live=True,
        )
        rows = _rows(build_matrix(query, now=now), dimension, starts, versions, now)
        LockedCell.objects.filter(pk__in=[cell.pk for cell in locked]).delete()
        count += _store(row for row in rows if _place(row) in places)
    return count


def _place(row: tuple[object, ...]) -> tuple[object, ...]:
    """Node, period and member of a row."""
    return tuple(row[COLUMNS.index(name)] for name in ("node_id", "period_start", "member_id"))


def _store(rows: Iterator[tuple[object, ...]]) -> int:
    count = 0
    statement = f"COPY {LockedCell._meta.db_table} ({', '.join(COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
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


def _rows(
    matrix: KpiMatrix, dimension: str, starts: set[date], versions: Versions, now: datetime
) -> Iterator[tuple[object, ...]]:
    """One row per cell, its values in the order of `COLUMNS`."""
    for n, node in enumerate(matrix.nodes):
        known = versions.get(node.row.metric_id or 0, [])
        for p, period in enumerate(matrix.periods):
            if period.start not in starts:
                continue
            version = _in_force(known, period.start)
            for m, member in enumerate(matrix.members):
                shown = tuple(column[n][m][p] for column in (matrix.target, matrix.numerator, matrix.denominator))
                value, absence = matrix.value[n][m][p], matrix.absence[n][m][p] or ""
                status = matrix.status[n][m][p] or "none"
                place = (matrix.grain, period.start.isoformat(), dimension)
                # The fingerprint names things by code, so that it is the same in any copy of the company.
                content = [
                    node.row.code,
                    version.number if version else None,
                    *place,
                    member.code,
                    *(_text(number) for number in (*shown, value)),
                    absence,
                    status,
                ]
                yield (
                    node.row.pk,
                    version.pk if version else None,
                    *place,
                    member.id,
                    *shown,
                    value,
                    absence,
                    matrix.achievement[n][m][p],
                    status,
                    hashlib.sha256(json.dumps(content).encode()).hexdigest(),
                    now,
                )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number.normalize(), "f")
