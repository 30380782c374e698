"""The shapes of an explanation: a gap with its parts."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from kpis.choices import Direction, Unit
from kpis.engine.contribution import Method
from kpis.engine.pace import Due
from kpis.models import KpiNode

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class NodeShare:
    """A part of the gap in units of the KGI: what the node's number of the period from `period_start` did."""

    node: KpiNode
    amount: Decimal
    method: Method
    period_start: date


@dataclass(frozen=True, slots=True)
class Cause:
    """A number of the KGI's formula with its part in the gap.

    `needed` is the value at which it alone would close the gap, None where none does. Where earlier numbers of the
    funnel reach it, `starts` are their parts in it and `timing` what is left: it closed sooner or later than usual.
    """

    node: KpiNode
    amount: Decimal
    method: Method
    actual: Decimal
    target: Decimal
    needed: Decimal | None
    starts: tuple[NodeShare, ...] = ()
    timing: Decimal = ZERO

    @property
    def needed_whole(self) -> Decimal | None:
        """What is needed as people can do it: of a count whole ones, rounded up."""
        is_count = self.node.metric is not None and self.node.metric.unit == Unit.COUNT
        return self.needed.to_integral_value(ROUND_CEILING) if self.needed is not None and is_count else self.needed


@dataclass(frozen=True, slots=True)
class Contributions:
    """The gap (actual − target) of the tree's KGI in one period: causes + starts + timing + not explained.

    `starts` and `timing` here are of numbers that may not be stated for themselves: rates between a start and an end in
    a period shorter than the median deal cycle (DOMAIN §6). `due`: how much of an open period's targets counts; None
    where all of it does.
    """

    goal: KpiNode
    currency: str
    period_start: date
    gap: Decimal
    causes: tuple[Cause, ...]
    starts: tuple[NodeShare, ...]
    timing: Decimal
    not_explained: Decimal
    due: Due | None

    @property
    def is_to_date(self) -> bool:
        return self.due is not None

    @property
    def shares(self) -> tuple[NodeShare, ...]:
        """Every part that names a node; a cause that earlier numbers reach is told by them and by the timing."""
        told: list[NodeShare] = []
        for cause in self.causes:
            told += cause.starts or (NodeShare(cause.node, cause.amount, cause.method, self.period_start),)
        return (*told, *self.starts)

    @property
    def total_timing(self) -> Decimal:
        return self.timing + sum((cause.timing for cause in self.causes), ZERO)

    @property
    def unit(self) -> str:
        """The unit of all amounts: the KGI's."""
        assert self.goal.metric is not None
        return self.goal.metric.unit

    def is_adverse(self, amount: Decimal) -> bool:
        """Whether an amount takes the KGI away from its target."""
        assert self.goal.metric is not None
        return amount > 0 if self.goal.metric.direction == Direction.DOWN else amount < 0

    @property
    def bottleneck(self) -> Cause | None:
        """The cause that costs most; None while the KGI is not behind."""
        if not self.is_adverse(self.gap):
            return None
        behind = [cause for cause in self.causes if self.is_adverse(cause.amount)]
        return max(behind, key=lambda cause: abs(cause.amount), default=None)

    def amount_of(self, node_id: int) -> Decimal | None:
        """What a node did, with all its months; None where nothing is said of it."""
        own = [cause.amount for cause in self.causes if cause.node.pk == node_id]
        own = own or [share.amount for share in self.shares if share.node.pk == node_id]
        return sum(own, ZERO) if own else None
