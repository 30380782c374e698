"""What a company says about its people beyond the records: logins, and who leads whom from when to when."""

from datetime import date

from django.db import transaction

from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Person, Team, TeamLeader
from kpis.services.refusal import RefusedError
from tenants.accounts.models import User


class LoginTakenError(RefusedError):
    """The login belongs to another person."""

    code = "login_taken"


class LeadershipError(RefusedError):
    """A leadership that cannot be."""

    code = "leadership"


@transaction.atomic
def link_login(*, person: Person, user: User | None, actor: User | None) -> Person:
    """Let a login see as this person, or none. Raises LoginTakenError."""
    if user is not None and Person.objects.filter(user=user).exclude(pk=person.pk).exists():
        raise LoginTakenError(gettext_noop("This login belongs to another person. Take it away there first."))
    person.user = user
    person.save(update_fields=["user"])
    return person


@transaction.atomic
def set_team_leader(
    *,
    team: Team,
    person: Person,
    is_deputy: bool = False,
    starts_on: date | None = None,
    ends_on: date | None = None,
    leader_id: int | None = None,
    actor: User | None,
) -> TeamLeader:
    """Name who leads a team, or stands in, from a day to a day (exclusive); with `leader_id` change that row.

    Raises LeadershipError when it ends before it starts, or is there already.
    """
    if starts_on and ends_on and ends_on <= starts_on:
        fault = Issue("ends_on", "invalid", gettext_noop("It ends before it starts. Correct one of the two dates."))
        raise LeadershipError(issues=[fault])
    fields = {"team": team, "person": person, "is_deputy": is_deputy, "starts_on": starts_on}
    if any(other.pk != leader_id for other in TeamLeader.objects.filter(**fields)):
        raise LeadershipError(gettext_noop("This is known already. Change the row that is there."))
    leader = TeamLeader(pk=leader_id, **fields, ends_on=ends_on)
    leader.save()
    return leader


@transaction.atomic
def remove_team_leader(*, leader: TeamLeader, actor: User | None) -> None:
    """Take back a leadership that never was; one that ended gets an end date instead."""
    leader.delete()
