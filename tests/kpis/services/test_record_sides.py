"""What is listed behind a cell adds up to the cell: numerator and denominator, for every kind of metric."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from kpis.engine.sides import DENOMINATOR, NUMERATOR
from kpis.models import DimensionMember, KpiNode, KpiTree, Metric, MetricVersion, Period
from kpis.selectors.calendar import find_period
from kpis.selectors.grounds import find_sides, read_side
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.records import Record, Where
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from tests.remembering import remembered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
FIRST, LAST = date(2024, 10, 1), date(2026, 10, 31)
PEOPLE = {"bob": "north", "cleo": "south", "dora": "west"}
ACCOUNTS = [f"A{number}" for number in range(8)]
WON = {"field": "outcome", "op": "eq", "value": "won"}
CLOSED = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}
AMOUNT = {"aggregate": "sum", "field": "amount"}

SPECS: dict[str, dict[str, Any]] = {
    "won": {**CLOSED, "filters": [WON]},
    "closed": CLOSED,
    "bookings": {**CLOSED, **AMOUNT, "filters": [WON]},
    "cycle": {**CLOSED, "aggregate": "average", "days_between": ["created_on", "closed_on"]},
    "deal_size": {**CLOSED, "aggregate": "average", "field": "amount"},
    "median_size": {**CLOSED, "aggregate": "median", "field": "amount"},
    "median_cycle": {**CLOSED, "aggregate": "median", "days_between": ["created_on", "closed_on"]},
    "buyers": {**CLOSED, "aggregate": "distinct", "field": "account"},
    "win_rate": {"kind": "formula", "expression": "won / closed"},
    "box_share": {
        "kind": "ratio",
        "numerator": {**CLOSED, **AMOUNT, "filters": [{"field": "product", "op": "eq", "value": "box"}]},
        "denominator": {**CLOSED, **AMOUNT},
    },
    "cohort": {"kind": "conversion", "fact": "deals", "from": "created", "to": "won", "origin": ["unknown"]},
    "sqls": {"kind": "conversion", "from": "created", "to": "sql", "basis": "period"},
    "renewal": {"kind": "retention", "measure": "renewal_rate"},
    "renewal_amount": {"kind": "retention", "measure": "renewal_rate", "weight": "amount"},
    "renewal_year": {"kind": "retention", "measure": "renewal_rate", "window_months": 12},
    "renewal_year_amount": {"kind": "retention", "measure": "renewal_rate", "weight": "amount", "window_months": 12},
    "logo_churn": {"kind": "retention", "measure": "logo_churn"},
    "gross_churn": {"kind": "retention", "measure": "gross_churn", "window_months": 6},
    "net_churn": {"kind": "retention", "measure": "net_churn", "window_months": 6},
    "grr": {"kind": "retention", "measure": "grr", "window_months": 12},
    "nrr": {"kind": "retention", "measure": "nrr", "window_months": 12},
    "repeat_orders": {"kind": "repeat", "fact": "orders", "window_months": 6},
    "repeat_deals": {"kind": "repeat", "fact": "deals", "window_months": 12},
    "new_buyers": {"kind": "repeat", "fact": "orders", "measure": "new"},
    "dormant": {"kind": "repeat", "fact": "orders", "measure": "dormant", "window_months": 3},
    "clv_box": {
        "kind": "clv",
        "formula": "historic",
        "filters": [{"field": "product", "op": "eq", "value": "box"}],
    },
    "clv_frequency": {"kind": "clv", "formula": "frequency", "years": 3},
    "clv_historic": {"kind": "clv", "formula": "historic"},
    "clv_subscription": {"kind": "clv", "formula": "subscription"},
    "nps": {"kind": "score", "survey": "nps"},
    "csat": {"kind": "score", "survey": "csat"},
}
GRAINS = {"month": date(2026, 8, 1), "quarter": date(2026, 7, 1), "year": date(2025, 4, 1)}
# Seed of the facts → the places that are looked at.
PLACES: dict[int, list[tuple[str, str | None]]] = {
    0: [("company", None), ("team", "all")],
    1: [("team", "north"), ("person", "bob"), ("product", "box")],
}


@pytest.fixture
@remembered
def tree(in_acme: object) -> KpiTree:
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    return tree


def send(resource: str, *records: dict) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected


def make_company() -> None:
    """Two teams below one, one beside it, one person in each; two products."""
    send("teams", {"external_id": "all", "name": "all"}, {"external_id": "west", "name": "west"})
    send("teams", *({"external_id": each, "name": each, "parent": "all"} for each in ("north", "south")))
    send("people", *({"external_id": name, "name": name.title(), "team": team} for name, team in PEOPLE.items()))
    send("products", {"external_id": "box", "name": "box"}, {"external_id": "bag", "name": "bag"})
    send("accounts", *({"external_id": each, "name": each} for each in ACCOUNTS))


class Facts:
    """Random facts of every kind, with split credits, several lines, lost and growing customers."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def day(self) -> date:
        return FIRST + timedelta(days=self.chance.randrange((LAST - FIRST).days))

    def fact(self, number: int, **fields: Any) -> dict:
        owner = self.chance.choice([*PEOPLE, None])
        return {"external_id": str(number), "owner": owner, "account": self.chance.choice(ACCOUNTS), **fields}

    def deals(self) -> Iterator[dict]:
        for number in range(60):
            created = self.day()
            closed = min(created + timedelta(days=self.chance.randrange(120)), LAST)
            outcome = self.chance.choice(["won", "won", "lost", "open", "void"])
            yield self.fact(
                number,
                created_on=created.isoformat(),
                closed_on=closed.isoformat() if outcome != "open" else None,
                outcome=outcome,
                amount=self.chance.choice([None, 100, 250, 333]),
                product=self.chance.choice(["box", "bag"]),
            )

    def contracts(self) -> Iterator[dict]:
        for number in range(16):
            start = self.day()
            for interval in range(self.chance.choice([1, 2, 3])):
                end = start + timedelta(days=self.chance.choice([60, 150, 300]))
                yield self.fact(
                    number * 10 + interval,
                    subscription=f"S{number}" if number % 4 else "",
                    account=ACCOUNTS[number % 8] if number % 5 else "unknown",
                    starts_on=start.isoformat(),
                    ends_on=end.isoformat() if end < LAST else None,
                    mrr=self.chance.choice([100, 150, 200]),
                    renewal_due_on=end.isoformat(),
                    renewed=self.chance.random() < 0.6,
                )
                if end >= LAST:
                    break
                start = end + timedelta(days=self.chance.choice([0, 0, 0, 40]))

    def send(self) -> None:
        send("deals", *self.deals())
        send(
            "deal-credits",
            *(
                {"external_id": f"{deal}{person}", "deal": str(deal), "person": person, "kind": "revenue", "share": 0.5}
                for deal in range(0, 60, 7)
                for person in ("bob", "dora")
            ),
        )
        send(
            "deal-lines",
            *(
                {"external_id": f"{deal}{product}", "deal": str(deal), "product": product, "amount": 40 + deal}
                for deal in range(0, 60, 4)
                for product in ("box", "bag")
            ),
        )
        send(
            "leads",
            *(
                self.fact(n, created_on=self.day().isoformat(), sql_on=self.chance.choice([None, "2026-08-05"]))
                for n in range(30)
            ),
        )
        send("contracts", *self.contracts())
        send(
            "orders",
            *(self.fact(n, ordered_on=self.day().isoformat(), amount=self.chance.randrange(1, 900)) for n in range(40)),
        )
        send(
            "revenues",
            *(
                self.fact(n, recognized_on=self.day().isoformat(), amount=100 + n, gross_profit=n)
                | {"product": ("box", "bag")[n % 2]}
                | ({"account": None} if n % 6 == 0 else {})
                for n in range(40)
            ),
        )
        send(
            "surveys",
            *(
                self.fact(
                    n,
                    kind=("nps", "csat")[n % 2],
                    score=self.chance.randrange(11) if n % 2 == 0 else self.chance.randrange(1, 6),
                    answered_on=self.day().isoformat(),
                )
                for n in range(60)
            ),
        )
        recompute(now=NOW)


