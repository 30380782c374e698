"""A small tree of acme's with deals of two months, as the pages read it. Today is Monday 2026-11-16."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
import time_machine

from kpis.choices import TreeStatus
from kpis.models import KpiNode, KpiTree, Metric, MetricVersion, Person, Target, Team, TeamLeader
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from tenants.accounts.models import User
from tests.remembering import remembered

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
CLOSED = {"fact": "deals", "date": "closed_on"}
WON = {"field": "outcome", "op": "in", "value": ["won"]}


@dataclass(frozen=True)
class World:
    tree: KpiTree
    goal: KpiNode
    factor: KpiNode
    rate: KpiNode


def _metric(code: str, name: str, unit: str, accumulation: str, spec: dict) -> Metric:
    metric = Metric.objects.create(code=code, name=name, unit=unit, accumulation=accumulation)
    MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    return metric


def _deal(
    external_id: str, owner: str, closed_on: str | None, amount: int | None, outcome: str, **more: object
) -> dict:
    return {
        "external_id": external_id,
        "name": f"Deal {external_id}",
        "owner": owner,
        "created_on": "2026-09-05",
        "closed_on": closed_on,
        "amount": amount,
        "outcome": outcome,
        **more,
    }


def send(resource: str, *records: dict) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def world(in_acme: object, frozen: None) -> World:
    """bookings (KGI) ← a factor ← win rate = won ÷ closed; Bob and Cleo sell in the east, Dora in the west."""
    tree = KpiTree.objects.create(name="2026年度", fiscal_year=2026, status=TreeStatus.ACTIVE)
    bookings = _metric(
        "bookings",
        "受注額",
        "amount",
        "sum",
        {"kind": "simple", **CLOSED, "aggregate": "sum", "field": "amount", "filters": [WON]},
    )
    won = _metric(
        "won_deals", "受注件数", "count", "sum", {"kind": "simple", **CLOSED, "aggregate": "count", "filters": [WON]}
    )
    closed = _metric("closed_deals", "決着件数", "count", "sum", {"kind": "simple", **CLOSED, "aggregate": "count"})
    win_rate = _metric(
        "win_rate", "受注率（件数）", "percent", "rate", {"kind": "formula", "expression": "won_deals / closed_deals"}
    )
    goal = KpiNode.objects.create(tree=tree, level="kgi", code="bookings", name="受注額", metric=bookings)
    factor = KpiNode.objects.create(
        tree=tree, parent=goal, level="ksf", code="skill", name="営業力を高める", reason="差別化"
    )
    rate = KpiNode.objects.create(
        tree=tree,
        parent=factor,
        level="kpi",
        code="win_rate",
        name="受注率（件数）",
        metric=win_rate,
        controllable_by={"field_sales": "full"},
    )
    for position, metric in enumerate((won, closed)):
        KpiNode.objects.create(
            tree=tree,
            parent=rate,
            level="kpi",
            code=metric.code,
            name=metric.name,
            metric=metric,
            link="formula",
            position=position,
        )
    for month in (10, 11):
        for node, value in ((goal, 1_000_000), (rate, "0.5")):
            Target.objects.create(node=node, period_start=date(2026, month, 1), initial_value=value, value=value)
    send("teams", {"external_id": "east", "name": "東日本営業部"}, {"external_id": "west", "name": "西日本営業部"})
    send(
        "people",
        {"external_id": "bob", "name": "Bob", "team": "east"},
        {"external_id": "cleo", "name": "Cleo", "team": "east"},
        {"external_id": "dora", "name": "Dora", "team": "west"},
        {"external_id": "alice", "name": "Alice"},
    )
    Person.objects.filter(external_id="bob").update(user=User.objects.get(username="bob"))
    Person.objects.filter(external_id="alice").update(user=User.objects.get(username="alice"))
    TeamLeader.objects.create(team=Team.objects.get(external_id="east"), person=Person.objects.get(external_id="alice"))
    send(
        "deals",
        _deal("d1", "bob", "2026-10-05", 700_000, "won"),
        _deal("d2", "dora", "2026-10-06", 100_000, "won"),
        _deal("d3", "bob", "2026-11-05", 300_000, "won", source_url="https://crm.example/d3"),
        _deal("d4", "cleo", "2026-11-06", 90_000, "lost"),
        _deal("d5", "dora", "2026-11-09", 50_000, "lost"),
        _deal("late", "bob", None, 480_000, "open", expected_close_on="2026-11-10"),
        _deal("bare", "dora", None, None, "open", expected_close_on="2026-12-10"),
    )
    recompute(now=NOW)
    return World(tree, goal, factor, rate)
