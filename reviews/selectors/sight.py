"""Whose misses, actions and meetings somebody may see, and whose he may answer or change."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from kpis.choices import DimensionCode
from kpis.models import DimensionMember, Person
from kpis.selectors.visibility import led_teams, people_by_team, sight_of
from reviews.models import Action, Miss
from reviews.models.actions import ActionQuerySet
from reviews.models.misses import MissQuerySet
from tenants.capabilities import Capability, Scope, scope_of

ORGANISATION = (DimensionCode.PERSON, DimensionCode.TEAM)


@dataclass(frozen=True)
class Reach:
    """The people whose work somebody answers for, oneself included, and the teams led; ids of rows."""

    people: frozenset[int]
    teams: frozenset[int]


def reach_of(user: Any, scope: str, *, today: datetime.date) -> Reach:
    """Scope own: oneself. Scope team: also the people of the teams that one leads or stands in for, and below.

    Unlike sight this does not widen with the company's visibility setting: seeing is not answering for.
    """
    me = Person.objects.filter(user_id=user.pk, deleted_at__isnull=True).first()
    if me is None:
        return Reach(frozenset(), frozenset())
    teams = led_teams(me, today) if scope == Scope.TEAM else set()
    members = people_by_team(today) if teams else {}
    people = {me.pk, *(person for team in teams for person in members.get(team, ()))}
    return Reach(frozenset(people), frozenset(teams))


def visible_misses(user: Any, *, today: datetime.date) -> MissQuerySet:
    """Misses whose numbers somebody may read."""
    misses = Miss.objects.standing()
    if scope_of(user, Capability.READ_RESULTS) == Scope.NONE:
        return misses.none()
    for dimension, members in sight_of(user=user, today=today).members.items():
        misses = misses.filter(~Q(dimension=dimension) | Q(member__in=members))
    return misses


def answerable_misses(user: Any, *, today: datetime.date) -> MissQuerySet:
    """Misses that somebody may answer: the company's, and those of the people and teams he answers for."""
    scope = scope_of(user, Capability.ANSWER_MISSES)
    misses = Miss.objects.standing()
    if scope == Scope.ALL:
        return misses
    if scope == Scope.NONE:
        return misses.none()
    reach = reach_of(user, scope, today=today)
    theirs = DimensionMember.objects.filter(Q(person__in=reach.people) | Q(team__in=reach.teams))
    return misses.filter(~Q(dimension__in=ORGANISATION) | Q(member__in=theirs))


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
    return actions.filter(Q(owner_user_id=user.pk) | Q(owner__in=reach.people) | Q(created_by_id=user.pk))


def possible_owners(user: Any, *, today: datetime.date) -> QuerySet[Person]:
    """People to whom somebody may give an action: those who are still there, within reach."""
    people = Person.objects.filter(Q(left_on__isnull=True) | Q(left_on__gt=today), deleted_at__isnull=True)
    scope = scope_of(user, Capability.LOG_ACTIONS)
    if scope == Scope.ALL:
        return people
    if scope == Scope.NONE:
        return people.none()
    return people.filter(pk__in=reach_of(user, scope, today=today).people)


def may_read_meetings(user: Any) -> bool:
    """Whether somebody may look at meetings: those who run them, and whoever reads every result."""
    return scope_of(user, Capability.RUN_MEETINGS) != Scope.NONE or scope_of(user, Capability.READ_RESULTS) == Scope.ALL