@pytest.mark.parametrize("seed", PLACES)
def test_the_shares_add_up_to_both_sides_of_the_cell(tree: KpiTree, seed: int) -> None:
    make_company()
    Facts(seed).send()
    for dimension, code in PLACES[seed]:
        member = DimensionMember.objects.get(dimension__code=dimension, code=code) if code else None
        told = {each for grain in GRAINS for each in check_cells(tree, grain, Where(dimension, member))}
        if member is None:
            assert told == {*SPECS}


def check_cells(tree: KpiTree, grain: str, where: Where) -> Iterator[str]:
    """Yields the code of every metric that had something to list above."""
    start = GRAINS[grain]
    period = find_period(grain, start)
    assert period is not None
    ids = [where.member.pk] if where.member else None
    query = MatrixQuery(tree, grain, start, start + timedelta(days=1), dimension=where.dimension, member_ids=ids)
    matrix = build_matrix(query, now=NOW)
    for n, node in enumerate(matrix.nodes):
        code, metric = node.row.code, node.row.metric
        assert metric is not None
        value, above, below = (grid[n][0][0] for grid in (matrix.value, matrix.numerator, matrix.denominator))
        cell = {NUMERATOR: value if above is None else above, DENOMINATOR: below}
        sides = find_sides(metric, period)
        assert sides, code
        totals = {}
        for name, side in sides.items():
            page = read_side(side, period, where, limit=500)
            totals[name] = page.total or Decimal(0)
            if cell.get(name) is None:
                continue
            assert near(totals[name], cell[name]), (code, grain, where, name)
            if not code.startswith("median"):
                shares = [record.share for record in page.records]
                assert near(sum(shares, Decimal(0)), cell[name]), (code, grain, where, name)
            if page.records and name == NUMERATOR:
                yield code
        if code == "clv_subscription" and value is not None:
            assert near(subscription_value(totals), value)
            yield code


