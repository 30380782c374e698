"""A member's job, on the train with one thumb: my own numbers, my own actions, nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import PHONE, Visitors

pytestmark = pytest.mark.journey

MY_NAME = "長谷部 美咲"
SMALLEST_TARGET = 44  # pixels


@pytest.fixture
def page(visitors: Visitors) -> Page:
    return visitors.arrive("sakura", "member", viewport=PHONE)


class TestToday:
    def test_shows_a_few_numbers_of_my_own(self, page: Page) -> None:
        own = page.locator("section[aria-labelledby=own] tbody tr")
        assert 3 <= own.count() <= 5
        assert own.locator("td.main .num").count() >= 3

    def test_shows_nobody_else(self, page: Page) -> None:
        expect(page.locator("section[aria-labelledby=members]")).to_have_count(0)
        owners = page.locator("section[aria-labelledby=deals-to-check] li .faint").all_inner_texts()
        assert all(MY_NAME in owner for owner in owners), owners

    def test_fits_the_screen(self, page: Page) -> None:
        for path in ("/", "/kpis/?view=list", "/actions/"):
            page.goto(path)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{path} is {width} px wide"

    def test_thumbs_find_the_navigation(self, page: Page) -> None:
        entries = page.locator("nav.tabbar a:visible")
        assert 2 <= entries.count() <= 7
        for entry in entries.all():
            box = entry.bounding_box()
            assert box and box["height"] >= SMALLEST_TARGET


class TestSight:
    def test_there_is_no_administration(self, page: Page, visitors: Visitors) -> None:
        links = {link.get_attribute("href") for link in page.locator("a[href]").all()}
        assert not {link for link in links if link and link.startswith(("/admin", "/data"))}
        visitors.expected.add(403)
        for path in ("/admin/", "/data/", "/data/keys/"):
            answer = page.goto(path)
            assert answer is not None and answer.status == 403, path

    def test_the_records_of_a_number_are_my_own(self, page: Page) -> None:
        page.locator("section[aria-labelledby=own] tbody th a").first.click()
        page.goto(page.url.replace("/?", "/records/?") if "/?" in page.url else f"{page.url}records/")
        owners = page.locator("tbody tr td:nth-child(3)").all_inner_texts()
        assert {owner.strip() for owner in owners} <= {MY_NAME, ""}, owners

    def test_logs_an_action_of_her_own(self, page: Page) -> None:
        page.goto("/actions/new/")
        page.locator(".line-list a").first.click()
        form = page.locator("#sheet-body")
        form.locator("[name=cause]").fill("初回の連絡が遅い")
        form.locator("[name=action]").fill("問い合わせの当日に電話する")
        form.locator("button.button-primary").click()
        expect(page.get_by_text("改善アクションを保存しました").first).to_be_visible()
        page.goto("/actions/?view=mine")
        expect(page.get_by_role("link", name="問い合わせの当日に電話する").first).to_be_visible()
