"""Targets of people who have left: what remains after the day of leaving is held by nobody until it is moved."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from kpis.choices import Accumulation, DimensionCode, Direction
from kpis.models import KpiNode, KpiTree, Person, Target, Team
from kpis.selectors.confirmations import closed_periods
from kpis.selectors.target_gaps import Organisation
from kpis.selectors.visibility import Sight


@dataclass(frozen=True)
class Rest:
    """What is left of one node on the tree's official line: how many periods, and their sum."""

    node: KpiNode
    period_count: int
    amount: Decimal


@dataclass(frozen=True)
class Leaver:
    """Somebody who has left with targets in open periods that begin after the last day. `targets`: on every line."""

    person: Person
    targets: tuple[Target, ...]
    rests: tuple[Rest, ...]


def read_leavers(*, tree: KpiTree, sight: Sight) -> list[Leaver]:
    """Everybody in sight whose rest is to be moved, in order of name; at most six queries.

    Who leads the team that somebody left from sees the rest of that person too.
    """
    people = Person.objects.filter(left_on__isnull=False, deleted_at=None).exclude(member=None)
    gone = {person.member_id: person for person in people.order_by("name", "pk")}
    targets = Target.objects.filter(
        node__tree=tree,
        node__metric__accumulation=Accumulation.SUM,
        dimension=DimensionCode.PERSON,
        member__in=list(gone),
    ).exclude(value=0)
    closed = closed_periods(tree)
    by_member: dict[int | None, list[Target]] = defaultdict(list)
    for row in targets.select_related("node__tree", "node__metric", "member").order_by("node", "period_start"):
        person = gone[row.member_id]
        is_after = person.left_on is not None and row.period_start > person.left_on
        if is_after and not _is_range(row.node) and (row.node.frequency, row.period_start) not in closed:
            by_member[row.member_id].append(row)
    seen = _in_sight((gone[member] for member in by_member), sight)
    return [
        Leaver(person, tuple(by_member[member]), _rests(by_member[member], tree))
        for member, person in gone.items()
        if member in by_member and person.pk in seen
    ]


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


def _rests(targets: Iterable[Target], tree: KpiTree) -> tuple[Rest, ...]:
    by_node: dict[int, list[Target]] = defaultdict(list)
    for row in targets:
        if row.line == tree.official_line:
            by_node[row.node_id].append(row)
    return tuple(
        Rest(rows[0].node, len(rows), sum((row.value for row in rows), Decimal(0))) for rows in by_node.values()
    )
