"""The numbers that misses, actions and agendas speak of, read from the KPI matrix and kept as JSON."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from kpis.choices import Level, PeriodState, TreeStatus, Unit
from kpis.models import DimensionMember, KpiNode, Period, Target
from kpis.selectors.matrix import MatrixQuery, build_matrix
from reviews.engine.misses import Cell, Segment
from reviews.models import AgendaItem, Miss

COMPANY = "company"
DECIMALS = ("value", "target", "numerator", "denominator", "achievement")


class CellKey(NamedTuple):
    """One number: a node, for the company (no member) or a member, in one period."""

    node_id: int
    dimension: str
    member_id: int | None
    grain: str
    period_start: datetime.date


@dataclass(frozen=True)
class Numbers:
    """What a cell shows. Without a value `absence` says why; `status` and `state` are codes of kpis.

    `is_stale`: a source it depends on is late; `as_of` is when the oldest of them came last.
    """

    value: Decimal | None = None
    target: Decimal | None = None
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    achievement: Decimal | None = None
    status: str = "none"
    absence: str | None = None
    state: str = "open"
    is_stale: bool = False
    as_of: datetime.datetime | None = None

    def to_json(self, key: CellKey, *, at: datetime.datetime) -> dict[str, Any]:
        """As it is frozen: decimals as text, with what they are of and when they were read."""
        decimals = {name: None if (number := getattr(self, name)) is None else str(number) for name in DECIMALS}
        return {
            **decimals,
            "status": self.status,
            "absence": self.absence,
            "state": self.state,
            "is_stale": self.is_stale,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "node_id": key.node_id,
            "dimension": key.dimension,
            "member_id": key.member_id,
            "grain": key.grain,
            "period_start": key.period_start.isoformat(),
            "frozen_at": at.isoformat(),
        }


def from_json(frozen: dict[str, Any]) -> tuple[CellKey, Numbers]:
    """Read back what `Numbers.to_json` wrote."""
    key = CellKey(
        frozen["node_id"],
        frozen["dimension"],
        frozen["member_id"],
        frozen["grain"],
        datetime.date.fromisoformat(frozen["period_start"]),
    )
    decimals = {name: None if frozen[name] is None else Decimal(frozen[name]) for name in DECIMALS}
    as_of = frozen.get("as_of")  # not there where it was frozen before freshness was
    numbers = Numbers(
        **decimals,
        status=frozen["status"],
        absence=frozen["absence"],
        state=frozen["state"],
        is_stale=frozen.get("is_stale", False),
        as_of=datetime.datetime.fromisoformat(as_of) if as_of else None,
    )
    return key, numbers


def numbers_of_miss(miss: Miss) -> Numbers:
    """A miss's own frozen numbers."""
    return Numbers(
        value=miss.value,
        target=miss.target,
        numerator=miss.numerator,
        denominator=miss.denominator,
        achievement=miss.achievement,
        status="missed",
        state="closed" if miss.confirmed_at else "provisional",
    )


def key_of_miss(miss: Miss) -> CellKey:
    return CellKey(miss.node_id, miss.dimension, miss.member_id, miss.grain, miss.period_start)


def key_of_item(item: AgendaItem, *, today: datetime.date) -> CellKey | None:
    """The number a point of an agenda is about: the missed period, else the node's latest finished one."""
    if item.miss is not None:
        return key_of_miss(item.miss)
    if item.action is not None:
        return key_of_latest(item.action.node, item.action.dimension, item.action.member, today=today)
    return key_of_latest(item.node, COMPANY, None, today=today) if item.node else None


def key_of_latest(
    node: KpiNode, dimension: str, member: DimensionMember | None, *, today: datetime.date
) -> CellKey | None:
    """The node's latest finished period, or the running one where none is finished; None without a number."""
    if node.metric_id is None:
        return None
    begun = Period.objects.filter(grain=node.frequency, start_date__lte=today).order_by("-start_date")
    period = begun.filter(end_date__lte=today).first() or begun.first()
    if period is None:
        return None
    return CellKey(node.pk, dimension, member.pk if member else None, node.frequency, period.start_date)


def goal_keys(*, today: datetime.date) -> list[CellKey]:
    """The KGI of each tree in force, in the latest finished period and in the running one; no tree of another year."""
    goals = KpiNode.objects.filter(level=Level.KGI, tree__status=TreeStatus.ACTIVE, metric__isnull=False)
    keys = []
    for goal in goals.select_related("tree").order_by("tree", "position"):
        begun = Period.objects.filter(grain=goal.frequency, start_date__lte=today).order_by("-start_date")[:2]
        years = begun.values_list("start_date", "fiscal_year__start_year")
        starts = sorted(start for start, year in years if year == goal.tree.fiscal_year)
        keys += [CellKey(goal.pk, COMPANY, None, goal.frequency, start) for start in starts]
    return keys


