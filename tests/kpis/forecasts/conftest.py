"""A company in the middle of November 2026 that sells late in the month: a quarter by half-time, the rest at the end.

Bob sells in the east, Dora in the west; Alice leads the east. Today is Monday 2026-11-16, business day 10 of 19.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine

from kpis.choices import DimensionCode, TreeStatus
from kpis.models import DimensionMember, KpiNode, KpiTree, Period, Person, Target, Team, TeamLeader
from kpis.selectors.landings import Landing, read_landings
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.definitions import create_metric
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.trees import create_node, create_tree
from tenants.accounts.models import User
from tests.kpis.api.conftest import api, caller_with, signed_in
from tests.remembering import remembered

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
TODAY, NOVEMBER = date(2026, 11, 16), date(2026, 11, 1)
WON = {
    "kind": "simple",
    "fact": "deals",
    "date": "closed_on",
    "aggregate": "sum",
    "field": "amount",
    "filters": [{"field": "outcome", "op": "in", "value": ["won"]}],
}
HISTORY = [
    {"external_id": f"won-{month}-{day}", "closed_on": f"2026-{month:02}-{day:02}", "amount": amount, "outcome": "won"}
    for month in (7, 8, 9, 10)
    for day, amount in ((6, 100_000), (28, 300_000))
]
OPEN = [
    {"external_id": "sure", "owner": "bob", "amount": 100_000, "confidence": "A", "expected_close_on": "2026-11-27"},
    {"external_id": "even", "owner": "dora", "amount": 200_000, "confidence": "B", "expected_close_on": "2026-11-30"},
    {"external_id": "late", "owner": "bob", "amount": 480_000, "confidence": "A", "expected_close_on": "2026-11-10"},
    {"external_id": "bare", "owner": "dora", "amount": None, "confidence": "B", "expected_close_on": "2026-11-20"},
    {"external_id": "next", "owner": "bob", "amount": 900_000, "confidence": "C", "expected_close_on": "2026-12-10"},
]


def send(resource: str, *records: dict[str, Any], now: datetime = NOW) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=now)
    assert not result.rejected, result.rejected


def landings_of(node: KpiNode, *, dimension: str = "company", grain: str = "month", now: datetime = NOW) -> dict:
    """Member's code → landing in the period that holds `now`, with the half year before it."""
    end = Period.objects.get(grain=grain, start_date__lte=now.date(), end_date__gt=now.date()).end_date
    query = MatrixQuery(
        tree=node.tree, grain=grain, start=date(2026, 5, 1), end=end, dimension=dimension, codes=[node.code]
    )
    found = read_landings(build_matrix(query, now=now), dimension=dimension, now=now)
    return {landing.member.code: landing for landing in found.values()}


@dataclass(frozen=True)
class Sales:
    tree: KpiTree
    goal: KpiNode

    def landing(self, **changes: Any) -> Landing:
        return landings_of(self.goal, **changes)[None]


def factor_of(sales: Sales) -> KpiNode:
    """A KSF below the KGI, for KPIs to stand below."""
    return sales.tree.nodes.filter(code="skill").first() or create_node(
        tree=sales.tree, parent=sales.goal, level="ksf", code="skill", name="営業力", actor=None, now=NOW
    )


@pytest.fixture
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def sales(in_acme: object, frozen: None) -> Sales:
    tree = create_tree(name="2026年度", fiscal_year=2026, actor=None, now=NOW)
    metric = create_metric(
        code="bookings", name="受注額", unit="amount", accumulation="sum", spec=WON, actor=None, now=NOW
    )
    goal = create_node(tree=tree, level="kgi", metric=metric, actor=None, now=NOW)
    for month in (10, 11, 12):
        Target.objects.create(node=goal, period_start=date(2026, month, 1), initial_value=1_000_000, value=1_000_000)
    KpiTree.objects.filter(pk=tree.pk).update(status=TreeStatus.ACTIVE)
    tree.refresh_from_db()
    send("teams", {"external_id": "east", "name": "東日本営業部"}, {"external_id": "west", "name": "西日本営業部"})
    send(
        "people",
        {"external_id": "bob", "name": "Bob", "team": "east"},
        {"external_id": "dora", "name": "Dora", "team": "west"},
        {"external_id": "alice", "name": "Alice", "team": "east"},
    )
    for name in ("bob", "alice"):
        Person.objects.filter(external_id=name).update(user=User.objects.get(username=name))
    TeamLeader.objects.create(team=Team.objects.get(external_id="east"), person=Person.objects.get(external_id="alice"))
    created = {"created_on": "2026-06-15", "owner": "bob"}
    moved = {"created_on": "2026-11-02", "last_activity_on": "2026-11-10"}
    send(
        "deals",
        *({**created, "name": f"Deal {each['external_id']}", **each} for each in HISTORY),
        *({**moved, "name": f"Deal {each['external_id']}", **each} for each in OPEN),
        {**created, "external_id": "won", "closed_on": "2026-11-09", "amount": 150_000, "outcome": "won"},
    )
    recompute(now=NOW)
    return Sales(tree, goal)


@pytest.fixture
def east(sales: Sales) -> DimensionMember:
    return DimensionMember.objects.get(dimension__code=DimensionCode.TEAM, code="east")


__all__ = ["api", "caller_with", "signed_in"]  # the callers of the API, as its own tests have them
