"""A consultant's half hour: connect a REST source from zero, and see its deals as a KPI on the dashboard."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.rest import TOKEN, RestFake
from tests.fakes.server import served
from tests.journeys.api import Tool, new_tool, plant_tree
from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

LOADED_WITHIN = 60_000  # milliseconds
SHOWN_WITHIN = 20  # seconds
TODAY = datetime.now(ZoneInfo("Asia/Tokyo")).date()
LAST_MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)
FISCAL_YEAR = LAST_MONTH.year - (LAST_MONTH.month < 4)
WON_DEALS, LOST_DEALS = 23, 4
FIELDS = {
    "external_id": "uid",
    "name": "name",
    "created_on": "created",
    "closed_on": "closed",
    "amount": "amount",
    "outcome": "stage",
}
MEANINGS = {"受注": "won", "失注": "lost"}


@pytest.fixture
def fake() -> Iterator[RestFake]:
    """The client's CRM: deals that were closed last month, in stages of its own words."""
    crm = RestFake("keyset", "bearer", page_size=10)
    with served(crm):
        crm.world.now = crm.now() - timedelta(days=2)
        for number in range(WON_DEALS + LOST_DEALS):
            # Both words stand among the first records, from which the page offers them.
            stage = "失注" if number < LOST_DEALS else "受注"
            dates = {"created": str(LAST_MONTH), "closed": str(LAST_MONTH + timedelta(days=4))}
            crm.world.put(f"D{number:03}", name=f"案件{number}", stage=stage, amount=100_000, **dates)
        yield crm


@pytest.fixture(scope="module")
def company(demo: Demo) -> str:
    return demo.new_company("株式会社ツナグ")


@pytest.fixture(scope="module")
def tool(demo: Demo, company: str) -> Iterator[Tool]:
    """A tree that counts won deals, and no data."""
    with new_tool(demo, company) as tool:
        tool.tree = plant_tree(tool, FISCAL_YEAR)
        yield tool


@pytest.fixture
def page(visitors: Visitors, company: str, tool: Tool) -> Page:
    return visitors.arrive(company, "owner")


def describe(page: Page, fake: RestFake, *, token: str) -> None:
    """From the list of connections to the verdict of the first test."""
    page.goto("/data/")
    page.get_by_role("link", name="データ連携を追加する").first.click()
    page.get_by_role("link", name="REST API", exact=True).click()
    page.get_by_role("button", name="例を挿入する").click()
    expect(page.locator("[name=description]")).to_have_value(re.compile("api.example.com"))
    page.locator("[name=name]").fill("社内CRM")
    page.locator("[name=carries]").select_option("sfa")
    page.locator("[name=source]").fill("crm")
    page.locator("[name=description]").fill(json.dumps(fake.document(), indent=2))
    page.locator("[name=name]").click()
    page.locator("[name=secret_token]").fill(token)
    page.get_by_role("button", name="保存してテストする").click()
    page.wait_for_url("**/test/")


def map_fields(page: Page) -> None:
    """Every field by a field of the source, and what the words of its stages mean."""
    page.get_by_role("link", name="次へ：取り込む内容").click()
    page.locator("select[name=resource]").select_option("deals")
    page.get_by_role("button", name="項目を対応付ける").click()
    for field, column in FIELDS.items():
        page.locator(f"select[name='column.{field}']").select_option(column)
    page.get_by_role("button", name="取り込み結果を確認する").click()
    for word, meaning in MEANINGS.items():
        page.get_by_label(f"「{word}」の意味").select_option(meaning)
    page.get_by_role("button", name="取り込み結果を確認する").click()
    expect(page.locator("section[aria-labelledby=becomes] tbody tr")).to_have_count(20)
    page.get_by_role("button", name="項目を保存する").click()
    page.wait_for_url("**/streams/")


def test_from_zero_to_a_kpi_on_the_dashboard(page: Page, fake: RestFake, tool: Tool) -> None:
    describe(page, fake, token="not-the-token")
    expect(page.locator(".strip-bad")).to_be_visible()
    assert "not-the-token" not in page.content()

    page.locator(".page-actions").get_by_role("link", name="接続先の記述と認証情報").click()
    page.locator("[name=secret_token]").fill(TOKEN)
    page.get_by_role("button", name="保存してテストする").click()
    expect(page.get_by_text("接続先を読み取れます。")).to_be_visible()

    map_fields(page)
    page.locator("[name=every]").select_option("60")
    page.get_by_role("button", name="今すぐ読み取る").click()
    page.wait_for_url("**/data/runs/**")
    expect(page.locator("h1")).to_contain_text("成功", timeout=LOADED_WITHIN)

    tool.post(f"trees/{tool.tree}/activate/", {})
    page.goto(f"/kpis/?start={LAST_MONTH}")
    goal = page.locator(".node-kpi .node-value")
    until = time.monotonic() + SHOWN_WITHIN
    while str(WON_DEALS) not in goal.inner_text() and time.monotonic() < until:
        page.wait_for_timeout(1_000)
        page.reload()
    expect(goal).to_contain_text(str(WON_DEALS))
