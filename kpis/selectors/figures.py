"""Figures: one cell of the matrix with what a page says beside it."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from kpis.choices import DimensionCode, Level, PeriodState, Unit
from kpis.engine.pace import Basis
from kpis.selectors.matrix import KpiMatrix


@dataclass(frozen=True)
class Figure:
    """A node's number in one period, for the company or one member, as pages show it.

    `pace` is the share of the target that is due by now, only where it grows with the period's days (open sums), and
    `pace_basis` whether the company's own curve or the business days say so.
    `difference` is against the period before; `trend` runs through the matrix's periods up to this one.
    `remaining_days` counts the business days that are left, today included where today is one. `stale`: a source it
    depends on is late; what is locked depends on none. `cases` says how many there were where that is too few, and how
    many have no cost where the gross profit is missing for it.
    """

    node_id: uuid.UUID
    code: str
    name: str
    level: str
    unit: str
    direction: str
    currency: str
    grain: str
    period_start: date
    state: str
    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    target: Decimal | None
    achievement: Decimal | None
    status: str
    absence: str | None
    pace: Decimal | None
    pace_basis: Basis | None
    remaining_days: int
    difference: Decimal | None
    trend: tuple[Decimal | None, ...]
    as_of: datetime | None
    stale: bool
    dimension: str
    member_code: str | None
    member_name: str
    cases: Decimal | None = None
    org: str = "then"

    @property
    def has_target(self) -> bool:
        return self.target is not None

    @property
    def before(self) -> Decimal | None:
        """The value of the period before; None where it has none or the matrix does not reach that far."""
        return self.trend[-2] if len(self.trend) > 1 else None

    @property
    def is_running(self) -> bool:
        """Whether it still grows with the days of its period, so that a finished period says nothing beside it."""
        return self.pace is not None

    @property
    def is_measured(self) -> bool:
        """False for a KSF, which only groups."""
        return self.level != Level.KSF

    @property
    def part_unit(self) -> str:
        """The unit of the numerator: money stays money, everything else is counted."""
        return self.unit if self.unit == Unit.AMOUNT else Unit.COUNT

    @property
    def variance(self) -> Decimal | None:
        return None if self.value is None or self.target is None else self.value - self.target

    @property
    def expected(self) -> Decimal | None:
        """What the pace asks for by today; None before the first business day is over and once the period is."""
        if self.target is None or self.pace is None or not 0 < self.pace < 1:
            return None
        return self.target * self.pace

    @property
    def distance_from_pace(self) -> Decimal | None:
        return None if self.value is None or self.expected is None else abs(self.value - self.expected)

    @property
    def is_short_of_pace(self) -> bool:
        return self.value is not None and self.expected is not None and self.value < self.expected

    @property
    def required_per_day(self) -> Decimal | None:
        """What each remaining business day (today included) must bring to reach the target; None once it is reached."""
        if self.value is None or self.target is None or self.pace is None or not self.remaining_days:
            return None
        return (self.target - self.value) / self.remaining_days if self.target > self.value else None

    @property
    def is_empty(self) -> bool:
        """Nothing happened and nothing was asked for, in any period of the trend."""
        return self.target is None and not any(self.trend)


@dataclass(frozen=True)
class FigureReader:
    """Makes figures of a matrix whose members belong to `dimension`; `works_today`: today is a business day."""

    matrix: KpiMatrix
    dimension: str = DimensionCode.COMPANY
    works_today: bool = False

    def of_nodes(self, *, member: int = 0, period: int = -1) -> dict[int, Figure]:
        """Node's primary key → its figure; of the last period unless told otherwise."""
        return {node.row.pk: self.at(n, member, period) for n, node in enumerate(self.matrix.nodes)}

    def of_members(self, *, node: int = 0, period: int = -1) -> list[Figure]:
        """One node's figure for each member, in the matrix's order."""
        return [self.at(node, m, period) for m in range(len(self.matrix.members))]

    def of_periods(self, *, node: int = 0, member: int = 0) -> list[Figure]:
        """One node's figure in each period."""
        return [self.at(node, member, p) for p in range(len(self.matrix.periods))]

    def at(self, node: int, member: int, period: int) -> Figure:
        """The figure of one cell, by its indexes in the matrix (a negative period counts from the end)."""
        return _figure(self, node, member, period % len(self.matrix.periods))


def _figure(reader: FigureReader, node: int, member: int, period: int) -> Figure:
    matrix = reader.matrix
    row = matrix.nodes[node].row
    column, due = matrix.periods[period], matrix.due[node][period]
    who = matrix.members[member]
    values = matrix.value[node][member]
    value = values[period]
    before = values[period - 1] if period else None
    return Figure(
        node_id=row.public_id,
        code=row.code,
        name=row.name,
        level=row.level,
        unit=row.metric.unit if row.metric else Unit.COUNT,
        direction=row.metric.direction if row.metric else "up",
        currency=matrix.currency,
        grain=matrix.grain,
        period_start=column.start,
        state=column.state,
        value=value,
        numerator=matrix.numerator[node][member][period],
        denominator=matrix.denominator[node][member][period],
        target=matrix.target[node][member][period],
        achievement=matrix.achievement[node][member][period],
        status=matrix.status[node][member][period] or "none",
        absence=matrix.absence[node][member][period],
        pace=due.share if due else None,
        pace_basis=due.basis if due else None,
        remaining_days=column.business_days - column.elapsed + (1 if reader.works_today else 0),
        difference=None if value is None or before is None else value - before,
        trend=tuple(values[: period + 1]),
        as_of=matrix.nodes[node].as_of,
        stale=matrix.nodes[node].is_stale and column.state != PeriodState.CLOSED,
        dimension=reader.dimension,
        member_code=who.code,
        member_name=who.shown_name,
        cases=matrix.cases.get((node, member, period)),
        org=matrix.org,
    )
