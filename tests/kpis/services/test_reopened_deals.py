"""Deals that close more than once: credit and cycle follow the last close."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
CLOSED = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}
WON = {"filters": [{"field": "outcome", "op": "eq", "value": "won"}]}
LOST = {"filters": [{"field": "outcome", "op": "eq", "value": "lost"}]}
SPECS = {
    "won": {**CLOSED, **WON},
    "lost": {**CLOSED, **LOST},
    "bookings": {**CLOSED, **WON, "aggregate": "sum", "field": "amount"},
    "cycle": {**CLOSED, **WON, "aggregate": "average", "days_between": ["created_on", "closed_on"]},
    "median_cycle": {**CLOSED, **WON, "aggregate": "median", "days_between": ["created_on", "closed_on"]},
}
APRIL, JUNE, SEPTEMBER = (date(2026, month, 1) for month in (4, 6, 9))


@pytest.fixture
def tree(in_acme: object) -> KpiTree:
    """Bob is in north until May and in south from then on; Cleo is in south until August, then in north."""
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    send("teams", {"external_id": "north", "name": "north"}, {"external_id": "south", "name": "south"})
    send("people", {"external_id": "bob", "name": "Bob"}, {"external_id": "cleo", "name": "Cleo"})
    send(
        "memberships",
        {"external_id": "1", "person": "bob", "team": "north", "ends_on": "2026-05-01"},
        {"external_id": "2", "person": "bob", "team": "south", "starts_on": "2026-05-01"},
        {"external_id": "3", "person": "cleo", "team": "south", "ends_on": "2026-08-01"},
        {"external_id": "4", "person": "cleo", "team": "north", "starts_on": "2026-08-01"},
    )
    return tree


def send(resource: str, *records: dict, at: datetime = NOW) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=at)
    assert not result.rejected, result.rejected


def deal(at: str, outcome: str, owner: str, **more: Any) -> None:
    """The deal as the CRM has it on a day; a closed one closes on that day."""
    record = {"external_id": "D1", "created_on": "2026-03-02", "amount": 500, "outcome": outcome, "owner": owner}
    closed_on = None if outcome == "open" else at
    moment = datetime.fromisoformat(f"{at}T03:00:00+00:00")
    send("deals", {**record, "closed_on": closed_on, **more}, at=moment)
    recompute(now=moment)


def told(tree: KpiTree, code: str, dimension: str = "company") -> dict[tuple[str | None, date], Decimal]:
    """(member, month) → value, without zeros and absences."""
    query = MatrixQuery(tree, "month", date(2026, 3, 1), date(2026, 12, 1), dimension=dimension, codes=[code])
    found = build_matrix(query, now=NOW)
    return {
        (member.code, period.start): value
        for m, member in enumerate(found.members)
        for p, period in enumerate(found.periods)
        if (value := found.value[0][m][p])
    }


class TestWonThenLost:
    """Bob wins it in April, it is opened again, and Cleo loses it in June."""

    @pytest.fixture(autouse=True)
    def history(self, tree: KpiTree) -> None:
        deal("2026-04-10", "won", "bob")
        deal("2026-05-20", "open", "bob")
        deal("2026-06-05", "lost", "cleo")
        deal("2026-09-10", "lost", "bob", closed_on="2026-06-05")  # handed over after it closed

    def test_14_the_win_is_taken_back(self, tree: KpiTree) -> None:
        for code in ("won", "bookings", "cycle", "median_cycle"):
            assert told(tree, code) == {}

    def test_14_the_loss_is_credited_to_who_lost_it_and_the_team_of_that_day(self, tree: KpiTree) -> None:
        assert told(tree, "lost", "person") == {("cleo", JUNE): 1}
        assert told(tree, "lost", "team") == {("south", JUNE): 1}


class TestLostThenWon:
    """Bob loses it in April, Cleo takes it up again and wins it in September."""

    @pytest.fixture(autouse=True)
    def history(self, tree: KpiTree) -> None:
        deal("2026-04-10", "lost", "bob")
        deal("2026-07-01", "open", "bob")
        deal("2026-08-20", "open", "cleo")
        deal("2026-09-15", "won", "cleo")
        deal("2026-10-20", "won", "bob", closed_on="2026-09-15")  # handed over after it closed

    def test_14_the_loss_is_taken_back(self, tree: KpiTree) -> None:
        assert told(tree, "lost") == {}

    def test_14_the_win_is_credited_to_who_won_it_and_the_team_of_that_day(self, tree: KpiTree) -> None:
        assert told(tree, "bookings", "person") == {("cleo", SEPTEMBER): 500}
        assert told(tree, "bookings", "team") == {("north", SEPTEMBER): 500}

    def test_14_the_cycle_runs_from_the_first_creation_to_the_last_win(self, tree: KpiTree) -> None:
        days = (date(2026, 9, 15) - date(2026, 3, 2)).days
        for code in ("cycle", "median_cycle"):
            assert told(tree, code, "team") == {("north", SEPTEMBER): days}


class TestWonTwice:
    """Bob wins it in April in north; opened again, he wins it in June, when he is in south."""

    def test_14_counts_once_where_and_when_it_was_won_last(self, tree: KpiTree) -> None:
        deal("2026-04-10", "won", "bob")
        assert told(tree, "won", "team") == {("north", APRIL): 1}
        deal("2026-05-20", "open", "bob")
        deal("2026-06-05", "won", "bob", amount=700)
        assert told(tree, "won", "team") == {("south", JUNE): 1}
        assert told(tree, "bookings", "person") == {("bob", JUNE): 700}
        assert told(tree, "cycle") == {(None, JUNE): (date(2026, 6, 5) - date(2026, 3, 2)).days}
