"""Whose results a person may see: DESIGN's roles, the company's visibility setting, and who leads whom today."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Q

from kpis.choices import DimensionCode
from kpis.models import Person, Team, TeamLeader, TeamMembership
from tenants.capabilities import Capability, Scope, scope_of
from tenants.settings.choices import Visibility
from tenants.settings.models import CompanySettings


@dataclass(frozen=True, slots=True)
class Sight:
    """Members (ids of DimensionMember) whose results may be seen, by dimension; a dimension not named is open.

    `people` holds the persons' own ids, for rows that name a person; None = everybody. `answers_for` holds the members
    whom the reader may write for, whatever the company lets him see besides: himself, the teams below him and their
    people; None = everybody.
    """

    members: dict[str, frozenset[int]]
    people: frozenset[int] | None
    answers_for: dict[str, frozenset[int]] | None = field(default_factory=dict)

    def allows(self, dimension: str, member: int | None) -> bool:
        """Whether the row of this member may be shown; the company's row (None) always may."""
        return member is None or dimension not in self.members or member in self.members[dimension]

    def may_write(self, dimension: str, member: int | None) -> bool:
        """Whether the row of this member may be written."""
        return self.answers_for is None or member in self.answers_for.get(dimension, ())


OPEN = Sight(members={}, people=None, answers_for=None)


def sight_of(*, user: Any, today: date) -> Sight:
    """What `user` may see on `today`; at most six queries.

    Owner, consultant and API keys see all. A viewer sees totals of the company and its teams, no person. A manager
    sees the teams that he leads or stands in for, those below, and their people; a member himself and his team's
    total. The company may open persons to their team or to everybody.
    """
    scope = scope_of(user, Capability.READ_PERSON_RESULTS)
    if scope == Scope.ALL:
        return OPEN
    if scope == Scope.NONE:
        return Sight(members={DimensionCode.PERSON: frozenset()}, people=frozenset())
    own = Person.objects.filter(user=user).first()
    if own is None:
        return Sight(members={DimensionCode.PERSON: frozenset(), DimensionCode.TEAM: frozenset()}, people=frozenset())
    people_of = people_by_team(today)
    own_teams = {team for team, people in people_of.items() if own.pk in people}
    below = led_teams(own, today) if scope == Scope.TEAM else set()
    visibility = CompanySettings.objects.values_list("visibility", flat=True).get()
    led = {own.pk, *(person for team in below for person in people_of.get(team, ()))}
    mates = {person for team in own_teams for person in people_of[team]} if visibility == Visibility.TEAM else set()
    member_of = dict(Person.objects.filter(pk__in=led | mates).exclude(member=None).values_list("pk", "member_id"))
    teams = dict(Team.objects.filter(pk__in=below | own_teams).exclude(member=None).values_list("pk", "member_id"))
    answers_for: dict[str, frozenset[int]] = {
        DimensionCode.TEAM: frozenset(member for team, member in teams.items() if team in below),
        DimensionCode.PERSON: frozenset(member for person, member in member_of.items() if person in led),
    }
    members: dict[str, frozenset[int]] = {DimensionCode.TEAM: frozenset(teams.values())}
    if visibility == Visibility.COMPANY:
        return Sight(members=members, people=None, answers_for=answers_for)
    members[DimensionCode.PERSON] = frozenset(member_of.values())
    return Sight(members=members, people=frozenset(led | mates), answers_for=answers_for)


def in_force(day: date) -> Q:
    """Rows in force on a day."""
    begun = Q(starts_on__isnull=True) | Q(starts_on__lte=day)
    return begun & (Q(ends_on__isnull=True) | Q(ends_on__gt=day))


def people_by_team(day: date) -> dict[int, set[int]]:
    """Team → the people who belong to it on a day."""
    memberships = TeamMembership.objects.filter(in_force(day), deleted_at=None).exclude(team=None).exclude(person=None)
    people: dict[int, set[int]] = defaultdict(set)
    for team, person in memberships.values_list("team_id", "person_id"):
        people[team].add(person)
    return people


def led_teams(person: Person, day: date) -> set[int]:
    """Teams that a person leads or stands in for, with those below them."""
    led = set(TeamLeader.objects.filter(in_force(day), person=person).values_list("team_id", flat=True))
    children: dict[int | None, list[int]] = defaultdict(list)
    for team, parent in Team.objects.filter(deleted_at=None).values_list("pk", "parent_id"):
        children[parent].append(team)
    waiting = list(led)
    while waiting:
        for child in children[waiting.pop()]:
            if child not in led:
                led.add(child)
                waiting.append(child)
    return led
