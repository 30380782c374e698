"""Conversion, retention, repeat, CLV and scores against a second computation, in plain Python over the same facts."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.calendar import set_rule
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from tests.remembering import remembered

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
TODAY = date(2026, 11, 22)
FIRST = date(2025, 1, 1)
OWNERS = ("P0", "P1", None)
SPECS: dict[str, dict[str, object]] = {
    **{
        measure: {"kind": "retention", "measure": measure, "window_months": months}
        for measure, months in [("logo_churn", 1), ("gross_churn", 1), ("net_churn", 1), ("grr", 12), ("nrr", 12)]
    },
    "renewal": {"kind": "retention", "measure": "renewal_rate"},
    "renewal_amount": {"kind": "retention", "measure": "renewal_rate", "weight": "amount"},
    "repeat": {"kind": "repeat", "fact": "orders", "window_months": 6},
    "clv_subscription": {"kind": "clv", "formula": "subscription"},
    "clv_frequency": {"kind": "clv", "formula": "frequency", "years": 3},
    "clv_historic": {"kind": "clv", "formula": "historic"},
    "nps": {"kind": "score", "survey": "nps"},
    "csat": {"kind": "score", "survey": "csat", "min_count": 3},
    "cohort": {"kind": "conversion", "from": "mql", "to": "sql", "window_days": 30},
    "period": {"kind": "conversion", "from": "mql", "to": "sql", "basis": "period"},
    "lead_won": {"kind": "conversion", "from": "created", "to": "won", "window_days": 120},
    "deal_won": {"kind": "conversion", "fact": "deals", "from": "created", "to": "won", "origin": ["lead"]},
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture
@remembered
def tree() -> KpiTree:
    send("accounts", [{"external_id": f"A{number}", "name": f"A{number}"} for number in range(25)])
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="percent", accumulation="rate")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    return tree


def send(resource: str, records: list[dict]) -> list[dict]:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected
    return records


def read(tree: KpiTree, *codes: str, grain: str = "month", dimension: str = "company") -> KpiMatrix:
    recompute(now=NOW)
    query = MatrixQuery(tree, grain, date(2025, 4, 1), date(2027, 1, 1), dimension=dimension, codes=codes)
    return build_matrix(query, now=NOW)


def cells(found: KpiMatrix, node: int = 0, member: int = 0) -> Iterator[tuple[date, date, Decimal | None, str | None]]:
    for p, period in enumerate(found.periods):
        yield period.start, period.end, found.value[node][member][p], found.absence[node][member][p]


def some_day(chance: random.Random, until: date = TODAY) -> date:
    return FIRST + timedelta(days=chance.randrange((until - FIRST).days))


def months_before(day: date, months: int) -> date:
    """Only for days that every month has."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, day.day)


def make_contracts(chance: random.Random) -> list[dict]:
    """Customers with one or two subscriptions of successive intervals, some ending, some with a gap."""
    made = []
    for customer in range(25):
        for subscription in range(chance.choice([1, 1, 2])):
            start, owner = some_day(chance), chance.choice(OWNERS)
            for interval in range(chance.choice([1, 2, 3])):
                end = start + timedelta(days=chance.choice([31, 90, 180])) if chance.random() < 0.8 else None
                made.append(
                    {
                        "external_id": f"K{customer}-{subscription}-{interval}",
                        "account": f"A{customer}",
                        "subscription": f"S{customer}-{subscription}",
                        "starts_on": start.isoformat(),
                        "ends_on": end.isoformat() if end else None,
                        "mrr": chance.choice([100, 150, 200]),
                        "renewal_due_on": end.isoformat() if end else None,
                        "renewed": chance.random() < 0.6,
                        "owner": chance.choice(OWNERS) if chance.random() < 0.2 else owner,
                    }
                )
                if end is None:
                    break
                start = end + timedelta(days=chance.choice([0, 0, 0, 40]))
    return send("contracts", made)


def active(contracts: list[dict], day: date) -> list[dict]:
    """Those that run up to the start of a day."""
    return [
        each
        for each in contracts
        if each["starts_on"] < day.isoformat() and (each["ends_on"] is None or each["ends_on"] >= day.isoformat())
    ]


