"""A company made from a shipped template, unchanged, is told what holds its KGI back and since when."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kpis.engine.contribution import Method
from kpis.engine.templates import TEMPLATES
from kpis.models import KpiTree, Period
from kpis.selectors.contributions import Contributions, read_contributions
from kpis.selectors.details import Segment
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.templates import instantiate_requested
from tenants.registry import ProvisionRequest
from tests.remembering import remembered

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
MONTHS = [*(date(2025, month, 1) for month in (10, 11, 12)), *(date(2026, month, 1) for month in range(1, 12))]
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
# Typed when the company is made: 5 orders of a million a month from 20 deals; 10 customers who bring 100,000 each.
DEALS = {"kgi_amount": "60000000", "average_deal_size": "1000000", "win_rate": "0.25"}
ANSWERS: Mapping[str, Mapping[str, str]] = {
    "new_business": {**DEALS, "opportunity_rate": "0.5", "mql_rate": "0.5"},
    "inside_sales": {**DEALS, "opportunity_rate_leads": "0.25"},
    "referral": {**DEALS, "referral_win_rate": "0.25"},
    "route_sales": {"kgi_amount": "12000000", "revenue_per_customer": "100000"},
}
LEVERS = {
    "new_business": {"closed_deals", "win_rate", "average_deal_size"},
    "inside_sales": {"closed_deals", "win_rate", "average_deal_size"},
    "referral": {"won_deals", "average_deal_size"},
    "route_sales": {"customers_with_revenue", "revenue_per_customer"},
}
EACH = pytest.mark.parametrize("style", TEMPLATES)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


def send(resource: str, records: list[dict[str, Any]]) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected


def deal(month: date, place: int) -> dict[str, Any]:
    """The first four of twelve end in their month, the others 35 days after they began; every fourth is won."""
    began = month + timedelta(days=4)
    closed = began + timedelta(days=20 if place < 4 else 35)
    ended = closed <= date(2026, 11, 15)
    won = "won" if place % 4 == 0 else "lost"
    return {
        "external_id": f"D{month:%y%m}{place}",
        "created_on": began.isoformat(),
        "closed_on": closed.isoformat() if ended else None,
        "outcome": won if ended else "open",
        "amount": 900_000,
        "origin": "referral" if place < 8 else "lead",
        "lead": f"L{month:%y%m}{place}",
    }


def lead(month: date, place: int) -> dict[str, Any]:
    days = {"created_on": 0, "mql_on": 1, "sql_on": 2} if place < 14 else {"created_on": 0}
    return {
        "external_id": f"L{month:%y%m}{place}",
        **{name: (month + timedelta(days=day)).isoformat() for name, day in days.items()},
    }


@pytest.fixture
@remembered
def facts() -> bool:
    """Each month 24 leads, of which 14 are opportunities and 12 deals, and 8 customers who bring 90,000 each."""
    send("accounts", [{"external_id": f"A{place}", "name": f"A{place}"} for place in range(8)])
    send("leads", [lead(month, place) for month in MONTHS for place in range(24)])
    send("deals", [deal(month, place) for month in MONTHS for place in range(12)])
    send(
        "revenues",
        [
            {
                "external_id": f"R{month:%y%m}{place}",
                "account": f"A{place}",
                "recognized_on": (month + timedelta(days=place)).isoformat(),
                "amount": 90_000,
                "gross_profit": 30_000,
            }
            for month in MONTHS
            for place in range(8)
        ],
    )
    return True


Company = Callable[[str], KpiTree]


@pytest.fixture
def company(facts: bool, acme: Any) -> Company:
    """Makes the company of a style and counts its year."""

    def make(style: str) -> KpiTree:
        instantiate_requested(ProvisionRequest(acme, "Acme", 4, 31, "JPY", style, ANSWERS[style], NOW))
        recompute(now=NOW)
        return KpiTree.objects.get()

    return make


def explain(tree: KpiTree, month: date, *, to_date: bool = False) -> Contributions:
    period = Period.objects.get(grain="month", start_date=month)
    found = read_contributions(tree, period, Segment(), now=NOW, to_date=to_date)
    assert found is not None
    parts = [*(share.amount for share in found.shares), found.total_timing, found.not_explained]
    assert sum(parts) == found.gap
    return found


@EACH
def test_the_gap_is_split_over_levers_with_nothing_left(company: Company, style: str) -> None:
    found = explain(company(style), OCTOBER)
    assert found.gap < 0
    assert {cause.node.code for cause in found.causes} == LEVERS[style]
    assert abs(found.not_explained) <= 1


@EACH
def test_the_bottleneck_has_a_name_and_a_way_out(company: Company, style: str) -> None:
    found = explain(company(style), OCTOBER).bottleneck
    assert found is not None
    assert found.node.code == {"referral": "won_deals", "route_sales": "customers_with_revenue"}.get(
        style, "closed_deals"
    )
    assert found.needed is not None
    assert found.needed > found.actual


@EACH
def test_a_running_month_is_explained_as_far_as_it_is_due(company: Company, style: str) -> None:
    found = explain(company(style), NOVEMBER, to_date=True)
    assert found.is_to_date
    assert {cause.node.code for cause in found.causes} == LEVERS[style]
    assert abs(found.not_explained) <= 1


@pytest.mark.parametrize(
    ("style", "first"), [("new_business", "new_leads"), ("inside_sales", "new_leads"), ("referral", "referrals")]
)
def test_what_began_in_earlier_months_has_its_part(company: Company, style: str, first: str) -> None:
    found = explain(company(style), OCTOBER)
    lagged = [share for share in found.shares if share.method == Method.LAGGED and share.amount]
    assert (lagged[0].node.code, {share.period_start for share in lagged}) == (
        first,
        {OCTOBER, date(2026, 9, 1)},
    )
    assert style == "referral" or "created_deals" in {share.node.code for share in lagged}


def test_referrals_answer_only_for_the_orders_that_came_of_referrals(company: Company) -> None:
    found = explain(company("referral"), OCTOBER)
    (won,) = [cause for cause in found.causes if cause.node.code == "won_deals"]
    # Of three orders of a month two are referred, of eight referrals: 12 fewer than the planned 20 cost three orders,
    # where only two are missing.
    expected = won.amount * 3 / 2
    assert abs(sum(start.amount for start in won.starts) - expected) <= 2


def test_customers_of_months_are_no_target_of_a_quarter(company: Company) -> None:
    tree = company("route_sales")
    codes = ["revenue", "customers_with_revenue", "revenue_per_customer"]
    for grain, there in (("month", [True] * 3), ("quarter", [True, False, False])):
        query = MatrixQuery(tree, grain, OCTOBER, OCTOBER + timedelta(days=1), codes=codes)
        found = build_matrix(query, now=NOW)
        assert [target[0][0] is not None for target in found.target] == there
