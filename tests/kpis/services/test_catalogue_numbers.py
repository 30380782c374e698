"""Entries of the catalogue that rest on others or on what is written down, as a company has them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kpis.choices import TreeStatus
from kpis.engine.catalogue import CATALOGUE
from kpis.engine.specs import SNAPSHOT_MEASURES, Snapshot
from kpis.models import ExchangeRate, FactStream, KpiNode, KpiTree, Metric, MetricSnapshot
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.catalogue import add_from_catalogue
from kpis.services.entries import enter_value
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.snapshots import take_snapshots

NOW = datetime(2026, 6, 20, 9, tzinfo=UTC)
JUNE = date(2026, 6, 1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree(in_acme: object) -> KpiTree:
    return KpiTree.objects.create(name="2026", fiscal_year=2026, status=TreeStatus.ACTIVE)


def send(resource: str, *records: dict) -> None:
    numbered = [{"external_id": f"{resource}-{number}"} | record for number, record in enumerate(records)]
    result = upsert_facts(resource=resource, source="crm", records=numbered, now=NOW)
    assert not result.rejected, result.rejected


def won(name: str, amount: int | None, day: str, **more: object) -> dict:
    record = {"external_id": name, "created_on": day, "closed_on": day, "outcome": "won", "amount": amount}
    return record | more


def value(tree: KpiTree, code: str, *, now: datetime = NOW, dimension: str = "company") -> dict[str | None, Decimal]:
    """Member → the number of June; the company is None."""
    metric = add_from_catalogue(code=code, language="ja", actor=None, now=NOW)
    KpiNode.objects.get_or_create(tree=tree, level="kpi", code=code, name=code, metric=metric)
    recompute(now=now)
    query = MatrixQuery(tree, "month", JUNE, date(2026, 7, 1), dimension=dimension, codes=[code])
    found = build_matrix(query, now=now)
    return {each.code: found.value[0][m][0] for m, each in enumerate(found.members)}


class TestAcquisition:
    @pytest.fixture(autouse=True)
    def facts(self, tree: KpiTree) -> None:
        send("accounts", *({"external_id": name, "name": name} for name in "ABCD"))
        send(
            "deals",
            won("first of C", 10, "2026-06-02", account="C"),
            won("second of C", 10, "2026-06-05", account="C"),
            won("first of D", 10, "2026-06-05", account="D"),
            won("first of A", 10, "2024-06-05", account="A"),
            won("second of A", 10, "2026-06-05", account="A"),
        )
        send(
            "contracts",
            {"account": "A", "subscription": "a", "mrr": 100, "starts_on": "2024-01-01"},
            {"account": "B", "subscription": "b", "mrr": 50, "starts_on": "2024-01-01", "ends_on": "2026-03-01"},
        )
        send("revenues", {"account": "A", "recognized_on": "2026-06-10", "amount": 100, "gross_profit": 40})
        add_from_catalogue(code="clv_to_cac", language="ja", actor=None, now=NOW)

    def spend(self, amount: int) -> None:
        metric = Metric.objects.get(code="acquisition_cost")
        enter_value(metric=metric, period_start=JUNE, value=Decimal(amount), actor=None, now=NOW)

    def test_cost_is_shared_by_the_customers_who_bought_for_the_first_time(self, tree: KpiTree) -> None:
        self.spend(300)
        assert value(tree, "cac") == {None: 150}

    def test_the_value_of_a_customer_is_set_against_it(self, tree: KpiTree) -> None:
        self.spend(300)
        later = NOW + timedelta(days=20)  # churn is told when the month is over, and its sources have told of all of it
        for resource in ("contracts", "revenues", "deals"):
            upsert_facts(resource=resource, source="crm", records=[], now=later)
        # 150 a month for two customers, 40 % of it profit, one of two lost a year: 900 × 0.4 × 2
        assert value(tree, "clv_subscription", now=later) == {None: 720}
        assert value(tree, "clv_to_cac", now=later) == {None: Decimal(720) / 150}

    def test_nobody_knows_before_the_cost_is_typed(self, tree: KpiTree) -> None:
        assert value(tree, "cac") == {None: None}


class TestBacklog:
    @pytest.fixture(autouse=True)
    def facts(self, tree: KpiTree) -> None:
        send("teams", {"external_id": "E", "name": "East"}, {"external_id": "W", "name": "West"})
        send("people", *({"external_id": p, "name": p, "team": t} for p, t in (("Aoi", "E"), ("Ren", "W"))))
        send(
            "deals",
            won("shared", 100, "2026-06-02", owner="Aoi"),
            won("whole", 80, "2026-06-03", owner="Ren"),
            won("bare", None, "2026-06-03", owner="Ren"),
            won("before", 1000, "2026-01-03", owner="Ren"),
            won("lost", 500, "2026-06-03", outcome="lost", owner="Ren"),
            won("void", 500, "2026-06-03", outcome="void", owner="Ren"),
        )
        send(
            "deal-credits",
            {"deal": "shared", "kind": "revenue", "person": "Aoi", "share": 0.7},
            {"deal": "shared", "kind": "revenue", "person": "Ren", "share": 0.3},
        )
        send(
            "revenues",
            {"deal": "before", "recognized_on": "2026-03-01", "amount": 1},
            {"deal": "shared", "recognized_on": "2026-06-10", "amount": 30},
            {"deal": "shared", "recognized_on": "2026-12-10", "amount": 70},
            {"recognized_on": "2026-06-10", "amount": 7},
        )
        recompute(now=NOW)

    def test_is_what_is_won_and_not_recognised_yet(self, tree: KpiTree) -> None:
        take_snapshots(now=NOW)
        assert value(tree, "order_backlog") == {None: 70 + 80}

    def test_what_is_recognised_goes_to_who_has_the_deal(self, tree: KpiTree) -> None:
        take_snapshots(now=NOW)
        found = value(tree, "order_backlog", dimension="team")
        assert (found["E"], found["W"]) == (49, 21 + 80)

    def test_falls_when_revenue_is_recognised(self, tree: KpiTree) -> None:
        take_snapshots(now=NOW)
        send("revenues", *({"external_id": "more", "deal": "whole", "recognized_on": "2026-06-19", "amount": 80},))
        recompute(now=NOW)
        take_snapshots(now=NOW + timedelta(days=1))
        assert value(tree, "order_backlog") == {None: 70}

    def test_of_a_currency_without_a_rate_nobody_knows(self, tree: KpiTree) -> None:
        assert not ExchangeRate.objects.exists()
        send("deals", won("abroad", 5, "2026-06-04", currency="USD"))
        recompute(now=NOW)
        take_snapshots(now=NOW)
        row = MetricSnapshot.objects.get(measure="order_backlog", member=None)
        assert (row.value, row.absence) == (None, "no_rate")

    def test_is_not_written_down_without_revenue(self, tree: KpiTree) -> None:
        FactStream.objects.filter(fact="revenues").delete()
        take_snapshots(now=NOW)
        assert not MetricSnapshot.objects.filter(measure="order_backlog").exists()


def test_every_measure_that_is_written_down_is_in_the_catalogue() -> None:
    told = {entry.metric.spec.measure for entry in CATALOGUE.values() if isinstance(entry.metric.spec, Snapshot)}
    assert told == set(SNAPSHOT_MEASURES)