def read_numbers(keys: Sequence[CellKey], *, now: datetime.datetime, live: bool = False) -> dict[CellKey, Numbers]:
    """What the matrix shows now for each key (`live`: also where a locked value hides a later restatement).

    One matrix per tree, grain and dimension. A key that the matrix does not know any more reads as missing.
    """
    nodes = {node.pk: node for node in KpiNode.objects.select_related("tree").filter(pk__in={key[0] for key in keys})}
    groups: dict[tuple[int, str, str], list[CellKey]] = defaultdict(list)
    for key in keys:
        if key.node_id in nodes:
            groups[nodes[key.node_id].tree_id, key.grain, key.dimension].append(key)
    found: dict[CellKey, Numbers] = {}
    for group in groups.values():
        asked = {nodes[key.node_id].pk: nodes[key.node_id] for key in group}
        starts = {key.period_start for key in group}
        found |= _matrix_cells(
            list(asked.values()), group[0].grain, group[0].dimension, min(starts), max(starts), now, live=live
        )
    return {key: found.get(key, Numbers(absence="missing")) for key in keys}


def missable_cells(period: Period, *, now: datetime.datetime) -> list[Cell]:
    """The cells of a period that could be missed: of every tree in force, where a target was set, the company's and
    those of segments."""
    nodes = KpiNode.objects.filter(
        frequency=period.grain,
        metric__isnull=False,
        tree__status=TreeStatus.ACTIVE,
        tree__fiscal_year=period.fiscal_year.start_year,
    ).select_related("tree", "metric")
    by_id = {node.pk: node for node in nodes}
    targets = Target.objects.filter(node__in=by_id, period_start=period.start_date)
    wanted: dict[tuple[int, str], set[Segment]] = defaultdict(set)
    for node_id, dimension, member_id in targets.values_list("node_id", "dimension", "member_id").distinct():
        wanted[by_id[node_id].tree_id, dimension].add(Segment(node_id, dimension, member_id))
    cells = []
    for (_tree_id, dimension), segments in wanted.items():
        asked = [by_id[pk] for pk in {segment.node_id for segment in segments}]
        found = _matrix_cells(asked, period.grain, dimension, period.start_date, period.start_date, now)
        for segment in segments:
            numbers = found.get(CellKey(*segment, period.grain, period.start_date))
            if numbers is not None:
                metric = by_id[segment.node_id].metric
                cells.append(_cell(segment, numbers, is_money=metric is not None and metric.unit == Unit.AMOUNT))
    return cells


def _cell(segment: Segment, numbers: Numbers, *, is_money: bool) -> Cell:
    return Cell(
        segment=segment,
        status=numbers.status,
        value=numbers.value,
        target=numbers.target,
        numerator=numbers.numerator,
        denominator=numbers.denominator,
        achievement=numbers.achievement,
        is_money=is_money,
    )


def _matrix_cells(
    nodes: Sequence[KpiNode],
    grain: str,
    dimension: str,
    first_start: datetime.date,
    last_start: datetime.date,
    now: datetime.datetime,
    *,
    live: bool = False,
) -> dict[CellKey, Numbers]:
    """Every cell of nodes of one tree in the periods that start from the first to the last given day."""
    matrix = build_matrix(
        MatrixQuery(
            tree=nodes[0].tree,
            grain=grain,
            start=first_start,
            end=last_start + datetime.timedelta(days=1),
            dimension=dimension,
            codes=[node.code for node in nodes],
            is_live=live,
        ),
        now=now,
    )
    return {
        CellKey(node.row.pk, dimension, member.id, grain, period.start): Numbers(
            value=matrix.value[i][j][k],
            target=matrix.target[i][j][k],
            numerator=matrix.numerator[i][j][k],
            denominator=matrix.denominator[i][j][k],
            achievement=matrix.achievement[i][j][k],
            status=matrix.status[i][j][k] or "none",
            absence=matrix.absence[i][j][k],
            state=period.state,
            is_stale=node.is_stale and period.state != PeriodState.CLOSED,
            as_of=node.as_of,
        )
        for i, node in enumerate(matrix.nodes)
        for j, member in enumerate(matrix.members)
        for k, period in enumerate(matrix.periods)
    }
