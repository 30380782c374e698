"""Top-down against bottom-up, level by level: the company's targets and every team's, against the sum below them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from kpis.choices import Accumulation, DimensionCode
from kpis.engine.gaps import LevelGap, Part, level_gap, total_gap
from kpis.models import DimensionMember, KpiNode, Period, Person, Target, Team, TeamMembership
from kpis.selectors.presence import BusinessDays, smallest_step
from kpis.selectors.target_grid import GridQuery, grid_nodes
from kpis.selectors.visibility import Sight
from tenants.settings.selectors import company_settings

LEVELS = (DimensionCode.REGION, DimensionCode.TEAM, DimensionCode.PERSON)


@dataclass(frozen=True)
class LevelRow:
    """One check row: the target of the company (`above` None) or of a team against its parts of one level.

    `gaps` has one per period of the tree's year, None where nothing is to be compared; `total` is the year.
    """

    node: KpiNode
    above: DimensionMember | None
    below: str
    gaps: tuple[LevelGap | None, ...]

    @property
    def total(self) -> LevelGap | None:
        return total_gap(self.gaps)

    @property
    def unit(self) -> str:
        return self.node.metric.unit if self.node.metric else ""


def read_level_gaps(query: GridQuery, *, sight: Sight) -> tuple[LevelRow, ...]:
    """The check rows of the query's node, or of every node that adds up at its frequency; at most ten queries.

    A row is left out where the reader does not see all of its parts, and where nothing is to be compared.
    """
    nodes = [query.node] if query.node else [row for row in grid_nodes(query.tree) if row.frequency == query.grain]
    summed = [node for node in nodes if node.metric is not None and node.metric.accumulation == Accumulation.SUM]
    if not summed:
        return ()
    checker = _Checker.load(query, summed, sight)
    return tuple(row for node in summed for row in checker.rows(node) if any(row.gaps))


@dataclass(frozen=True)
class Organisation:
    """Who belongs where in which period, by members of the dimensions."""

    teams: Mapping[int, Team]
    people: Mapping[int, Person]
    memberships: Mapping[int, Sequence[TeamMembership]]
    parents: Mapping[int, int | None]

    @classmethod
    def load(cls) -> "Organisation":
        """Three queries."""
        memberships: dict[int, list[TeamMembership]] = defaultdict(list)
        rows = TeamMembership.objects.filter(credited=True, deleted_at=None).exclude(team=None).exclude(person=None)
        for row in sorted(rows, key=lambda row: row.starts_on or date.min):
            memberships[row.person_id or 0].append(row)
        teams = list(Team.objects.filter(deleted_at=None))
        return cls(
            {row.member_id: row for row in teams if row.member_id is not None},
            {row.member_id or 0: row for row in Person.objects.filter(deleted_at=None).exclude(member=None)},
            memberships,
            {row.pk: row.parent_id for row in teams},
        )

    def is_gone(self, dimension: str, member: int, start: date) -> bool:
        """Whether a person had left, or a team had ended, before a period began."""
        if dimension == DimensionCode.PERSON:
            left_on = self.people[member].left_on if member in self.people else None
            return left_on is not None and left_on < start
        ends_on = self.teams[member].ends_on if dimension == DimensionCode.TEAM and member in self.teams else None
        return ends_on is not None and ends_on <= start

    def teams_of(self, member: int, last_day: date) -> frozenset[int]:
        """The teams that a target of a person counts in: the one at the end of the period or at leaving, and above."""
        person = self.people.get(member)
        if person is None:
            return frozenset()
        day = last_day if person.left_on is None else min(last_day, person.left_on)
        rows = self.memberships.get(person.pk, ())
        fitting = [row for row in rows if _holds(row, day)] or [row for row in rows if (row.starts_on or day) <= day]
        return frozenset(self.chain(fitting[-1].team_id)) if fitting else frozenset()

    def chain(self, team: int | None) -> Iterator[int]:
        """A team and those above it."""
        seen: set[int] = set()
        while team is not None and team not in seen:
            seen.add(team)
            yield team
            team = self.parents.get(team)

    def people_in(self, team: int) -> set[int]:
        """The people who belong to a team or one below it and have not left."""
        return {person.pk for person in self.people.values() if person.left_on is None and self._is_in(person.pk, team)}

    def _is_in(self, person: int, team: int) -> bool:
        rows = self.memberships.get(person, ())
        return any(row.ends_on is None and team in self.chain(row.team_id) for row in rows)


def _holds(membership: TeamMembership, day: date) -> bool:
    begun = membership.starts_on is None or membership.starts_on <= day
    return begun and (membership.ends_on is None or day < membership.ends_on)


def _rests(
    targets: Sequence[Target], periods: Sequence[Period], organisation: Organisation
) -> dict[tuple[int, int, date], Decimal]:
    """What of a person's target lies after the last day, by node, person and the period of leaving."""
    leaving = {
        member: period
        for member, person in organisation.people.items()
        for period in periods
        if person.left_on is not None and period.start_date <= person.left_on < period.end_date
    }
    held = [
        (row, member, leaving[member])
        for row in targets
        if row.dimension == DimensionCode.PERSON
        and (member := row.member_id or 0) in leaving
        and leaving[member].start_date == row.period_start
    ]
    if not held:
        return {}
    days, currency = BusinessDays.load(periods), company_settings().currency
    rests = {}
    for row, member, period in held:
        step = smallest_step(row.node, currency)
        rest = row.standing - days.prorate(row, period, organisation.people[member], step=step).value
        if rest > 0:
            rests[row.node_id, member, row.period_start] = rest
    return rests


_Values = Mapping[int | None, Mapping[date, Decimal]]
_Parts = Mapping[date, list[Part]]