def paid(contracts: list[dict], key: str = "account") -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for each in contracts:
        total[each[key]] += each["mrr"]
    return total


def retained(contracts: list[dict], opens: date, closes: date, owner: str | None = "all") -> dict[str, Decimal] | None:
    """The five rates by the definitions, customer by customer; None without customers at the start."""
    at_start, at_end = active(contracts, opens), active(contracts, closes)
    mine = [each for each in at_start if owner in ("all", each["owner"])]
    begun = {each["subscription"] for each in at_start}
    before = paid(mine)
    kept = paid(at_end, "subscription")
    after = dict.fromkeys(before, 0)
    stays = dict.fromkeys(before, False)
    for customer, subscription in {(each["account"], each["subscription"]) for each in mine}:
        after[customer] += kept.get(subscription, 0)
        stays[customer] |= subscription in kept
    for each in at_end:
        if each["subscription"] not in begun and each["account"] in before and owner in ("all", each["owner"]):
            after[each["account"]] += each["mrr"]
            stays[each["account"]] = True
    if not before:
        return None
    start = Decimal(sum(before.values()))
    away = Decimal(sum(max(before[each] - after[each], 0) for each in before))
    more = Decimal(sum(max(after[each] - before[each], 0) for each in before))
    return {
        "logo_churn": Decimal(sum(not each for each in stays.values())) / len(before),
        "gross_churn": away / start,
        "net_churn": (away - more) / start,
        "grr": (start - away) / start,
        "nrr": (start - away + more) / start,
    }


@pytest.mark.parametrize("seed", range(3))
class TestRetention:
    @pytest.mark.parametrize("grain", ["month", "quarter", "year"])
    def test_equals_counting_customer_by_customer(self, tree: KpiTree, grain: str, seed: int) -> None:
        contracts = make_contracts(random.Random(seed))
        codes = ("logo_churn", "gross_churn", "net_churn", "grr", "nrr")
        found = read(tree, *codes, grain=grain)
        told = 0
        for n, code in enumerate(codes):
            for start, end, value, absence in cells(found, n):
                opens = min(start, months_before(end, SPECS[code]["window_months"]))  # type: ignore[arg-type]
                expected = retained(contracts, opens, end)
                if start > TODAY:
                    assert absence == "missing"
                elif expected is None:
                    assert absence == "no_denominator"
                elif end > TODAY:
                    assert absence == "maturing"
                else:
                    assert value is not None and abs(value - expected[code]) < Decimal("1e-12"), (code, start)
                    told += 1
        assert told

    def test_a_subscription_stays_in_the_segment_in_which_the_window_found_it(self, tree: KpiTree, seed: int) -> None:
        send("people", [{"external_id": each, "name": each} for each in OWNERS if each])
        contracts = make_contracts(random.Random(seed))
        found = read(tree, "nrr", "logo_churn", dimension="person")
        for n, code in enumerate(("nrr", "logo_churn")):
            for m, member in enumerate(found.members):
                owner = None if member.is_unassigned else member.code
                for start, end, value, _absence in cells(found, n, m):
                    opens = min(start, months_before(end, SPECS[code]["window_months"]))  # type: ignore[arg-type]
                    expected = retained(contracts, opens, end, owner)
                    if end <= TODAY:
                        assert value == (expected and pytest.approx(expected[code])), (member.code, start)

    def test_renewal_by_count_and_amount(self, tree: KpiTree, seed: int) -> None:
        contracts = make_contracts(random.Random(seed))
        found = read(tree, "renewal", "renewal_amount")
        for n, worth in enumerate((lambda _each: 1, lambda each: each["mrr"])):
            for start, end, value, _absence in cells(found, n):
                if start > TODAY:
                    continue
                due = [
                    each for each in contracts if start.isoformat() <= (each["renewal_due_on"] or "") < end.isoformat()
                ]
                renewed = sum(worth(each) for each in due if each["renewed"])
                assert value == (Decimal(renewed) / sum(map(worth, due)) if due else None)


