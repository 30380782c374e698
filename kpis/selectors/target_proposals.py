"""Targets proposed for single periods, to be looked at and then set: nothing is stored here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Accumulation, DimensionCode, PeriodState, SpreadMethod
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.proration import ProratedTarget, Proration
from kpis.engine.spreading import carry_forward, seasonal_weights, spread_target
from kpis.models import DimensionMember, KpiNode, Period, Person, Target
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.presence import BusinessDays

PAST_YEARS = 3
ONE = Decimal(1)
ZERO = Decimal(0)


class NoProposalError(Exception):
    """Nothing can be proposed; `issue` says why and what to do instead."""

    def __init__(self, code: str, template: str, field: str = "method", **params: object) -> None:
        self.issue = Issue(field, code, template, tuple(params.items()))
        super().__init__(self.issue.message)


@dataclass(frozen=True)
class ProposalQuery:
    """What is to be proposed for one row: a node on one target line, for the company or one member.

    `value` is the target of the whole fiscal year, or (from a date) of each period. Periods before `start` and closed
    ones keep what they have. `step` is what amounts and counts are rounded to. `receiver` takes over what is left.
    """

    node: KpiNode
    line: str
    method: str
    dimension: str = DimensionCode.COMPANY
    member: DimensionMember | None = None
    value: Decimal | None = None
    start: date | None = None
    step: Decimal = ONE
    receiver: DimensionMember | None = None


@dataclass(frozen=True)
class ProposedTarget:
    """One target as it is now (None = not set) and as it is proposed.

    `proration` is to be set with it. `is_changed`: whether setting it would say anything new.
    """

    member: DimensionMember | None
    period_start: date
    current: Decimal | None
    value: Decimal
    proration: Proration | None = None
    is_changed: bool = True


@dataclass(frozen=True)
class Proposal:
    """Targets in order; the last period of a spread holds `remainder`, which rounding left over (0 = nothing)."""

    targets: tuple[ProposedTarget, ...]
    remainder: Decimal = ZERO


def propose_targets(query: ProposalQuery, *, now: datetime) -> Proposal:
    """The proposal for one row. Raises NoProposalError where the method has nothing to go by."""
    proposer = _Proposer.load(query, now)
    match query.method:
        case SpreadMethod.FROM_DATE:
            return proposer.same_from_date()
        case SpreadMethod.CARRY_FORWARD:
            return proposer.carried_forward()
        case SpreadMethod.PRORATE:
            return proposer.prorated()
        case SpreadMethod.HAND_OVER:
            return proposer.handed_over()
        case _:
            return proposer.spread()


def nobody_of(dimension: str) -> DimensionMember:
    """The member that stands for what is not allocated to anybody."""
    return DimensionMember.objects.get(dimension__code=dimension, is_unassigned=True)


@dataclass(frozen=True)
class _Proposer:
    query: ProposalQuery
    now: datetime
    periods: Sequence[Period]
    current: Mapping[tuple[int | None, date], Target]

    @classmethod
    def load(cls, query: ProposalQuery, now: datetime) -> "_Proposer":
        node = query.node
        periods = list(
            Period.objects.filter(grain=node.frequency, fiscal_year__start_year=node.tree.fiscal_year).order_by(
                "start_date"
            )
        )
        targets = Target.objects.filter(node=node, line=query.line, dimension=query.dimension)
        current = {(row.member_id, row.period_start): row for row in targets.select_related("node__metric")}
        return cls(query, now, periods, current)

    @property
    def accumulation(self) -> str:
        return self.query.node.metric.accumulation if self.query.node.metric else ""

    def open_periods(self) -> list[Period]:
        """Those that may still be written. Raises NoProposalError."""
        since = self.query.start or date.min
        found = [row for row in self.periods if row.state != PeriodState.CLOSED and row.start_date >= since]
        if not found:
            raise NoProposalError("closed", gettext_noop("Every period of the fiscal year is closed."), "start")
        return found

    def now_of(self, period: Period, member: DimensionMember | None) -> Decimal | None:
        target = self.target_of(period, member)
        return target.value if target else None

    def target_of(self, period: Period, member: DimensionMember | None) -> Target | None:
        return self.current.get((member.pk if member else None, period.start_date))

    def made(self, periods: Sequence[Period], values: Sequence[Decimal], remainder: Decimal = ZERO) -> Proposal:
        pairs = zip(periods, values, strict=True)
        return Proposal(tuple(self.proposed(period, self.query.member, value) for period, value in pairs), remainder)

    def proposed(
        self, period: Period, member: DimensionMember | None, value: Decimal, proration: Proration | None = None
    ) -> ProposedTarget:
        target = self.target_of(period, member)
        standing = (target.value, proration and target.proration) if target else None
        current = target.value if target else None
        return ProposedTarget(member, period.start_date, current, value, proration, standing != (value, proration))

    def spread(self) -> Proposal:
        """The year's value over the open periods; what the others hold is taken off a sum before."""
        value, periods = self.value(), self.open_periods()
        kept = [row for row in self.periods if row not in periods]
        held = sum((self.now_of(row, self.query.member) or ZERO for row in kept), ZERO)
        if self.accumulation == Accumulation.SUM:
            value -= held
        opening = self.opening(periods[0]) if self.accumulation == Accumulation.STOCK else None
        result = spread_target(self.accumulation, value, self.weights(periods), step=self.query.step, opening=opening)
        return self.made(periods, result.parts, result.remainder)

    def value(self) -> Decimal:
        if self.query.value is None:
            raise NoProposalError("required", gettext_noop("Write the value that is to be spread."), "value")
        return self.query.value

    def weights(self, periods: Sequence[Period]) -> list[Decimal]:
        if self.query.method == SpreadMethod.SEASONALITY:
            found = seasonal_weights(self.past_years())
            if found is None or len(found) != len(self.periods):
                raise NoProposalError(
                    "no_history",
                    gettext_noop("There is no whole past year to take the pattern from. Spread by business days."),
                )
            by_start = dict(zip((row.start_date for row in self.periods), found, strict=True))
            weights = [by_start[row.start_date] for row in periods]
        elif self.query.method == SpreadMethod.EVEN:
            weights = [ONE] * len(periods)
        else:
            days = BusinessDays.load(periods)
            weights = [Decimal(days.count(each)) for each in periods]
        return weights if sum(weights) else [ONE] * len(periods)

    def past_years(self) -> list[list[Decimal | None]]:
        """What the row brought in the fiscal years before, oldest first; years without a calendar are left out."""
        first = self.periods[0].start_date
        matrix = build_matrix(self.matrix_query(first - timedelta(days=366 * PAST_YEARS + 1), first), now=self.now)
        years: dict[int, list[Decimal | None]] = {}
        for index, period in enumerate(matrix.periods):
            value = matrix.value[0][0][index] if matrix.members else None
            years.setdefault(period.row.fiscal_year.start_year, []).append(value)
        length = len(self.periods)
        return [year for year in years.values() if len(year) == length]

    def matrix_query(self, start: date, end: date) -> MatrixQuery:
        query = self.query
        return MatrixQuery(
            tree=query.node.tree,
            grain=query.node.frequency,
            start=start,
            end=end,
            dimension=query.dimension,
            codes=[query.node.code],
            line=query.line,
            member_ids=[query.member.pk] if query.member else None,
        )

    def opening(self, first: Period) -> Decimal | None:
        """The level before the first period: what it really was, else what it was aimed at."""
        matrix = build_matrix(self.matrix_query(first.start_date - timedelta(days=40), first.start_date), now=self.now)
        if not matrix.periods or not matrix.members:
            return None
        value = matrix.value[0][0][-1]
        return matrix.target[0][0][-1] if value is None else value

    def same_from_date(self) -> Proposal:
        periods = self.open_periods()
        return self.made(periods, [self.value()] * len(periods))

    def carried_forward(self) -> Proposal:
        """What the periods that are over fell short of, on top of the targets of those to come, by business days."""
        if self.accumulation != Accumulation.SUM:
            raise NoProposalError("not_a_sum", gettext_noop("Only a number that adds up can be carried forward."))
        today = timezone.localdate(self.now)
        ahead = [row for row in self.open_periods() if row.end_date > today]
        known = [(row, value) for row in ahead if (value := self.now_of(row, self.query.member)) is not None]
        if not known:
            raise NoProposalError("no_target", gettext_noop("No period that is still to come has a target."))
        matrix = build_matrix(self.matrix_query(self.periods[0].start_date, today), now=self.now)
        over = [index for index, period in enumerate(matrix.periods) if period.end <= today]
        pairs = [(matrix.target[0][0][index], matrix.value[0][0][index]) for index in over] if matrix.members else []
        missing = sum((target - value for target, value in pairs if target is not None and value is not None), ZERO)
        periods = [row for row, _value in known]
        result = carry_forward(
            missing,
            [value for _row, value in known],
            self.weights(periods),
            step=self.query.step,
        )
        return self.made(periods, result.parts, result.remainder)

    def prorated(self) -> Proposal:
        """Each target by the business days of the period on which the person is there."""
        keeps_share = self.accumulation == Accumulation.SUM
        member = self.query.member
        return Proposal(
            tuple(
                self.proposed(period, member, share.value, share.proration if keeps_share else None)
                for period, share in self.shares()
            )
        )

    def handed_over(self) -> Proposal:
        """What proration takes off a sum goes to the receiver; without one it stays visible as not allocated.

        What was handed over before is not handed over again.
        """
        if self.accumulation != Accumulation.SUM:
            raise NoProposalError("not_a_sum", gettext_noop("Only targets that add up can be handed over."))
        shares = self.shares()  # of a person: for anybody else there is nothing to hand over
        receiver = self.query.receiver or nobody_of(self.query.dimension)
        given = [
            self.proposed(period, self.query.member, share.value, share.proration.handing(share.proration.rest))
            for period, share in shares
        ]
        rests = [(period, share.proration.rest) for period, share in shares]
        taken = [self.received(period, receiver, rest) for period, rest in rests if rest]
        return Proposal((*given, *taken))

    def received(self, period: Period, receiver: DimensionMember, rest: Decimal) -> ProposedTarget:
        """`rest` on top of what the receiver has; it is no part of what the receiver's own proration counts from."""
        target = self.target_of(period, receiver)
        value = (target.standing if target else ZERO) + rest
        if value < 0:
            raise NoProposalError(
                "not_taken",
                gettext_noop("More was handed over before than is left now. Choose the person who took it over."),
                "receiver",
            )
        return self.proposed(period, receiver, value, target.proration if target else None)

    def shares(self) -> list[tuple[Period, ProratedTarget]]:
        """Targets of open periods on which the person is not there throughout, or was not when they were prorated."""
        person, periods = self.person(), self.open_periods()
        days = BusinessDays.load(periods)
        shares = [
            (period, days.prorate(target, period, person, step=self.query.step))
            for period in periods
            if (target := self.target_of(period, self.query.member)) is not None
            and (target.prorated or days.worked(period, person) < days.count(period))
        ]
        if not shares:
            raise NoProposalError("nothing", gettext_noop("The person is there on every business day with a target."))
        return shares

    def person(self) -> Person:
        """The person of the row. Raises NoProposalError where nobody joins or leaves."""
        person = Person.objects.filter(member=self.query.member).first() if self.query.member else None
        if person is None or (person.hired_on is None and person.left_on is None):
            raise NoProposalError(
                "no_dates", gettext_noop("Choose a person whose day of joining or leaving is known."), "member"
            )
        return person
