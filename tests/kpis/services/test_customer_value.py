"""NPS and the value of a customer against a second computation, in plain Python over the same random facts."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from tests.remembering import remembered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
TODAY = NOW.date()
FIRST = date(2025, 7, 1)
ACCOUNTS = [f"A{number}" for number in range(4)]
YEARS = {"short": 2, "long": 5}
SPECS: dict[str, dict[str, Any]] = {
    "nps": {"kind": "score", "survey": "nps"},
    "historic": {"kind": "clv", "formula": "historic"},
    "frequency": {"kind": "clv", "formula": "frequency", "window_months": 6, "years": 3},
    **{
        code: {"kind": "clv", "formula": "subscription", "window_months": 6, "years": years}
        for code, years in YEARS.items()
    },
}
EXAMPLES = {"test": 5, "gate": 20, "proof": 500}[os.environ.get("MAWARU_TIER", "test")]
few = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])

days = st.integers(0, (TODAY - FIRST).days).map(lambda n: FIRST + timedelta(days=n))
accounts = st.sampled_from(ACCOUNTS)
answers = st.lists(st.tuples(days, st.sampled_from(["nps", "csat"]), st.integers(0, 10)), max_size=25)
orders = st.lists(st.tuples(days, accounts, st.integers(1, 900)), max_size=25)
sales = st.lists(
    st.tuples(days, accounts | st.none(), st.integers(1, 900), st.integers(-50, 300) | st.just(None)), max_size=20
)
costed_sales = st.lists(st.tuples(days, accounts, st.integers(1, 900), st.integers(-50, 300)), max_size=15)
contracts = st.lists(st.tuples(days, accounts, st.none() | st.integers(20, 400), st.integers(50, 300)), max_size=8)


@pytest.fixture
@remembered
def tree(in_acme: object) -> KpiTree:
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="amount", accumulation="rate")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    send("accounts", ({"external_id": each, "name": each} for each in ACCOUNTS))
    return tree


def send(resource: str, records: Iterator[dict]) -> None:
    result = upsert_facts(resource=resource, source="crm", records=list(records), now=NOW)
    assert not result.rejected, result.rejected


def send_sales(made: list[tuple]) -> None:
    send(
        "revenues",
        (
            {"external_id": str(n), "recognized_on": day.isoformat(), "account": account, "amount": amount}
            | {"gross_profit": profit}
            for n, (day, account, amount, profit) in enumerate(made)
        ),
    )


def check(tree: KpiTree, code: str, expected: Callable[[date, date], Decimal | str | None], grain: str) -> None:
    """Every finished period says what `expected` says of its first day and its end: a value, or why there is none."""
    recompute(now=NOW)
    query = MatrixQuery(tree, grain, date(2025, 7, 1), date(2026, 11, 1), codes=[code])
    found = build_matrix(query, now=NOW)
    for p, period in enumerate(found.periods):
        if period.end > TODAY:
            continue
        value, absence = found.value[0][0][p], found.absence[0][0][p]
        said = expected(period.start, period.end)
        if isinstance(said, Decimal):
            assert value is not None and abs(value - said) < Decimal("1e-12") * max(1, abs(said)), (code, period.start)
        else:
            assert value is None and absence == (said or absence), (code, period.start, absence)


def six_months_before(end: date) -> date:
    month = end.year * 12 + end.month - 1 - 6
    return date(month // 12, month % 12 + 1, 1)


@few
@given(made=answers, grain=st.sampled_from(["month", "quarter"]))
def test_nps_is_the_share_of_promoters_less_that_of_detractors(tree: KpiTree, made: list, grain: str) -> None:
    def expected(start: date, end: date) -> Decimal | None:
        scores = [score for day, kind, score in made if kind == "nps" and start <= day < end]
        if not scores:
            return None
        promoters, detractors = (sum(each in band for each in scores) for band in ((9, 10), range(7)))
        return Decimal(100 * (promoters - detractors)) / len(scores)

    with transaction.atomic():
        send(
            "surveys",
            (
                {"external_id": str(n), "answered_on": day.isoformat(), "kind": kind, "score": score}
                for n, (day, kind, score) in enumerate(made)
            ),
        )
        check(tree, "nps", expected, grain)
        transaction.set_rollback(True)


@few
@given(made=sales, grain=st.sampled_from(["month", "quarter"]))
def test_historic_value_is_gross_profit_so_far_by_customer(tree: KpiTree, made: list, grain: str) -> None:
    def expected(_start: date, end: date) -> Decimal | str | None:
        so_far = [(account, profit) for day, account, _amount, profit in made if day < end]
        if any(profit is None for _account, profit in so_far):
            return "missing"
        by_customer: dict[str, int] = defaultdict(int)
        for account, profit in so_far:
            by_customer[account or ""] += profit
        customers = len(by_customer.keys() - {""})
        return Decimal(sum(by_customer.values())) / customers if customers else None

    with transaction.atomic():
        send_sales(made)
        check(tree, "historic", expected, grain)
        transaction.set_rollback(True)


@few
@given(made=orders)
def test_frequency_value_is_price_times_purchases_a_year_times_years(tree: KpiTree, made: list) -> None:
    def expected(_start: date, end: date) -> Decimal | None:
        bought = [(account, amount) for day, account, amount in made if six_months_before(end) <= day < end]
        if not bought:
            return None
        price = Decimal(sum(amount for _account, amount in bought)) / len(bought)
        a_year = Decimal(2 * len(bought)) / len({account for account, _amount in bought})
        return price * a_year * 3

    with transaction.atomic():
        send(
            "orders",
            (
                {"external_id": str(n), "ordered_on": day.isoformat(), "account": account, "amount": amount}
                for n, (day, account, amount) in enumerate(made)
            ),
        )
        check(tree, "frequency", expected, "month")
        transaction.set_rollback(True)


@few
@given(made=contracts, sold=costed_sales, code=st.sampled_from(sorted(YEARS)))
def test_subscription_value_is_yearly_margin_times_the_years_a_customer_stays(
    tree: KpiTree, made: list, sold: list, code: str
) -> None:
    intervals = [
        (account, start, start + timedelta(days=length) if length else None, mrr)
        for start, account, length, mrr in made
    ]

    def paying(day: date) -> dict[str, int]:
        paid: dict[str, int] = defaultdict(int)
        for account, start, end, mrr in intervals:
            if start < day and (end is None or end >= day):
                paid[account] += mrr
        return paid

    def expected(_start: date, end: date) -> Decimal | None:
        opens = six_months_before(end)
        before, after = paying(opens), paying(end)
        recognised = [(amount, profit) for day, _account, amount, profit in sold if opens <= day < end]
        if not before or not recognised:
            return None
        yearly = Decimal(12 * sum(before.values())) / len(before)
        amount, profit = map(sum, zip(*recognised, strict=True))
        lost_a_year = Decimal(2 * len(before.keys() - after.keys())) / len(before)
        years = min(1 / lost_a_year, Decimal(YEARS[code])) if lost_a_year else Decimal(YEARS[code])
        return yearly * profit / amount * years

    with transaction.atomic():
        send(
            "contracts",
            (
                {"external_id": str(n), "account": account, "starts_on": start.isoformat(), "mrr": mrr}
                | {"ends_on": end.isoformat() if end else None}
                for n, (account, start, end, mrr) in enumerate(intervals)
            ),
        )
        send_sales(sold)
        check(tree, code, expected, "month")
        transaction.set_rollback(True)