@pytest.mark.parametrize("seed", range(3))
class TestPurchases:
    def orders(self, seed: int) -> list[dict]:
        chance = random.Random(seed)
        return send(
            "orders",
            [
                {
                    "external_id": str(number),
                    "account": f"A{chance.randrange(12)}",
                    "ordered_on": some_day(chance).isoformat(),
                    "amount": chance.randrange(1, 900),
                }
                for number in range(60)
            ],
        )

    def bought(self, orders: list[dict], opens: date, closes: date) -> dict[str, list[int]]:
        bought: dict[str, list[int]] = defaultdict(list)
        for each in orders:
            if opens.isoformat() <= each["ordered_on"] < closes.isoformat():
                bought[each["account"]].append(each["amount"])
        return bought

    def test_repeat_rate(self, tree: KpiTree, seed: int) -> None:
        orders = self.orders(seed)
        for _start, end, value, absence in cells(read(tree, "repeat")):
            bought = self.bought(orders, months_before(end, 6), end)
            if absence is None:
                assert value == Decimal(sum(len(each) > 1 for each in bought.values())) / len(bought)
            else:
                assert not bought or end > TODAY

    def test_value_by_frequency(self, tree: KpiTree, seed: int) -> None:
        orders = self.orders(seed)
        for _start, end, value, absence in cells(read(tree, "clv_frequency")):
            bought = self.bought(orders, months_before(end, 12), end)
            if absence is None:
                amounts = [amount for each in bought.values() for amount in each]
                price, frequency = Decimal(sum(amounts)) / len(amounts), Decimal(len(amounts)) / len(bought)
                assert value == pytest.approx(price * frequency * 3)


class TestCustomerValue:
    def revenues(self, *, gross_profit: int | None = 30) -> list[dict]:
        return [
            {
                "external_id": f"R{month}",
                "account": f"A{month % 2}",
                "recognized_on": f"2026-{month:02}-10",
                "amount": 100,
                "gross_profit": gross_profit,
            }
            for month in range(1, 11)
        ]

    def contracts(self, *ends: str | None) -> list[dict]:
        return [
            {"external_id": f"K{n}", "account": f"A{n}", "starts_on": "2025-01-01", "ends_on": end, "mrr": 50}
            for n, end in enumerate(ends)
        ]

    def october(self, found: KpiMatrix) -> tuple[Decimal | None, str | None]:
        return next((value, absence) for start, _end, value, absence in cells(found) if start == date(2026, 10, 1))

    def test_subscription_is_yearly_margin_times_the_years_a_customer_stays(self, tree: KpiTree) -> None:
        send("revenues", self.revenues())
        send("contracts", self.contracts(None, None, None, "2026-05-01"))
        value, _absence = self.october(read(tree, "clv_subscription"))
        assert value == 50 * 12 * Decimal("0.3") * 4  # a quarter is lost in a year: four years

    def test_without_churn_the_years_are_capped(self, tree: KpiTree) -> None:
        send("revenues", self.revenues())
        send("contracts", self.contracts(None))
        assert self.october(read(tree, "clv_subscription"))[0] == 50 * 12 * Decimal("0.3") * 5

    def test_a_sale_without_cost_leaves_no_value(self, tree: KpiTree) -> None:
        send("revenues", [*self.revenues()[1:], self.revenues(gross_profit=None)[0]])
        send("contracts", self.contracts(None))
        assert self.october(read(tree, "clv_subscription")) == (None, "missing")
        assert self.october(read(tree, "clv_historic")) == (None, "missing")

    def test_historic_is_gross_profit_so_far_per_customer(self, tree: KpiTree) -> None:
        send("revenues", self.revenues())
        assert self.october(read(tree, "clv_historic"))[0] == 10 * 30 / Decimal(2)

    def test_a_week_has_no_window(self, tree: KpiTree) -> None:
        send("revenues", self.revenues())
        assert {absence for *_cell, absence in cells(read(tree, "clv_historic", grain="week"))} == {"not_applicable"}