class TestPages:
    @pytest.mark.parametrize("code", ["nps", "buyers", "clv_historic", "repeat_deals"])
    def test_pages_follow_one_another(self, tree: KpiTree, code: str) -> None:
        make_company()
        Facts(0).send()
        period = find_period("year", GRAINS["year"])
        assert period is not None
        side = find_sides(Metric.objects.get(code=code), period)[NUMERATOR]
        whole = read_side(side, period, Where(), limit=500)
        parts = [read_side(side, period, Where(), offset=offset, limit=3) for offset in range(0, whole.count, 3)]
        assert [each for part in parts for each in part.records] == list(whole.records)
        assert {(part.count, part.total) for part in parts} == {(whole.count, whole.total)}
        assert whole.count > 3


def month() -> Period:
    period = find_period("month", date(2026, 10, 1))
    assert period is not None
    return period


def contract(external_id: str, **more: Any) -> dict:
    return {"external_id": external_id, "starts_on": "2025-06-01", "mrr": 100, "owner": "bob", **more}


def listed(code: str, side: str = NUMERATOR, where: Where | None = None) -> dict[str, Record]:
    found = find_sides(Metric.objects.get(code=code), month())[side]
    return {record.name: record for record in read_side(found, month(), where or Where()).records}


class TestCustomers:
    """October of four customers: A0 leaves, A1 pays less, A2 more (through Cleo), A3 the same."""

    @pytest.fixture(autouse=True)
    @remembered
    def company(self, tree: KpiTree) -> None:
        make_company()
        ends = {"ends_on": "2026-10-15"}
        send(
            "contracts",
            contract("K0", account="A0", source_url="https://crm.example/K0", **ends),
            contract("K1", account="A1", subscription="S1", **ends),
            contract("K1b", account="A1", subscription="S1", starts_on="2026-10-15", mrr=60),
            contract("K2", account="A2", subscription="S2", **ends),
            contract("K2b", account="A2", subscription="S2", starts_on="2026-10-15", mrr=170, owner="cleo"),
            contract("K3", account="A3"),
        )
        recompute(now=NOW)

    def test_says_what_became_of_each_with_its_amounts(self) -> None:
        with translation.override("en"):
            rows = listed("logo_churn", DENOMINATOR)
        assert {name: (row.before, row.after, row.result) for name, row in rows.items()} == {
            "A0": (100, 0, "Lost customer"),
            "A1": (100, 60, "Reduced"),
            "A2": (100, 170, "Expanded"),
            "A3": (100, 100, "Unchanged"),
        }

    def test_lists_only_those_who_make_the_number(self) -> None:
        assert {name: row.share for name, row in listed("logo_churn").items()} == {"A0": 1}
        assert {name: row.share for name, row in listed("gross_churn").items()} == {"A0": 100, "A1": 40}
        assert {name: row.share for name, row in listed("net_churn").items()} == {"A0": 100, "A1": 40, "A2": -70}
        assert {name: row.share for name, row in listed("nrr").items()} == {"A1": 60, "A2": 170, "A3": 100}

    def test_names_the_contracts_with_their_links(self) -> None:
        (gone,) = listed("logo_churn")["A0"].records
        assert (gone.fact, gone.external_id, gone.url) == ("contracts", "K0", "https://crm.example/K0")
        assert [(each.external_id, each.before, each.after) for each in listed("nrr")["A2"].records] == [
            ("K2b", 0, 170),
            ("K2", 100, 0),
        ]

    def test_a_reader_sees_what_is_credited_to_people_in_sight(self) -> None:
        bob, cleo = (DimensionMember.objects.get(dimension__code="person", code=code) for code in ("bob", "cleo"))
        assert listed("nrr", where=Where(people=[cleo.pk])) == {}
        in_sight = listed("nrr", where=Where(people=[bob.pk]))["A2"]
        assert [each.external_id for each in in_sight.records] == ["K2"]


def near(found: Decimal, expected: Decimal | None) -> bool:
    return expected is not None and abs(found - expected) <= Decimal("1e-12") * max(1, abs(expected))


def subscription_value(totals: dict[str, Decimal | None]) -> Decimal:
    """The value of a subscription from what its lists give: twelve months, five years at most."""
    mrr, customers, lost, profit, revenue = (
        totals[name] or Decimal(0) for name in ("mrr", "customers", "lost", "gross_profit", "revenue")
    )
    years = min(customers / lost, Decimal(5)) if lost else Decimal(5)
    return mrr * 12 / customers * profit / revenue * years
