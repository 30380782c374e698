"""Who has to agree to a change of targets, and how somebody stands to a request for one."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from kpis.choices import TreeStatus
from kpis.engine.approval import Standing, above, may_decide, steps_needed
from kpis.models import KpiTree, Person, TargetRequest, Team, TeamLeader, TeamMembership
from kpis.selectors.visibility import Sight, in_force, sight_of
from tenants.capabilities import Capability, Scope, scope_of
from tenants.settings.selectors import company_settings


def people_at_work(today: date) -> int:
    """How many people of the sales organisation have not left by a day."""
    people = Person.objects.filter(deleted_at=None)
    return people.filter(Q(left_on__isnull=True) | Q(left_on__gte=today)).count()


def approval_steps(*, user: Any, tree: KpiTree, today: date) -> int:
    """How many approvals a change of `tree`'s targets by `user` needs; at most two queries.

    None in a tree that is not in force: activating it is the approval. None for who sets targets for the whole company
    (owner, consultant), and none for a system (`user` None, an API key): they have the last word anyway.
    """
    if tree.status != TreeStatus.ACTIVE or user is None or scope_of(user, Capability.SET_TARGETS) == Scope.ALL:
        return 0
    return steps_needed(company_settings().target_approval, people_at_work(today))


@dataclass(frozen=True)
class Approver:
    """Somebody who may decide, on one day. `led`: the teams he leads or stands in for, without those below.

    `teams_of` has for every login the teams that it leads or, leading none, belongs to; `leaders` names who leads.
    """

    user_id: int | None
    scope: str
    sight: Sight
    led: frozenset[int]
    teams_of: Mapping[int, Collection[int]]
    leaders: frozenset[int]
    parents: Mapping[int, int | None]

    @classmethod
    def load(cls, *, user: Any, today: date) -> "Approver":
        """At most ten queries, whatever there is to decide."""
        leads = _teams_by_login(TeamLeader.objects.filter(in_force(today)))
        belongs = _teams_by_login(TeamMembership.objects.filter(in_force(today), deleted_at=None))
        own = getattr(user, "pk", None)
        return cls(
            user_id=own,
            scope=scope_of(user, Capability.APPROVE_TARGETS),
            sight=sight_of(user=user, today=today),
            led=frozenset(leads.get(own, ())) if own else frozenset(),
            teams_of={**belongs, **leads},
            leaders=frozenset(leads),
            parents=dict(Team.objects.filter(deleted_at=None).values_list("pk", "parent_id")),
        )

    def standing(self, request: TargetRequest) -> Standing:
        """How he stands to a request, whose `cells` (with member) and `decisions` are loaded with it."""
        return Standing(
            is_proposer=self.user_id is not None and request.proposer_id == self.user_id,
            is_superior=self.scope != Scope.NONE and self._leads_above(request.proposer_id) and self._reaches(request),
            is_owner=self.scope == Scope.ALL,
            has_decided=any(each.actor_id == self.user_id for each in request.decisions.all()),
        )

    def may_decide(self, request: TargetRequest) -> bool:
        """Whether the request waits for him (among others)."""
        done = len(request.decisions.all())
        return request.is_waiting and may_decide(self.standing(request), done=done, steps=request.steps)

    def may_see(self, request: TargetRequest) -> bool:
        """Who proposed it, who is above him, and who runs the company."""
        standing = self.standing(request)
        return standing.is_proposer or standing.is_superior or standing.is_owner or not self.sight.members

    def _leads_above(self, proposer: int | None) -> bool:
        teams = list(self.teams_of.get(proposer, ())) if proposer else []
        higher = above(teams, dict(self.parents))
        if proposer not in self.leaders:
            higher |= set(teams)
        return bool(self.led & higher)

    def _reaches(self, request: TargetRequest) -> bool:
        return all(
            cell.member_id is not None and self.sight.may_write(cell.dimension, cell.member_id)
            for cell in request.cells.all()
        )


def _teams_by_login(rows: QuerySet[Any]) -> dict[int, list[int]]:
    """Login → teams, of rows that name a team and a person."""
    found: dict[int, list[int]] = defaultdict(list)
    for user, team in rows.exclude(person__user=None).exclude(team=None).values_list("person__user", "team"):
        found[user].append(team)
    return dict(found)
