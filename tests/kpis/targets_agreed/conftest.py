"""The sales department of acme: east and west below it. Sumi leads it, Alice leads the east with Bob and Cleo.

Dora sells in the west. The tree is in force; company, teams and persons have targets in November 2026. Today is Monday
2026-11-16.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.models import DimensionMember, KpiNode, Person, Target, TargetRequest, Team, TeamLeader
from kpis.services.target_requests import request_targets
from kpis.services.targets import TargetEntry, set_targets
from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.accounts.services import create_user
from tenants.settings.models import CompanySettings
from tests.kpis.api.conftest import api, caller_with, signed_in
from tests.kpis.pages.conftest import World, frozen, send, world
from tests.remembering import remembered

__all__ = ["api", "caller_with", "frozen", "signed_in", "world"]
NOVEMBER, DECEMBER, JANUARY = date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)


@dataclass(frozen=True)
class Sales:
    """The tree's KGI, and who is above Alice."""

    world: World
    sumi: User

    @property
    def goal(self) -> KpiNode:
        return KpiNode.objects.select_related("tree", "metric", "responsible").get(pk=self.world.goal.pk)

    def target(self, dimension: str, code: str, month: date = NOVEMBER) -> Target:
        return Target.objects.get(node=self.goal, dimension=dimension, member__code=code, period_start=month)


def member_of(dimension: str, code: str) -> DimensionMember:
    return DimensionMember.objects.get(dimension__code=dimension, code=code)


def lead(person: str, team: str, **dates: Any) -> None:
    team_row, person_row = Team.objects.get(external_id=team), Person.objects.get(external_id=person)
    TeamLeader.objects.create(team=team_row, person=person_row, **dates)


def login(external_id: str, role: str = Role.MANAGER) -> User:
    user = create_user(username=external_id, name=external_id.title(), role=role)
    Person.objects.filter(external_id=external_id).update(user=user)
    return user


def need_steps(setting: str) -> None:
    CompanySettings.objects.update(target_approval=setting)


@pytest.fixture
@remembered
def sales(world: World) -> Sales:
    send("teams", {"external_id": "sales", "name": "営業本部"})
    send("people", {"external_id": "sumi", "name": "Sumi", "team": "sales"})
    Team.objects.filter(external_id__in=("east", "west")).update(parent=Team.objects.get(external_id="sales"))
    sales = Sales(world, login("sumi"))
    lead("sumi", "sales")
    rows = [("team", "east", 600), ("team", "west", 400), ("person", "bob", 300), ("person", "cleo", 200)]
    entries = [entry_of(sales.goal, dimension, code, value, month=NOVEMBER) for dimension, code, value in rows]
    set_targets(entries=entries, actor=None, now=timezone.now())
    return sales


def entry_of(
    node: KpiNode, dimension: str, code: str | None, value: int, *, month: date = NOVEMBER, reason: str = "Plan"
) -> TargetEntry:
    return TargetEntry(
        node=node,
        period_start=month,
        value=Decimal(value) * 1000,
        dimension=dimension,
        member=member_of(dimension, code) if code else None,
        reason=reason,
    )


@pytest.fixture
def propose(sales: Sales) -> Callable[..., TargetRequest]:
    """`propose(alice, bob=250)`: a request for November's targets of persons, in thousands."""

    def make(actor: User, *, answers: TargetRequest | None = None, month: date = NOVEMBER, **values: int) -> Any:
        entries = [entry_of(sales.goal, "person", code, value, month=month) for code, value in values.items()]
        return request_targets(
            entries=entries, reason="One deal slipped.", answers=answers, actor=actor, now=timezone.now()
        )

    return make
