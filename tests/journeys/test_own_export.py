"""A marketing system that only gives a CSV: its columns are mapped from a sample, and the next export is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

LOADED_WITHIN = 60_000  # milliseconds
HEADINGS = "履歴番号,見込客番号,状態,変更日時,担当支店"
STATES = ("マーケ認定", "営業受諾", "休眠")
COLUMNS = {"external_id": "履歴番号", "lead": "見込客番号", "stage": "状態", "entered_at": "変更日時"}


def export(folder: Path, name: str, first: int) -> Path:
    """Thirty rows as such a system writes them, in CP932."""
    rows = [f"H{first + n},S{n % 9},{STATES[n % 3]},2026/10/{n % 28 + 1:02} 10:00,東京" for n in range(30)]
    path = folder / name
    path.write_text("\r\n".join([HEADINGS, *rows]), encoding="cp932")
    return path


@pytest.fixture
def page(visitors: Visitors, demo: Demo) -> Page:
    return visitors.arrive(demo.new_company("株式会社カスミ"), "owner")


def test_from_a_sample_to_the_next_export(page: Page, tmp_path: Path) -> None:
    page.goto("/data/new/file/")
    page.locator("[name=name]").fill("SATORI")
    page.locator("[name=carries]").select_option("ma")
    page.locator("[name=source]").fill("satori")
    page.locator("[name=sample]").set_input_files(export(tmp_path, "satori_1101.csv", 100))
    page.locator("main button.button-primary").click()
    page.wait_for_url("**/streams/")

    page.locator("select[name=resource]").select_option("lead-stage-events")
    page.get_by_role("button", name="項目を対応付ける").click()
    for field, column in COLUMNS.items():
        page.locator(f"select[name='column.{field}']").select_option(column)
    expect(page.locator("section[aria-labelledby=becomes] tbody tr")).to_have_count(20)
    for word, meaning in {"マーケ認定": "mql", "営業受諾": "sql"}.items():
        page.get_by_label(f"「{word}」の意味").select_option(meaning)
    expect(page.locator("#preview .line-list").first).to_contain_text("休眠")
    page.locator("input[name=custom][type=text]").fill("支店")
    page.get_by_role("button", name="項目を追加").click()
    page.locator("select[name='column.attributes.支店']").select_option("担当支店")
    page.get_by_role("button", name="項目を保存する").click()
    page.wait_for_url("**/streams/")

    page.locator(".crumbs a").last.click()
    page.locator("[name=uploads]").set_input_files(export(tmp_path, "export.csv", 500))
    page.get_by_role("button", name="内容を確認する").click()
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator("tbody tr").first).to_contain_text("東京")
    page.get_by_role("button", name="取り込む", exact=True).click()
    page.wait_for_url("**/data/runs/**")
    expect(page.locator("h1")).to_contain_text("成功", timeout=LOADED_WITHIN)