def test_a_new_calendar_measures_what_the_old_one_could_not(tree: KpiTree) -> None:
    """A contract that ran between two firsts of a month had no month to open it, and so no block to be marked."""
    contract = {"external_id": "K1", "account": "A1", "starts_on": "2026-04-05", "ends_on": "2026-04-19", "mrr": 100}
    send("contracts", [contract])
    assert {value for _start, _end, value, _absence in cells(read(tree, "logo_churn"))} == {None}
    set_rule(effective_from=date(2026, 4, 11), start_month=5, closing_day=10, actor=None, now=NOW)
    churn = {start: value for start, _end, value, _absence in cells(read(tree, "logo_churn"))}
    assert churn[date(2026, 4, 11)] == 1


class TestDueSet:
    """What was due when the month began stays due in it, whatever becomes of the contract's date."""

    def send(self, at: str, **fields: object) -> None:
        known = {"external_id": "K1", "account": "A1", "starts_on": "2025-06-30", "mrr": 100}
        moment = datetime.fromisoformat(f"{at}T03:00:00+00:00")
        result = upsert_facts(resource="contracts", source="crm", records=[known | fields], now=moment)
        assert not result.rejected, result.rejected

    def told(self) -> None:
        """The source has been read again, and had nothing to say."""
        upsert_facts(resource="contracts", source="crm", records=[], now=NOW)

    def due(self, tree: KpiTree, *codes: str) -> dict[date, tuple[Decimal | None, Decimal | None]]:
        """Month → renewed, due; months without any are left out."""
        self.told()
        found = read(tree, *(codes or ("renewal",)))
        sides = zip(found.periods, found.numerator[0][0], found.denominator[0][0], strict=True)
        return {period.start: (above, below) for period, above, below in sides if below}

    def test_a_renewal_that_moves_the_date_counts_where_it_was_due(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-30")
        self.send("2026-06-20", renewal_due_on="2027-06-30")
        assert self.due(tree)[date(2026, 6, 1)] == (1, 1)

    def test_a_date_that_is_taken_away_was_not_renewed(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-30")
        self.send("2026-07-02", renewal_due_on=None)
        assert self.due(tree) == {date(2026, 6, 1): (0, 1)}

    def test_before_the_month_begins_the_date_may_move(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-30")
        self.send("2026-05-20", renewal_due_on="2026-08-31")
        assert self.due(tree) == {date(2026, 8, 1): (0, 1)}

    def test_within_the_month_it_is_the_same_renewal(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-10")
        self.send("2026-06-05", renewal_due_on="2026-06-25", renewed=True)
        assert self.due(tree) == {date(2026, 6, 1): (1, 1)}

    def test_what_was_due_at_the_start_counts_not_what_was_tried_after_it(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-10")
        self.send("2026-06-05", renewal_due_on="2026-07-20")
        self.send("2026-06-08", renewal_due_on="2026-08-20")
        assert self.due(tree) == {date(2026, 6, 1): (1, 1), date(2026, 8, 1): (0, 1)}

    def test_a_contract_that_is_deleted_leaves(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-10")
        self.send("2026-06-05", renewal_due_on="2027-06-10")
        self.send("2026-06-08", deleted=True)
        assert self.due(tree) == {}

    def test_follows_the_company_calendar(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-25")
        self.send("2026-06-22", renewal_due_on="2027-06-25")
        assert self.due(tree)[date(2026, 6, 1)] == (1, 1)
        set_rule(effective_from=date(2026, 4, 21), start_month=5, closing_day=20, actor=None, now=NOW)
        assert self.due(tree)[date(2026, 6, 21)] == (1, 1)
        set_rule(effective_from=date(2026, 4, 26), start_month=5, closing_day=25, actor=None, now=NOW)
        assert self.due(tree)[date(2026, 5, 26)] == (1, 1)

    def test_by_amount(self, tree: KpiTree) -> None:
        self.send("2026-01-10", renewal_due_on="2026-06-30")
        self.send("2026-06-20", renewal_due_on="2027-06-30")
        assert self.due(tree, "renewal_amount")[date(2026, 6, 1)] == (100, 100)


class TestScores:
    def test_nps_and_csat(self, tree: KpiTree) -> None:
        answers = [("nps", score) for score in (10, 9, 8, 7, 6, 0, 9)] + [("csat", score) for score in (5, 4, 3)]
        send(
            "surveys",
            [
                {"external_id": str(n), "kind": kind, "score": score, "answered_on": "2026-10-05"}
                for n, (kind, score) in enumerate(answers)
            ],
        )
        found = read(tree, "nps", "csat")
        column = next(p for p, period in enumerate(found.periods) if period.start == date(2026, 10, 1))
        assert found.value[0][0][column] == pytest.approx(Decimal(3 - 2) / 7 * 100)
        assert (found.numerator[0][0][column], found.denominator[0][0][column]) == (1, 7)
        assert found.value[1][0][column] == Decimal(2) / 3

    def test_few_answers_say_nothing(self, tree: KpiTree) -> None:
        send("surveys", [{"external_id": "1", "kind": "csat", "score": 5, "answered_on": "2026-10-05"}])
        found = {start: absence for start, _end, _value, absence in cells(read(tree, "csat"))}
        assert found[date(2026, 10, 1)] == "too_few"


class TestConversion:
    def leads(self, seed: int) -> list[dict]:
        chance = random.Random(seed)
        made = []
        for number in range(80):
            created = some_day(chance)
            mql = created + timedelta(days=chance.randrange(40)) if chance.random() < 0.7 else None
            sql = (mql or created) + timedelta(days=chance.randrange(60)) if chance.random() < 0.5 else None
            made.append({"external_id": str(number), "created_on": created, "mql_on": mql, "sql_on": sql})
        send("leads", [{name: str(value) if value else None for name, value in each.items()} for each in made])
        return [each | {"mql_on": each["mql_on"] or each["sql_on"]} for each in made]  # a skipped stage was passed

    @pytest.mark.parametrize("seed", range(3))
    def test_cohort_and_period(self, tree: KpiTree, seed: int) -> None:
        leads = self.leads(seed)
        found = read(tree, "cohort", "period")
        for start, end, value, absence in cells(found, 0):
            cohort = [each for each in leads if each["mql_on"] and start <= each["mql_on"] < end]
            won = [each for each in cohort if each["sql_on"] and (each["sql_on"] - each["mql_on"]).days <= 30]
            if absence is None:
                assert value == Decimal(len(won)) / len(cohort)
                assert end + timedelta(days=30) <= TODAY
            elif absence == "maturing":
                assert end + timedelta(days=30) > TODAY
            else:
                assert not cohort or start > TODAY
        for start, end, value, _absence in cells(found, 1):
            above = sum(bool(each["sql_on"] and start <= each["sql_on"] < end) for each in leads)
            below = sum(bool(each["mql_on"] and start <= each["mql_on"] < end) for each in leads)
            if start <= TODAY:
                assert value == (Decimal(above) / below if below else None)

    def test_the_deal_of_a_lead_wins_for_it(self, tree: KpiTree) -> None:
        send("leads", [{"external_id": each, "created_on": "2026-05-10"} for each in ("L1", "L2")])
        won = {"created_on": "2026-06-01", "closed_on": "2026-07-01", "outcome": "won", "lead": "L1", "origin": "lead"}
        late = won | {"closed_on": "2026-11-20", "lead": "L2"}
        send("deals", [won | {"external_id": "D1"}, late | {"external_id": "D2"}])
        found = read(tree, "lead_won", "deal_won")
        by_start = {start: value for start, _end, value, _absence in cells(found, 0)}
        assert by_start[date(2026, 5, 1)] == Decimal("0.5")
        assert {start: value for start, _end, value, _absence in cells(found, 1)}[date(2026, 6, 1)] == Decimal("0.5")

    def test_a_referral_is_no_conversion_of_a_lead(self, tree: KpiTree) -> None:
        deal = {"created_on": "2026-06-01", "closed_on": "2026-07-01", "outcome": "won"}
        send("deals", [deal | {"external_id": "D1", "origin": "referral"}])
        assert {value for _start, _end, value, _absence in cells(read(tree, "deal_won"))} == {None}
