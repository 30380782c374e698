"""A company of November 2026 with a small tree, bookings and win rate, typed by hand; asked from October on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion, Period, Person, Team, TeamLeader, TeamMembership
from kpis.services.entries import enter_value
from kpis.services.facts import upsert_facts
from kpis.services.targets import TargetEntry, set_target
from reviews.models import Action, Meeting, MeetingSeries, Miss
from reviews.services.actions import log_action
from reviews.services.misses import record_misses
from reviews.services.schedule import save_series
from tenants.settings.models import CompanySettings
from tests.remembering import remembered

NOW = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)  # Wednesday, 9:00 in Tokyo
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture(autouse=True)
def november() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def tree(in_acme: Any) -> KpiTree:
    CompanySettings.objects.update(start_date=OCTOBER)
    tree = KpiTree.objects.create(name="新規開拓 2026", fiscal_year=2026, status="active")
    rows = [("bookings", "受注額", "amount", "sum", "kgi"), ("win_rate", "受注率", "percent", "rate", "kpi")]
    for position, (code, name, unit, accumulation, level) in enumerate(rows):
        metric = Metric.objects.create(code=code, name=name, unit=unit, accumulation=accumulation)
        MetricVersion.objects.create(metric=metric, number=1, spec={"kind": "manual"})
        KpiNode.objects.create(tree=tree, level=level, code=code, name=name, metric=metric, position=position)
    return tree


@pytest.fixture
def bookings(tree: KpiTree) -> KpiNode:
    return tree.nodes.select_related("metric", "tree").get(code="bookings")


@pytest.fixture
def win_rate(tree: KpiTree) -> KpiNode:
    return tree.nodes.select_related("metric", "tree").get(code="win_rate")


@pytest.fixture
@remembered
def organisation(in_acme: Any, alice: Any, bob: Any) -> dict[str, Person]:
    """Alice leads the east team, in which Bob is; Emi is in the west team."""
    upsert_facts(
        resource="teams",
        source="hr",
        records=[{"external_id": "east", "name": "東日本"}, {"external_id": "west", "name": "西日本"}],
        now=NOW,
    )
    records = [
        {"external_id": "alice", "name": "Alice"},
        {"external_id": "bob", "name": "Bob", "team": "east"},
        {"external_id": "emi", "name": "Emi", "team": "west"},
    ]
    upsert_facts(resource="people", source="hr", records=records, now=NOW)
    people = {person.external_id: person for person in Person.objects.all()}
    Person.objects.filter(external_id="alice").update(user=alice)
    Person.objects.filter(external_id="bob").update(user=bob)
    TeamLeader.objects.create(team=Team.objects.get(external_id="east"), person=people["alice"])
    assert TeamMembership.objects.filter(person=people["bob"], team__external_id="east").exists()
    return {name: Person.objects.get(pk=person.pk) for name, person in people.items()}


def aim(node: KpiNode, value: str, start: date = OCTOBER, **where: Any) -> None:
    """Set a target."""
    entry = TargetEntry(node=node, period_start=start, value=Decimal(value), reason="計画", **where)
    set_target(entry=entry, actor=None, now=NOW)


def type_in(node: KpiNode, value: str, start: date = OCTOBER, **where: Any) -> None:
    """Enter the value of a manual KPI."""
    enter_value(metric=node.metric, period_start=start, value=Decimal(value), actor=None, now=NOW, **where)


def finish(start: date = OCTOBER, state: str = "provisional") -> Period:
    """Bring a month into a state, as the clock or a person would."""
    Period.objects.filter(grain="month", start_date=start).update(state=state)
    return Period.objects.select_related("fiscal_year").get(grain="month", start_date=start)


@pytest.fixture
@remembered
def october_miss(bookings: KpiNode) -> Miss:
    """Bookings of October: 800,000 of 1,000,000."""
    aim(bookings, "1000000")
    type_in(bookings, "800000")
    record_misses(period=finish(), now=NOW)
    return Miss.objects.select_related("node__metric").get()


@pytest.fixture
def weekly(in_acme: Any) -> MeetingSeries:
    """Every Monday at 10:00; next on 2026-11-30."""
    return save_series(name="週次レビュー", weekday=0, starts_at=time(10), now=NOW)


@pytest.fixture
def next_meeting(weekly: MeetingSeries) -> Meeting:
    return weekly.meetings.get()


@pytest.fixture
def make_action(tree: KpiTree) -> Callable[..., Action]:
    def make(node: KpiNode, **fields: Any) -> Action:
        given = {"cause": "失注が増えた", "action": "提案書を見直す", "due_on": date(2026, 11, 27), "actor": None}
        return log_action(node=node, now=NOW, **{**given, **fields})

    return make
