"""A consultant's first hour with a client that has only its spreadsheet: it becomes a tree, and goes on in 「入力」."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.api import deal, new_tool, plant_tree
from tests.journeys.browser import PHONE, Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

SHEET = [
    ["KPI", "区分", "2026年4月", "2026年5月", "2026年6月", "合計"],
    ["訪問数", "目標", "１０", "12", "14", "36"],
    ["", "実績", "9", "13", "12", "34"],
    ["電話数", "実績", "1,200", "1,180", "たくさん", "3,580"],
]
PASTED = "\r\n".join("\t".join(row) for row in SHEET)
TREE = "2026年度 訪問と電話"
TODAY = datetime.now(ZoneInfo("Asia/Tokyo")).date()
FISCAL_YEAR = TODAY.year - (TODAY.month < 4)


@pytest.fixture(scope="module")
def company(demo: Demo) -> str:
    return demo.new_company("株式会社ミナモ")


def start_from_sheet(page: Page) -> None:
    page.goto("/trees/from-excel/")
    page.locator("[name=text]").fill(PASTED)
    page.locator("[name=fiscal_year]").fill("2026")
    page.locator("form .button-primary").click()


def test_a_pasted_table_is_looked_at_made_and_gone_on_with(visitors: Visitors, company: str) -> None:
    page = visitors.arrive(company, "owner")
    start_from_sheet(page)
    form = page.locator("#sheet-start")
    expect(form.locator(".sheet-kpi")).to_have_count(2)
    expect(form.locator(".is-refused")).to_have_count(1)  # 「たくさん」 is no number
    expect(form.locator("section[aria-labelledby=checks]")).to_contain_text("3,580")  # a total of two months only
    page.goto("/trees/")
    expect(page.get_by_text(TREE)).to_have_count(0)  # looking stored nothing

    start_from_sheet(page)
    page.locator("[name=tree_name]").fill(TREE)
    page.locator("button[value=look]").click()
    page.locator("button[value=make]").click()
    expect(page.locator("h1")).to_contain_text(TREE)
    expect(page.get_by_text("訪問数").first).to_be_visible()

    start_from_sheet(page)  # the same once more makes nothing
    expect(page.locator("button[value=make]")).to_have_count(0)


def test_what_stays_manual_is_typed_on_a_phone(demo: Demo, visitors: Visitors, company: str) -> None:
    with new_tool(demo, company) as tool:
        tree = plant_tree(tool, FISCAL_YEAR)
        visits = {"code": "visits", "name": "往訪数", "unit": "count", "direction": "up", "accumulation": "sum"}
        tool.post("metrics/", {**visits, "spec": {"kind": "manual"}})
        (factor,) = (each for each in tool.get("nodes/", tree=tree)["results"] if each["level"] == "ksf")
        person = {"source": "crm", "external_id": "E001"}
        node = {"tree": tree, "parent": factor["id"], "level": "kpi", "name": "往訪数", "metric": "visits"}
        made = tool.post("nodes/", node | {"responsible": person})
        tool.post("targets/", {"node": made["id"], "period_start": f"{FISCAL_YEAR + 1}-03-01", "value": 50})
        tool.post("facts/deals/bulk/", {"source": "crm", "records": [deal("D1", 100)]})
        tool.post(f"trees/{tree}/activate/", {})

    page = visitors.arrive(company, "owner", viewport=PHONE)
    page.goto("/inputs/?whose=all")
    expect(page.locator(".disclosure[open] > summary")).to_contain_text("往訪数")
    past = page.locator(".entry-past").nth(1)
    past.locator(".entry-edit > summary").click()
    visitors.expected.add(422)
    past.locator(".entry-field").fill("とても多い")
    past.locator(".entry-field").press("Enter")
    expect(past.locator(".entry-fault")).to_be_visible()
    expect(past.locator(".entry-field")).to_have_value("とても多い")
    past.locator(".entry-field").fill("１，２３４")
    past.locator(".entry-field").press("Enter")
    expect(past.locator(".entry-value")).to_contain_text("1,234")
    expect(past.locator(".entry-who")).to_contain_text("owner")
    page.reload()
    expect(page.locator(".entry-past").nth(1).locator(".entry-value")).to_contain_text("1,234")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
