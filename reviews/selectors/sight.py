"""Whose misses and actions somebody may see: the company's, those of led teams and below, or only the own ones."""

import datetime
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from kpis.models import Person, Team, TeamLeader, TeamMembership
from reviews.models import Action, Miss
from reviews.models.actions import ActionQuerySet
from reviews.models.misses import MissQuerySet
from tenants.capabilities import Capability, Scope, has_capability, scope_of

ORGANISATION = ("person", "team")


@dataclass(frozen=True)
class Reach:
    """The people whose work somebody answers for, and the dimension members of those people and their teams."""

    person_ids: frozenset[int]
    member_ids: frozenset[int]


def reach_of(user: Any, scope: str, *, today: datetime.date) -> Reach:
    """Scope own: oneself. Scope team: also the teams led or stood in for today, all teams below, and their people."""
    me = Person.objects.filter(user_id=user.pk, deleted_at__isnull=True).first()
    if me is None:
        return Reach(frozenset(), frozenset())
    people = {me.pk: me.member_id}
    teams: dict[int, int | None] = {}
    if scope == Scope.TEAM:
        teams = _teams_below(me, today)
        in_force = _on(today)
        memberships = TeamMembership.objects.filter(in_force, team__in=teams, deleted_at__isnull=True)
        people |= dict(memberships.filter(person__isnull=False).values_list("person_id", "person__member_id"))
    members = frozenset(pk for pk in [*people.values(), *teams.values()] if pk is not None)
    return Reach(frozenset(people), members)


def visible_misses(user: Any, *, today: datetime.date) -> MissQuerySet:
    """Misses whose numbers somebody may read; a person's numbers ask for a capability of their own."""
    misses = _misses(user, scope_of(user, Capability.READ_RESULTS), today)
    return misses if has_capability(user, Capability.READ_PERSON_RESULTS) else misses.exclude(dimension="person")


def answerable_misses(user: Any, *, today: datetime.date) -> MissQuerySet:
    """Misses that somebody may answer."""
    return _misses(user, scope_of(user, Capability.ANSWER_MISSES), today)


def visible_actions(user: Any, *, today: datetime.date) -> ActionQuerySet:
    """Actions that somebody may see: everybody's own ones, and all for whoever reads every result."""
    if scope_of(user, Capability.READ_RESULTS) == Scope.ALL:
        return Action.objects.all()
    return changeable_actions(user, today=today)


def changeable_actions(user: Any, *, today: datetime.date) -> ActionQuerySet:
    """Actions that somebody may change: own ones, those of led teams and below, or all."""
    scope = scope_of(user, Capability.LOG_ACTIONS)
    actions = Action.objects.all()
    if scope == Scope.ALL:
        return actions
    if scope == Scope.NONE:
        return actions.none()
    reach = reach_of(user, scope, today=today)
    return actions.filter(Q(owner_user_id=user.pk) | Q(owner__in=reach.person_ids) | Q(created_by_id=user.pk))


def possible_owners(user: Any, *, today: datetime.date) -> QuerySet[Person]:
    """People to whom somebody may give an action: those who are still there, within reach."""
    people = Person.objects.filter(Q(left_on__isnull=True) | Q(left_on__gt=today), deleted_at__isnull=True)
    scope = scope_of(user, Capability.LOG_ACTIONS)
    if scope == Scope.ALL:
        return people
    if scope == Scope.NONE:
        return people.none()
    return people.filter(pk__in=reach_of(user, scope, today=today).person_ids)


def may_read_meetings(user: Any) -> bool:
    """Whether somebody may look at meetings: those who run them, and whoever reads every result."""
    return scope_of(user, Capability.RUN_MEETINGS) != Scope.NONE or scope_of(user, Capability.READ_RESULTS) == Scope.ALL


def _misses(user: Any, scope: str, today: datetime.date) -> MissQuerySet:
    misses = Miss.objects.standing()
    if scope == Scope.ALL:
        return misses
    if scope == Scope.NONE:
        return misses.none()
    if scope == Scope.TEAM and not has_capability(user, Capability.READ_PERSON_RESULTS):
        return misses
    reach = reach_of(user, scope, today=today)
    shared = ~Q(dimension__in=ORGANISATION) if scope == Scope.TEAM else Q(dimension="company")
    return misses.filter(shared | Q(member_id__in=reach.member_ids))


def _teams_below(person: Person, today: datetime.date) -> dict[int, int | None]:
    """Team → dimension member, of the teams a person leads today and every team below them."""
    below: dict[int | None, list[int]] = defaultdict(list)
    member_of: dict[int, int | None] = {}
    for team_id, parent_id, member_id in Team.objects.values_list("pk", "parent_id", "member_id"):
        below[parent_id].append(team_id)
        member_of[team_id] = member_id
    found: dict[int, int | None] = {}
    waiting = list(TeamLeader.objects.filter(_on(today), person=person).values_list("team_id", flat=True))
    while waiting:
        team_id = waiting.pop()
        if team_id not in found:
            found[team_id] = member_of[team_id]
            waiting.extend(below[team_id])
    return found


def _on(day: datetime.date) -> Q:
    begun = Q(starts_on__isnull=True) | Q(starts_on__lte=day)
    return begun & (Q(ends_on__isnull=True) | Q(ends_on__gt=day))