@dataclass(frozen=True)
class _Checker:
    periods: Sequence[Period]
    values: Mapping[tuple[int, str], _Values]
    rests: Mapping[tuple[int, int, date], Decimal]
    members: Mapping[int, DimensionMember]
    organisation: Organisation
    sight: Sight
    placed: dict[tuple[int, date], frozenset[int]] = field(default_factory=dict)

    @classmethod
    def load(cls, query: GridQuery, nodes: Sequence[KpiNode], sight: Sight) -> "_Checker":
        values: dict[tuple[int, str], dict[int | None, dict[date, Decimal]]] = defaultdict(lambda: defaultdict(dict))
        targets = Target.objects.filter(node__in=[node.pk for node in nodes], line=query.line)
        rows = list(targets.filter(dimension__in=[DimensionCode.COMPANY, *LEVELS]).select_related("node__metric"))
        for row in rows:
            values[row.node_id, row.dimension][row.member_id][row.period_start] = row.standing
        periods = list(
            Period.objects.filter(grain=query.grain, fiscal_year__start_year=query.tree.fiscal_year).order_by(
                "start_date"
            )
        )
        organisation = Organisation.load()
        used = {member for by_member in values.values() for member in by_member if member is not None}
        return cls(
            periods,
            values,
            _rests(rows, periods, organisation),
            DimensionMember.objects.in_bulk(used),
            organisation,
            sight,
        )

    def rows(self, node: KpiNode) -> Iterator[LevelRow]:
        company = self.of(node, DimensionCode.COMPANY).get(None, {})
        for level in LEVELS:
            if level not in self.sight.members:
                parts = self.highest(node) if level == DimensionCode.TEAM else self.parts(node, level)
                yield self.row(node, None, level, company, parts)
        people = self.people_by_team(node)
        for member, tops in self.seen_teams(node):
            team, above = self.organisation.teams[member], self.members[member]
            below = {each for each, row in self.organisation.teams.items() if row.parent_id == team.pk}
            if below and all(self.sight.allows(DimensionCode.TEAM, each) for each in below):
                yield self.row(node, above, DimensionCode.TEAM, tops, self.parts(node, DimensionCode.TEAM, only=below))
            if self.sees_people_of(team):
                yield self.row(node, above, DimensionCode.PERSON, tops, people[team.pk])

    def of(self, node: KpiNode, dimension: str) -> _Values:
        return self.values.get((node.pk, dimension), {})

    def row(
        self, node: KpiNode, above: DimensionMember | None, below: str, tops: Mapping[date, Decimal], parts: _Parts
    ) -> LevelRow:
        starts = [period.start_date for period in self.periods]
        return LevelRow(node, above, below, tuple(level_gap(tops.get(start), parts.get(start, ())) for start in starts))

    def seen_teams(self, node: KpiNode) -> list[tuple[int, Mapping[date, Decimal]]]:
        """The teams in sight that have targets, in order of name."""
        values = self.of(node, DimensionCode.TEAM)
        seen = [
            member
            for member in self.organisation.teams
            if member in values and self.sight.allows(DimensionCode.TEAM, member)
        ]
        return [(member, values[member]) for member in sorted(seen, key=lambda each: str(self.members[each].name))]

    def parts(self, node: KpiNode, dimension: str, *, only: set[int] | None = None) -> _Parts:
        found: dict[date, list[Part]] = defaultdict(list)
        for member, by_day in self.of(node, dimension).items():
            if member is not None and (only is None or member in only):
                for start, value in by_day.items():
                    found[start] += self.split(node, dimension, member, start, value)
        return found

    def split(self, node: KpiNode, dimension: str, member: int, start: date, value: Decimal) -> list[Part]:
        """One part, or two where a person leaves within the period."""
        is_nobody = self.members[member].is_unassigned or self.organisation.is_gone(dimension, member, start)
        rest = self.rests.get((node.pk, member, start))
        return [Part(value, is_nobody)] if rest is None else [Part(value - rest), Part(rest, is_unassigned=True)]

    def highest(self, node: KpiNode) -> _Parts:
        """Of teams only the highest that have a target in a period, so that nothing counts twice."""
        values, teams = self.of(node, DimensionCode.TEAM), self.organisation.teams
        aimed: dict[date, set[int]] = defaultdict(set)
        for team_member, team in teams.items():
            for start in values.get(team_member, ()):
                aimed[start].add(team.pk)
        found: dict[date, list[Part]] = defaultdict(list)
        for member, by_day in values.items():
            if member is None:
                continue
            above = set(self.organisation.chain(teams[member].parent_id)) if member in teams else set()
            for start, value in by_day.items():
                if not above & aimed[start]:
                    found[start] += self.split(node, DimensionCode.TEAM, member, start, value)
        return found

    def people_by_team(self, node: KpiNode) -> Mapping[int, _Parts]:
        """Persons' targets by the team they count in, and by every team above that."""
        found: dict[int, dict[date, list[Part]]] = defaultdict(lambda: defaultdict(list))
        last_days = {period.start_date: period.end_date - timedelta(days=1) for period in self.periods}
        for member, by_day in self.of(node, DimensionCode.PERSON).items():
            for start, value in by_day.items():
                if member is None or start not in last_days:
                    continue
                if (member, start) not in self.placed:
                    self.placed[member, start] = self.organisation.teams_of(member, last_days[start])
                for team in self.placed[member, start]:
                    found[team][start] += self.split(node, DimensionCode.PERSON, member, start, value)
        return found

    def sees_people_of(self, team: Team) -> bool:
        """Whether the reader sees everybody who is in the team, so that their sum says something."""
        if self.sight.people is None:
            return True
        people = self.organisation.people_in(team.pk)
        return bool(people) and people <= self.sight.people
