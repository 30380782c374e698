"""Targets of people who have left: what remains after the day of leaving is held by nobody until it is moved."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kpis.choices import Accumulation, DimensionCode, Direction, PeriodState
from kpis.engine.proration import Proration
from kpis.models import KpiNode, KpiTree, Period, Person, Target, Team
from kpis.selectors.presence import BusinessDays, smallest_step
from kpis.selectors.target_gaps import Organisation
from kpis.selectors.visibility import Sight
from tenants.settings.selectors import company_settings


@dataclass(frozen=True)
class HeldTarget:
    """A target of which something is held by nobody: `kept` stays for the days before leaving, `rest` is to be moved.

    `proration` is how the target came about once the rest is moved.
    """

    target: Target
    kept: Decimal
    proration: Proration

    @property
    def rest(self) -> Decimal:
        return self.target.standing - self.kept


@dataclass(frozen=True)
class Rest:
    """What is left of one node on the tree's official line: how many periods, and their sum."""

    node: KpiNode
    period_count: int
    amount: Decimal


@dataclass(frozen=True)
class Leaver:
    """Somebody who has left, with what is held of targets in open periods after the last day, on every line."""

    person: Person
    targets: tuple[HeldTarget, ...]
    rests: tuple[Rest, ...]


def read_leavers(*, tree: KpiTree, sight: Sight) -> list[Leaver]:
    """Everybody in sight whose rest is to be moved, in order of name; at most nine queries.

    Of the period of leaving the rest is what falls on the business days after the last day. Who leads the team that
    somebody left from sees the rest of that person too.
    """
    people = Person.objects.filter(left_on__isnull=False, deleted_at=None).exclude(member=None)
    gone = {person.member_id: person for person in people.order_by("name", "pk")}
    targets = Target.objects.filter(
        node__tree=tree,
        node__metric__accumulation=Accumulation.SUM,
        dimension=DimensionCode.PERSON,
        member__in=list(gone),
    ).exclude(value=0)
    reader = _Reader.load(tree)
    by_member: dict[int | None, list[HeldTarget]] = defaultdict(list)
    for row in targets.select_related("node__tree", "node__metric", "member").order_by("node", "period_start"):
        held = None if _is_range(row.node) else reader.held(row, gone[row.member_id])
        if held is not None:
            by_member[row.member_id].append(held)
    seen = _in_sight((gone[member] for member in by_member), sight)
    return [
        Leaver(person, tuple(by_member[member]), _rests(by_member[member], tree))
        for member, person in gone.items()
        if member in by_member and person.pk in seen
    ]


@dataclass(frozen=True)
class _Reader:
    """The open periods of a tree's year by grain and start."""

    periods: Mapping[tuple[str, date], Period]
    days: BusinessDays
    currency: str

    @classmethod
    def load(cls, tree: KpiTree) -> "_Reader":
        rows = Period.objects.filter(fiscal_year__start_year=tree.fiscal_year).exclude(state=PeriodState.CLOSED)
        periods = list(rows.order_by("start_date"))
        return cls(
            {(row.grain, row.start_date): row for row in periods},
            BusinessDays.load(periods),
            company_settings().currency,
        )

    def held(self, target: Target, person: Person) -> HeldTarget | None:
        """None where nothing of an open period lies after the last day."""
        period = self.periods.get((target.node.frequency, target.period_start))
        if period is None or person.left_on is None or person.left_on >= period.end_date:
            return None
        found = self.days.prorate(target, period, person, step=smallest_step(target.node, self.currency))
        rest = target.standing - found.value
        return HeldTarget(target, found.value, found.proration.handing(rest)) if rest > 0 else None


def _is_range(node: KpiNode) -> bool:
    return node.metric is not None and node.metric.direction == Direction.RANGE


def _in_sight(people: Iterable[Person], sight: Sight) -> set[int]:
    rows = list(people)
    if DimensionCode.PERSON not in sight.members:
        return {person.pk for person in rows}
    organisation = Organisation.load()
    teams = set(Team.objects.filter(member__in=sight.members[DimensionCode.TEAM]).values_list("pk", flat=True))
    return {
        person.pk
        for person in rows
        if person.left_on is not None and organisation.teams_of(person.member_id or 0, person.left_on) & teams
    }


def _rests(targets: Iterable[HeldTarget], tree: KpiTree) -> tuple[Rest, ...]:
    by_node: dict[int, list[HeldTarget]] = defaultdict(list)
    for row in targets:
        if row.target.line == tree.official_line:
            by_node[row.target.node_id].append(row)
    return tuple(
        Rest(rows[0].target.node, len(rows), sum((row.rest for row in rows), Decimal(0))) for rows in by_node.values()
    )
