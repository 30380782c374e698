"""An owner's month end: close the period, hear of a record that was changed later, decide what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.api import Tool, deal, new_tool, plant_tree
from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

LAST_MONTH = (datetime.now(ZoneInfo("Asia/Tokyo")).date().replace(day=1) - timedelta(days=1)).replace(day=1)
FISCAL_YEAR = LAST_MONTH.year - (LAST_MONTH.month < 4)


@pytest.fixture(scope="module")
def company(demo: Demo) -> str:
    return demo.new_company("株式会社ミナモ")


@pytest.fixture(scope="module")
def tool(demo: Demo, company: str) -> Iterator[Tool]:
    """The company's CRM: two deals won last month, counted and added up by a tree in force."""
    with new_tool(demo, company) as tool:
        tree = plant_tree(tool, FISCAL_YEAR)
        send(tool, D1=300_000, D2=200_000)
        tool.post(f"trees/{tree}/activate/", {})
        yield tool


def send(tool: Tool, **amounts: int) -> None:
    """Deals won last month, by what they are worth."""
    dates = {"created_on": str(LAST_MONTH), "closed_on": str(LAST_MONTH + timedelta(days=4))}
    records = [deal(name, amount) | dates for name, amount in amounts.items()]
    tool.post("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})


@pytest.fixture
def page(visitors: Visitors, company: str, tool: Tool) -> Page:
    """The owner before last month, which is closed."""
    page = visitors.arrive(company, "owner")
    page.goto(f"/closing/?grain=month&start={LAST_MONTH}")
    close = page.locator("button[value=close]")
    if close.count():
        close.click()
        page.wait_for_load_state()
    expect(page.locator("h2 .stamp-closed")).to_be_visible()
    return page


def late(page: Page, kpi: str) -> Locator:
    return page.locator("article.late").filter(has_text=kpi)


def decide(page: Page, kpi: str, verdict: str, reason: str) -> None:
    article = late(page, kpi)
    article.locator("[name=reason]").fill(reason)
    article.locator(f"button[value={verdict}]").click()
    page.wait_for_load_state()


def test_a_late_change_is_refused_or_approved_with_its_reason(page: Page, tool: Tool) -> None:
    expect(page.locator("article.late")).to_have_count(0)
    send(tool, D2=250_000, D3=100_000)
    page.reload()
    expect(late(page, "受注額").locator(".late-numbers")).to_contain_text("500,000円")
    expect(late(page, "受注額").locator(".late-numbers")).to_contain_text("650,000円")

    decide(page, "受注件数", "refused", "翌月の受注として扱う")
    expect(late(page, "受注件数").locator("header .tag")).to_be_visible()
    decide(page, "受注額", "approved", "注文書の金額が正しい")
    expect(late(page, "受注額")).to_have_count(0)
    decided = page.locator("section[aria-labelledby=decided] tbody tr")
    expect(decided.filter(has_text="注文書の金額が正しい")).to_have_count(1)
    expect(decided.filter(has_text="翌月の受注として扱う")).to_have_count(1)


def test_a_closed_month_is_opened_again_only_with_a_reason(page: Page) -> None:
    page.locator("details.disclosure summary").click()
    reopen = page.locator("form").filter(has=page.locator("[value=reopen]"))
    reopen.locator("button").click()
    expect(page.locator("#reopen-reason:invalid")).to_be_visible()
    reopen.locator("[name=reason]").fill("請求データの取り込み漏れ")
    reopen.locator("button").click()
    expect(page.locator("button[value=close]")).to_be_visible()
    expect(page.locator("section[aria-labelledby=steps] li").first).to_contain_text("請求データの取り込み漏れ")
