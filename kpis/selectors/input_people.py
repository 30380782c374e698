"""Who types a value, who stands in, who is told when nobody does, and whom a letter about something else reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from kpis.choices import DimensionCode
from kpis.models import DimensionMember, KpiNode, Period, Person, Team, TeamLeader, TeamMembership
from kpis.selectors.visibility import in_force
from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.capabilities import roles_with


@dataclass(frozen=True)
class Asked:
    """Somebody who is asked to type; `user` is None where he has left, has no login, or one that is shut.

    `email` is "" where no letter reaches him.
    """

    name: str
    user: User | None
    email: str = ""


@dataclass(frozen=True)
class Place:
    """For whom one value of a node is typed: the company, or a member of a dimension; with owner and deputy."""

    dimension: str
    member: DimensionMember | None
    owner: Asked | None
    deputy: Asked | None


@dataclass(frozen=True)
class Organisation:
    """People and teams as of every day, loaded once; empty where values are typed for the company only."""

    today: date
    people: Sequence[Person] = ()
    teams: Sequence[Team] = ()
    memberships: Sequence[TeamMembership] = ()
    leaders: Sequence[TeamLeader] = ()

    @classmethod
    def load(cls, today: date) -> Organisation:
        """Four queries."""
        people = Person.objects.filter(deleted_at=None).exclude(member=None).select_related("member", "user")
        teams = Team.objects.filter(deleted_at=None).exclude(member=None).select_related("member")
        memberships = TeamMembership.objects.filter(deleted_at=None, credited=True)
        leaders = TeamLeader.objects.filter(in_force(today)).select_related("person__user")
        return cls(today, list(people), list(teams), list(memberships), list(leaders))

    def places(self, node: KpiNode, period: Period) -> Iterator[Place]:
        """Whose values a node asks for in a period: always the company's, then those of each team or person."""
        owner, deputy = self.owner_of(node), self.asked(node.deputy)
        yield Place(DimensionCode.COMPANY, None, owner, deputy)
        last = period.end_date - timedelta(days=1)
        if node.entered_for == DimensionCode.PERSON:
            here = {row.person_id for row in self.memberships if _holds(row.starts_on, row.ends_on, last)}
            for person in self.people:
                if person.pk in here and (person.left_on is None or person.left_on >= last):
                    yield Place(DimensionCode.PERSON, person.member, self.asked(person), deputy or owner)
        elif node.entered_for == DimensionCode.TEAM:
            for team in self.teams:
                if _holds(team.starts_on, team.ends_on, last):
                    leader, stand_in = self.led_by(team)
                    yield Place(DimensionCode.TEAM, team.member, leader, stand_in or deputy or owner)

    def owner_of(self, node: KpiNode) -> Asked | None:
        """The KPI owner: one of the five facts without which a tree is not put in force."""
        user = node.responsible_user
        return self.login(user) if node.responsible is None and user is not None else self.asked(node.responsible)

    def login(self, user: User) -> Asked:
        """A login as somebody to ask; its mail may stand at its person."""
        person = next((each.email for each in self.people if each.user_id == user.pk), "")
        return Asked(str(user), user, user.email or person) if user.is_active else Asked(str(user), None)

    def asked(self, person: Person | None) -> Asked | None:
        """A person as somebody to ask."""
        if person is None:
            return None
        is_here = person.deleted_at is None and (person.left_on is None or person.left_on >= self.today)
        user = person.user
        if not is_here or user is None or not user.is_active:
            return Asked(person.name, None)
        return Asked(person.name, user, user.email or person.email)

    def led_by(self, team: Team) -> tuple[Asked | None, Asked | None]:
        """Who leads a team today, and who stands in; None for nobody."""
        found: dict[bool, Asked | None] = defaultdict(lambda: None)
        for row in self.leaders:
            if row.team_id == team.pk and found[row.is_deputy] is None:
                found[row.is_deputy] = self.asked(row.person)
        return found[False], found[True]

    def superior_of(self, user: User | None) -> User | None:
        """Who leads the team in which somebody works today, or the nearest one above it; None for nobody else."""
        person = next((each for each in self.people if user is not None and each.user_id == user.pk), None)
        teams = {team.pk: team for team in self.teams}
        own = [
            row.team_id
            for row in self.memberships
            if person and row.person_id == person.pk and _holds(row.starts_on, row.ends_on, self.today)
        ]
        seen: set[int | None] = set()
        team = teams.get(own[0] or 0) if own else None
        while team is not None and team.pk not in seen:
            seen.add(team.pk)
            leader, _deputy = self.led_by(team)
            if leader is not None and leader.user is not None and leader.user != user:
                return leader.user
            team = teams.get(team.parent_id or 0)
        return None


def company_owners() -> list[User]:
    """Those who run the company and can open a closed period again."""
    return list(User.objects.filter(is_active=True, groups__name=Role.OWNER).order_by("name", "username"))


def people_who_may(capability: str, *, now: datetime) -> list[Asked]:
    """Those with an open login whose role allows something, with the mail that reaches them. Five queries."""
    organisation = Organisation.load(timezone.localdate(now))
    may = User.objects.filter(is_active=True, groups__name__in=roles_with(capability)).distinct()
    here = may.filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by("name", "username")
    return [organisation.login(user) for user in here]


def _holds(starts: date | None, ends: date | None, day: date) -> bool:
    return (starts is None or starts <= day) and (ends is None or ends > day)
