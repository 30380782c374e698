"""Marketing and sales at one table: what was agreed, and what became of each lead that was handed over."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Visitors

pytestmark = pytest.mark.journey


@pytest.fixture
def page(visitors: Visitors) -> Page:
    page = visitors.arrive("sakura", "owner")
    page.goto("/handover/")
    return page


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)


def test_the_ledger_adds_up_by_lead_source(page: Page) -> None:
    handed, accepted, returned, waiting = (number(each) for each in page.locator(".lead strong").all_inner_texts()[:4])
    assert handed == accepted + returned + waiting > 0
    rows = page.locator("section[aria-labelledby=sources] tbody tr")
    assert sum(number(row.locator("td").first.inner_text()) for row in rows.all()) == handed
    expect(page.locator("section[aria-labelledby=ledger] .faint").first).to_contain_text(str(handed))


def test_a_lead_source_is_chosen_and_taken_along(page: Page) -> None:
    chosen = page.locator("section[aria-labelledby=ledger] select[name=source]")
    source = chosen.locator("option").nth(1).get_attribute("value")
    name = chosen.locator("option").nth(1).inner_text()
    chosen.select_option(source)
    page.wait_for_url(re.compile("source="))
    shown = {
        each.strip() for each in page.locator("section[aria-labelledby=ledger] tbody td:nth-child(3)").all_inner_texts()
    }
    assert shown == {name.strip()}
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) > 1
    assert all(name.strip() in line for line in lines[1:])


def test_an_agreement_needs_a_name_of_each_side(page: Page, visitors: Visitors) -> None:
    page.get_by_role("link", name="取り決めを更新する").click()
    page.locator("[name=marketing_name]").fill("")
    visitors.expected.add(422)
    page.locator("form .button-primary").click()
    expect(page.locator(".errorlist").first).to_be_visible()
