"""A consultant's first day with a client that has no data yet: from the KGI back to leads, and on as targets."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

GOAL = "120,000,000"
RATES = {"average_deal_size": "2000000", "win_rate": "25", "opportunity_rate": "20", "mql_rate": "50"}
FUNNEL = ["60", "240", "1,200", "2,400"]  # won deals; deals and SQLs; MQLs; leads


@pytest.fixture(scope="module")
def company(demo: Demo) -> str:
    """A company made from the template for new business, without any record."""
    return demo.new_company("株式会社ワカバ", "--template", "new_business")


@pytest.fixture
def page(visitors: Visitors, company: str) -> Page:
    page = visitors.arrive(company, "owner")
    page.goto("/back-calculation/")
    return page


def work_back(page: Page, **rates: str) -> None:
    """Type the goal and the rates, and ask."""
    form = page.locator("form[data-back-calculation]")
    form.locator("[name=value]").fill(GOAL)
    for code, value in rates.items():
        form.locator(f"[name=source_{code}]").select_option("typed")
        form.locator(f"[name=typed_{code}]").fill(value)
    form.locator(".button-primary").click()
    expect(page.locator("#steps")).to_be_visible()


def test_typed_rates_are_worked_back_and_applied_as_targets(page: Page) -> None:
    expect(page.locator(".errorlist")).to_have_count(0)
    work_back(page, average_deal_size=RATES["average_deal_size"])
    expect(
        page.locator(".strip-warn").filter(has_text="受注率")
    ).to_be_visible()  # the way ends where a rate is missing
    expect(page.locator("section[aria-labelledby=steps] tbody tr")).to_have_count(1)

    work_back(page, **RATES)
    expect(page.locator("section[aria-labelledby=steps] tbody tr")).not_to_have_count(1)
    steps = page.locator("section[aria-labelledby=steps] tbody td.main").all_inner_texts()
    assert list(dict.fromkeys(steps)) == FUNNEL

    targets = page.locator("section[aria-labelledby=targets]")
    goal = targets.locator("tbody tr").filter(has_text="受注額").first
    expect(goal.locator(".absent")).to_be_visible()
    page.get_by_role("button", name="目標として適用する").click()
    page.wait_for_load_state()
    expect(page.get_by_text("逆算から").first).to_be_visible()
    for row in targets.locator("table").first.locator("tbody tr").all():
        now, planned, changing = (row.locator("td").nth(place).inner_text() for place in range(3))
        assert (now, changing) == (planned, "0")

    page.goto("/targets/")
    leads = page.locator("#target-grid tbody tr").filter(has_text="新規リード獲得数")
    expect(leads.locator("td[data-start] .now").first).to_have_text("200")
