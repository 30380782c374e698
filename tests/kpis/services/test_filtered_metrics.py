"""Filters of every kind of metric against a second computation, in plain Python over the facts that they keep."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kpis.models import KpiNode, KpiTree, Metric, MetricSnapshot, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute, recompute_all
from kpis.services.snapshots import take_snapshots
from tests.remembering import remembered

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
TODAY = date(2026, 11, 22)
FIRST = date(2025, 6, 1)
ACCOUNTS = [f"A{number}" for number in range(12)]
ABM = frozenset(ACCOUNTS[::2])  # the accounts whose custom field says so
RETAIL = frozenset(ACCOUNTS[::3])
OF_ABM = {"field": "account.attributes.ABM対象", "op": "eq", "value": "はい"}
OF_RETAIL = {"field": "account.industry", "op": "in", "value": ["小売"]}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture
@remembered
def tree() -> KpiTree:
    send(
        "accounts",
        [
            {
                "external_id": each,
                "name": each,
                "industry": "小売" if each in RETAIL else "製造",
                "attributes": {"ABM対象": "はい" if each in ABM else "いいえ"},
            }
            for each in ACCOUNTS
        ],
    )
    return KpiTree.objects.create(name="2026", fiscal_year=2026)


def send(resource: str, records: list[dict]) -> list[dict]:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected
    return records


def define(tree: KpiTree, code: str, spec: dict) -> None:
    metric = Metric.objects.create(code=code, name=code, unit="percent", accumulation="rate")
    MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric)


def read(tree: KpiTree, spec: dict, grain: str = "month") -> KpiMatrix:
    define(tree, "narrowed", spec)
    recompute(now=NOW)
    return build_matrix(MatrixQuery(tree, grain, date(2025, 7, 1), date(2026, 12, 1)), now=NOW)


def told(found: KpiMatrix) -> list[tuple[date, date, Decimal]]:
    """Start, end and value of the periods that have one; some must."""
    values = [
        (period.start, period.end, value)
        for period, value in zip(found.periods, found.value[0][0], strict=True)
        if value is not None
    ]
    assert values
    return values


def some_day(chance: random.Random) -> date:
    return FIRST + timedelta(days=chance.randrange((TODAY - FIRST).days))


def months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, day.day)


class TestConversion:
    def leads(self) -> list[dict]:
        chance = random.Random(1)
        made = []
        for number in range(150):
            mql = some_day(chance)
            made.append(
                {
                    "external_id": str(number),
                    "created_on": mql,
                    "mql_on": mql,
                    "sql_on": mql + timedelta(days=chance.randrange(60)) if chance.random() < 0.6 else None,
                    "account": chance.choice(ACCOUNTS),
                    "lead_source": chance.choice(["展示会", "Web"]),
                }
            )
        dates = ("created_on", "mql_on", "sql_on")
        send("leads", [each | {name: each[name] and str(each[name]) for name in dates} for each in made])
        return made

    @pytest.mark.parametrize(
        ("filters", "keeps"),
        [
            ([OF_ABM], lambda each: each["account"] in ABM),
            ([OF_RETAIL], lambda each: each["account"] in RETAIL),
            (
                [OF_ABM, {"field": "lead_source", "op": "eq", "value": "Web"}],
                lambda each: each["account"] in ABM and each["lead_source"] == "Web",
            ),
        ],
    )
    def test_cohort_of_some_accounts(self, tree: KpiTree, filters: list[dict], keeps) -> None:
        leads = [each for each in self.leads() if keeps(each)]
        spec = {"kind": "conversion", "from": "mql", "to": "sql", "window_days": 30, "filters": filters}
        for start, end, value in told(read(tree, spec)):
            cohort = [each for each in leads if start <= each["mql_on"] < end]
            reached = [each for each in cohort if each["sql_on"] and (each["sql_on"] - each["mql_on"]).days <= 30]
            assert value == Decimal(len(reached)) / len(cohort)

    def test_period_version(self, tree: KpiTree) -> None:
        leads = [each for each in self.leads() if each["account"] in ABM]
        spec = {"kind": "conversion", "from": "mql", "to": "sql", "basis": "period", "filters": [OF_ABM]}
        for start, end, value in told(read(tree, spec)):
            above = [each for each in leads if each["sql_on"] and start <= each["sql_on"] < end]
            assert value == Decimal(len(above)) / len([each for each in leads if start <= each["mql_on"] < end])

    def test_an_account_that_changes_moves_its_leads(self, tree: KpiTree) -> None:
        self.leads()
        before = told(read(tree, {"kind": "conversion", "from": "mql", "to": "sql", "filters": [OF_RETAIL]}))
        send("accounts", [{"external_id": each, "name": each, "industry": "小売"} for each in ACCOUNTS])
        recompute(now=NOW)
        query = MatrixQuery(tree, "month", date(2025, 7, 1), date(2026, 12, 1))
        after = build_matrix(query, now=NOW)
        assert told(after) != before
        recompute_all(now=NOW)
        assert build_matrix(query, now=NOW).value == after.value


class TestRetention:
    def contracts(self) -> list[dict]:
        chance = random.Random(2)
        made = []
        for number in range(60):
            start = some_day(chance)
            end = start + timedelta(days=chance.choice([60, 200])) if chance.random() < 0.6 else None
            made.append(
                {
                    "external_id": f"K{number}",
                    "account": chance.choice(ACCOUNTS),
                    "subscription": f"S{number}",
                    "starts_on": str(start),
                    "ends_on": end and str(end),
                    "mrr": chance.choice([100, 250]),
                    "renewal_due_on": end and str(end),
                    "renewed": chance.random() < 0.5,
                    "attributes": {"プラン": chance.choice(["標準", "上位"])},
                }
            )
        return send("contracts", made)

    def active(self, contracts: list[dict], day: date) -> list[dict]:
        return [
            each
            for each in contracts
            if each["starts_on"] < str(day) and (each["ends_on"] is None or each["ends_on"] >= str(day))
        ]

    @pytest.mark.parametrize(
        ("condition", "keeps"),
        [
            (OF_ABM, lambda each: each["account"] in ABM),
            (
                {"field": "attributes.プラン", "op": "eq", "value": "上位"},
                lambda each: each["attributes"]["プラン"] == "上位",
            ),
        ],
    )
    @pytest.mark.parametrize("measure", ["logo_churn", "nrr"])
    def test_of_some_contracts(self, tree: KpiTree, measure: str, condition: dict, keeps) -> None:
        contracts = [each for each in self.contracts() if keeps(each)]
        spec = {"kind": "retention", "measure": measure, "window_months": 3, "filters": [condition]}
        for start, end, value in told(read(tree, spec)):
            opens = min(start, months_before(end, 3))
            before, after = defaultdict(int), defaultdict(int)
            for total, day in ((before, opens), (after, end)):
                for each in self.active(contracts, day):
                    total[each["account"]] += each["mrr"]
            stay = [each for each in before if each in after]
            expected = {
                "logo_churn": Decimal(len(before) - len(stay)) / len(before),
                "nrr": Decimal(sum(after[each] for each in stay)) / sum(before.values()),
            }[measure]
            assert abs(value - expected) < Decimal("1e-12"), start

    def test_renewals_of_some_contracts(self, tree: KpiTree) -> None:
        contracts = [each for each in self.contracts() if each["account"] in ABM]
        spec = {"kind": "retention", "measure": "renewal_rate", "weight": "amount", "filters": [OF_ABM]}
        for start, end, value in told(read(tree, spec)):
            due = [each for each in contracts if str(start) <= (each["renewal_due_on"] or "") < str(end)]
            renewed = sum(each["mrr"] for each in due if each["renewed"])
            assert value == Decimal(renewed) / sum(each["mrr"] for each in due)

    @pytest.mark.parametrize(("weight", "worth"), [("count", lambda _each: 1), ("amount", lambda each: each["mrr"])])
    def test_renewals_of_twelve_months(self, tree: KpiTree, weight: str, worth) -> None:
        contracts = self.contracts()
        spec = {"kind": "retention", "measure": "renewal_rate", "weight": weight, "window_months": 12}
        for _start, end, value in told(read(tree, spec)):
            opens = months_before(end, 12)
            due = [each for each in contracts if str(opens) <= (each["renewal_due_on"] or "") < str(end)]
            assert value == Decimal(sum(worth(each) for each in due if each["renewed"])) / sum(map(worth, due))


class TestPurchases:
    def orders(self) -> list[dict]:
        chance = random.Random(3)
        return send(
            "orders",
            [
                {
                    "external_id": str(number),
                    "account": chance.choice(ACCOUNTS),
                    "ordered_on": str(some_day(chance)),
                    "amount": chance.choice([100, 300, 900]),
                }
                for number in range(120)
            ],
        )

    def test_new_customers_are_those_whose_first_won_deal_closes_in_the_period(self, tree: KpiTree) -> None:
        chance = random.Random(6)
        deals = [
            {
                "external_id": str(number),
                "account": chance.choice(ACCOUNTS),
                "created_on": str(FIRST),
                "closed_on": str(some_day(chance)),
                "outcome": chance.choice(["won", "lost"]),
            }
            for number in range(60)
        ]
        send("deals", deals)
        firsts: dict[str, str] = {}
        for each in sorted(deals, key=lambda deal: deal["closed_on"]):
            if each["outcome"] == "won":
                firsts.setdefault(each["account"], each["closed_on"])
        for grain in ("month", "quarter"):
            KpiNode.objects.all().delete()
            Metric.objects.all().delete()
            found = told(read(tree, {"kind": "repeat", "fact": "deals", "measure": "new"}, grain))
            for start, end, value in found:
                assert value == sum(str(start) <= day < str(end) for day in firsts.values())
            assert any(value for _start, _end, value in found)

    def test_dormant_customers_have_bought_but_no_more(self, tree: KpiTree) -> None:
        orders = [each for each in self.orders() if each["account"] in ABM]
        spec = {"kind": "repeat", "measure": "dormant", "window_months": 2, "filters": [OF_ABM]}
        found = told(read(tree, spec))
        for start, end, value in found:
            known = self.of_customers(orders, FIRST, end)
            active = self.of_customers(orders, min(start, months_before(end, 2)), end)
            assert value == len(known) - len(active)
        assert any(value for _start, _end, value in found)

    def of_customers(self, orders: list[dict], opens: date, end: date) -> dict[str, list[int]]:
        bought: dict[str, list[int]] = defaultdict(list)
        for each in orders:
            if str(opens) <= each["ordered_on"] < str(end):
                bought[each["account"]].append(each["amount"])
        return bought

    def test_repeat_rate_of_large_orders(self, tree: KpiTree) -> None:
        orders = [each for each in self.orders() if each["amount"] >= 300]
        large = {"field": "amount", "op": "gte", "value": 300}
        spec = {"kind": "repeat", "fact": "orders", "window_months": 6, "filters": [large]}
        for start, end, value in told(read(tree, spec)):
            bought = self.of_customers(orders, min(start, months_before(end, 6)), end)
            assert value == Decimal(sum(len(each) > 1 for each in bought.values())) / len(bought)

    def test_clv_by_frequency_of_some_accounts(self, tree: KpiTree) -> None:
        orders = [each for each in self.orders() if each["account"] in RETAIL]
        spec = {"kind": "clv", "formula": "frequency", "window_months": 6, "years": 3, "filters": [OF_RETAIL]}
        for start, end, value in told(read(tree, spec)):
            bought = self.of_customers(orders, min(start, months_before(end, 6)), end)
            total = sum(sum(each) for each in bought.values())
            assert value == Decimal(total) * 2 * 3 / len(bought)


class TestCustomerValue:
    def sales(self) -> list[dict]:
        chance = random.Random(4)
        return send(
            "revenues",
            [
                {
                    "external_id": str(number),
                    "account": chance.choice(ACCOUNTS),
                    "recognized_on": str(some_day(chance)),
                    "amount": 100,
                    "gross_profit": chance.choice([20, 40]),
                    "kind": chance.choice(["recurring", "one_off"]),
                }
                for number in range(150)
            ],
        )

    def test_historic_of_one_kind_of_revenue(self, tree: KpiTree) -> None:
        sales = [each for each in self.sales() if each["kind"] == "recurring"]
        recurring = {"field": "kind", "op": "eq", "value": "recurring"}
        for _start, end, value in told(read(tree, {"kind": "clv", "formula": "historic", "filters": [recurring]})):
            so_far = [each for each in sales if each["recognized_on"] < str(end)]
            profit = sum(each["gross_profit"] for each in so_far)
            assert value == Decimal(profit) / len({each["account"] for each in so_far})

    def test_subscription_narrows_contracts_and_margin_alike(self, tree: KpiTree) -> None:
        sales = [each for each in self.sales() if each["account"] in ABM]
        contracts = [
            {"external_id": each, "account": each, "starts_on": "2025-04-02", "mrr": 100 * number}
            | {"ends_on": "2026-03-10" if number % 3 == 0 else None}
            for number, each in enumerate(ACCOUNTS, start=1)
        ]
        send("contracts", contracts)
        ours = [each for each in contracts if each["account"] in ABM]
        values = {
            start: value
            for start, _end, value in told(
                read(tree, {"kind": "clv", "formula": "subscription", "window_months": 12, "filters": [OF_ABM]})
            )
        }
        for month in (date(2026, 5, 1), date(2026, 9, 1)):
            end = months_before(month, -1)
            opens = months_before(end, 12)
            here = [each for each in ours if each["starts_on"] < str(opens)]
            lost = [each for each in here if each["ends_on"] and str(opens) <= each["ends_on"] < str(end)]
            window = [each for each in sales if str(opens) <= each["recognized_on"] < str(end)]
            margin = Decimal(sum(each["gross_profit"] for each in window)) / sum(each["amount"] for each in window)
            arpa = Decimal(12 * sum(each["mrr"] for each in here)) / len(here)
            stays = min(Decimal(len(here)) / len(lost), 5) if lost else 5
            assert values[month] == pytest.approx(arpa * margin * stays), month


def test_nps_of_some_accounts(tree: KpiTree) -> None:
    chance = random.Random(5)
    answers = send(
        "surveys",
        [
            {
                "external_id": str(number),
                "kind": "nps",
                "score": chance.randrange(11),
                "answered_on": str(some_day(chance)),
                "account": chance.choice(ACCOUNTS),
            }
            for number in range(200)
        ],
    )
    for start, end, value in told(read(tree, {"kind": "score", "survey": "nps", "filters": [OF_RETAIL]})):
        ours = [
            each["score"]
            for each in answers
            if each["account"] in RETAIL and str(start) <= each["answered_on"] < str(end)
        ]
        net = sum(each >= 9 for each in ours) - sum(each <= 6 for each in ours)
        assert value == pytest.approx(Decimal(net) / len(ours) * 100)


class TestSnapshots:
    def take(self, tree: KpiTree, **spec: object) -> tuple[Decimal | None, str | None]:
        """What is noted today of a narrowed measure, as the matrix reads it in November, beside the whole one."""
        KpiTree.objects.filter(pk=tree.pk).update(status="active")
        define(tree, "narrowed", {"kind": "snapshot", **spec})
        define(tree, "whole", {"kind": "snapshot", "measure": spec["measure"]})
        recompute(now=NOW)
        take_snapshots(now=NOW)
        found = build_matrix(MatrixQuery(tree, "month", date(2026, 11, 1), date(2026, 12, 1)), now=NOW)
        return found.value[0][0][0], found.value[1][0][0]

    def deals(self) -> None:
        send(
            "deals",
            [
                {"external_id": each, "created_on": "2026-10-05", "account": each, "amount": 10**number}
                for number, each in enumerate(ACCOUNTS[:4])
            ],
        )

    def test_pipeline_of_some_accounts(self, tree: KpiTree) -> None:
        self.deals()
        assert self.take(tree, measure="open_pipeline", filters=[OF_ABM]) == (1 + 100, 1111)

    def test_number_of_large_open_deals(self, tree: KpiTree) -> None:
        self.deals()
        large = {"field": "amount", "op": "gte", "value": 100}
        assert self.take(tree, measure="open_deals", filters=[large]) == (2, 4)

    def test_contracts_due_of_some_accounts(self, tree: KpiTree) -> None:
        contract = {"starts_on": "2025-11-10", "renewal_due_on": "2026-11-10", "mrr": 1}
        send("contracts", [contract | {"external_id": each, "account": each} for each in ACCOUNTS])
        assert self.take(tree, measure="renewal_due", filters=[OF_RETAIL]) == (len(RETAIL), len(ACCOUNTS))

    def test_is_written_down_once_and_stays(self, tree: KpiTree) -> None:
        self.deals()
        self.take(tree, measure="open_pipeline", filters=[OF_ABM])
        rows = MetricSnapshot.objects.filter(measure="open_pipeline", metric__code="narrowed", member=None)
        send("deals", [{"external_id": "A0", "created_on": "2026-10-05", "account": "A0", "amount": 7}])
        recompute(now=NOW)
        take_snapshots(now=NOW + timedelta(hours=1))
        assert rows.filter(dimension="company").get().value == 101
