"""Target change requests as a reader meets them: what waits for him, what he proposed, cell by cell what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from kpis.choices import Accumulation, PeriodState, RequestStatus
from kpis.models import DimensionMember, KpiNode, Period, Target, TargetRequest, TargetRequestCell
from kpis.selectors.approvals import Approver
from kpis.selectors.calendar import period_namer

SETTLED_SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """One target of a request: 当初, 現行 (None = not set) and 提案 (None = to be removed).

    `seen` is what 現行 was when it was proposed.
    """

    node: KpiNode
    member: DimensionMember | None
    dimension: str
    line: str
    period_start: date
    period_label: str
    initial: Decimal | None
    current: Decimal | None
    proposed: Decimal | None
    upper: Decimal | None
    current_upper: Decimal | None
    seen: Decimal | None
    is_closed: bool

    @property
    def change(self) -> Decimal | None:
        """Proposed less current; None where one of them is no target."""
        return None if self.current is None or self.proposed is None else self.proposed - self.current

    @property
    def is_changed_meanwhile(self) -> bool:
        return self.current != self.seen


@dataclass(frozen=True)
class RequestItem:
    """One request in a list. `is_mine`: the reader proposed it; `is_for_me`: it waits for his decision."""

    row: TargetRequest
    is_mine: bool
    is_for_me: bool

    @property
    def cell_count(self) -> int:
        return len(self.row.cells.all())

    @property
    def done(self) -> int:
        return len(self.row.decisions.all())

    @property
    def kpis(self) -> list[str]:
        """The names of its KPIs, each once."""
        return list(dict.fromkeys(cell.node.name for cell in self.row.cells.all()))

    @property
    def members(self) -> list[str]:
        """Whose targets, each once; empty for the company's."""
        return list(dict.fromkeys(str(cell.member.name) for cell in self.row.cells.all() if cell.member))

    @property
    def return_comment(self) -> str:
        """Why it was sent back; empty where it was not."""
        verdicts = [each.comment for each in self.row.decisions.all() if each.verdict == RequestStatus.RETURNED]
        return verdicts[-1] if verdicts else ""

    @property
    def is_to_be_answered(self) -> bool:
        """Returned to the reader, and not yet answered by a new proposal."""
        is_returned = self.is_mine and self.row.status == RequestStatus.RETURNED
        return is_returned and not hasattr(self.row, "answered_by")


@dataclass(frozen=True)
class DifferenceGroup:
    """The differences of one node for the company or one member, on one line."""

    node: KpiNode
    member: DimensionMember | None
    line: str
    differences: tuple[Difference, ...]

    @property
    def change(self) -> Decimal | None:
        """What all of them together change, where the number adds up and each had a target before."""
        changes = [each.change for each in self.differences if each.change is not None]
        is_sum = self.node.metric is not None and self.node.metric.accumulation == Accumulation.SUM
        return sum(changes, Decimal(0)) if is_sum and len(changes) == len(self.differences) else None


def grouped(differences: Sequence[Difference]) -> list[DifferenceGroup]:
    """Differences that belong to one row of the grid together, in the order of their first."""
    groups: dict[tuple[int, int | None, str], list[Difference]] = {}
    for each in differences:
        groups.setdefault((each.node.pk, each.member.pk if each.member else None, each.line), []).append(each)
    return [DifferenceGroup(rows[0].node, rows[0].member, rows[0].line, tuple(rows)) for rows in groups.values()]


def with_content(requests: QuerySet[TargetRequest]) -> QuerySet[TargetRequest]:
    """The rows with cells, decisions, people and the answer, in four queries."""
    cells = "cells__node__metric", "cells__member"
    return requests.select_related("tree", "proposer", "answers", "answered_by").prefetch_related(
        *cells, "decisions__actor"
    )


def visible_requests(*, approver: Approver) -> QuerySet[TargetRequest]:
    """What the reader proposed, what was proposed below him, and everything for who runs the company."""
    requests = TargetRequest.objects.all()
    if not approver.sight.members:
        return requests
    rows = with_content(requests.exclude(proposer=approver.user_id))
    seen = [row.pk for row in rows if approver.may_see(row)]
    return requests.filter(Q(pk__in=seen) | Q(proposer__isnull=False, proposer=approver.user_id))


def read_requests(*, approver: Approver, tree_id: int | None = None) -> list[RequestItem]:
    """All that are open, then the latest that are settled; what waits for the reader first."""
    rows = with_content(visible_requests(approver=approver))
    if tree_id is not None:
        rows = rows.filter(tree=tree_id)
    waiting = list(rows.filter(status=RequestStatus.WAITING))
    settled = list(rows.exclude(status=RequestStatus.WAITING)[:SETTLED_SHOWN])
    items = [_item(row, approver) for row in (*waiting, *settled)]
    return sorted(items, key=lambda item: (not item.is_for_me, not item.is_to_be_answered))


def read_own_business(*, user: Any, today: date) -> list[RequestItem]:
    """What asks the reader for something: requests to decide, and own ones that came back. One query where none is."""
    returned = Q(status=RequestStatus.RETURNED, proposer=user, answered_by=None)
    rows = with_content(TargetRequest.objects.filter(Q(status=RequestStatus.WAITING) | returned))
    if not rows:
        return []
    approver = Approver.load(user=user, today=today)
    items = [_item(row, approver) for row in rows]
    return [item for item in items if item.is_for_me or item.is_to_be_answered]


def read_item(row: TargetRequest, *, approver: Approver) -> RequestItem:
    """One request with its content."""
    return _item(with_content(TargetRequest.objects.all()).get(pk=row.pk), approver)


def _item(row: TargetRequest, approver: Approver) -> RequestItem:
    is_mine = approver.user_id is not None and row.proposer_id == approver.user_id
    return RequestItem(row, is_mine, approver.may_decide(row))


def read_differences(request: TargetRequest) -> tuple[Difference, ...]:
    """The request against the targets as they stand now, in its own order; five queries."""
    cells = list(request.cells.select_related("node__metric", "member"))
    targets = _targets_of(cells)
    periods = {
        (period.grain, period.start_date): period
        for period in Period.objects.select_related("fiscal_year").filter(
            start_date__in={cell.period_start for cell in cells}
        )
    }
    name = period_namer()
    found = []
    for cell in cells:
        target = targets.get(_place(cell))
        period = periods.get((cell.node.frequency, cell.period_start))
        found.append(
            Difference(
                node=cell.node,
                member=cell.member,
                dimension=cell.dimension,
                line=cell.line,
                period_start=cell.period_start,
                period_label=name(period) if period else cell.period_start.isoformat(),
                initial=target.initial_value if target else None,
                current=target.value if target else None,
                proposed=cell.value,
                upper=cell.upper,
                current_upper=target.upper if target else None,
                seen=cell.seen_value,
                is_closed=period is not None and period.state == PeriodState.CLOSED,
            )
        )
    return tuple(found)


_Place = tuple[int, date, str, int | None, str]


def _place(row: TargetRequestCell | Target) -> _Place:
    return row.node_id, row.period_start, row.dimension, row.member_id, row.line


def _targets_of(cells: Sequence[TargetRequestCell]) -> dict[_Place, Target]:
    rows = Target.with_removed.filter(
        node__in={cell.node_id for cell in cells}, period_start__in={cell.period_start for cell in cells}
    )
    return {_place(row): row for row in rows}
