"""A consultant's job: see how the clients are doing, enter one, add another."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from kpis.engine.templates import TEMPLATES
from tests.journeys.browser import PATIENCE, Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

READY_SECONDS = 60
ANSWERS = {
    "new_business_kgi_amount": "120000000",
    "new_business_average_deal_size": "2000000",
    "new_business_win_rate": "25",
    "new_business_opportunity_rate": "20",
    "new_business_mql_rate": "50",
}


@pytest.fixture
def page(visitors: Visitors) -> Page:
    return visitors.arrive("console", "consultant")


def row_of(page: Page, slug: str):
    return page.locator(f"tr[data-client={slug}]")


class TestConsole:
    def test_lists_the_client_with_its_state(self, page: Page) -> None:
        row = row_of(page, "sakura")
        expect(row).to_have_attribute("data-status", "ready")
        cells = row.locator("td").all_inner_texts()
        assert re.search(r"\d+\.\d", cells[1]), "the KGI's achievement"
        assert re.search(r"\d+／14", cells[2]), "the checklist"
        assert cells[6].strip(), "the next meeting"

    def test_lists_company_b_too(self, page: Page, crm_export: Path) -> None:
        expect(row_of(page, "maven")).to_have_attribute("data-status", "ready")

    def test_the_hand_off_opens_the_company_once(self, page: Page, visitors: Visitors) -> None:
        tickets: list[str] = []

        def note(response: Response) -> None:
            if "/enter/?ticket=" in response.url:
                tickets.append(response.url)

        page.on("response", note)
        row_of(page, "sakura").get_by_role("button", name="この企業を開く").click()
        page.wait_for_url(re.compile(r"//sakura\.localhost:\d+/$"))
        expect(page.locator(".consultant-strip")).to_contain_text("サクラフローワークス")
        expect(page.locator(".lead")).to_be_visible()

        (link,) = tickets
        visitors.expected.add(403)
        stranger = visitors.arrive("sakura")
        stranger.goto(link)
        expect(stranger.locator("h1")).to_have_text("このリンクでは企業を開けません")
        stranger.goto("/")
        expect(stranger).to_have_url(re.compile("/login/"))

        page.locator(".consultant-strip a").click()
        expect(row_of(page, "sakura")).to_be_visible()

    def test_a_company_from_the_template_is_ready_within_a_minute(self, page: Page) -> None:
        slug, name = f"third{uuid.uuid4().hex[:6]}", "株式会社ミドリ商事"
        page.get_by_role("link", name="クライアント企業を追加する").click()
        page.locator("[name=name]").fill(name)
        page.locator("[name=slug]").fill(slug)
        page.locator("[name=template]").select_option("new_business")
        for field, value in ANSWERS.items():
            page.locator(f"[name={field}]").fill(value)
        page.get_by_role("button", name="この企業を追加する").click()
        asked = time.monotonic()
        expect(row_of(page, slug)).to_contain_text(name)
        expect(row_of(page, slug)).to_have_attribute("data-status", "ready", timeout=READY_SECONDS * 1000 + PATIENCE)
        assert time.monotonic() - asked < READY_SECONDS

        row_of(page, slug).get_by_role("button", name="この企業を開く").click()
        page.wait_for_url(re.compile(f"//{slug}\\."))
        page.goto(page.url + "kpis/?grain=year")
        goal = page.locator(".node-kgi")
        expect(goal).to_contain_text("受注額")
        expect(goal.locator(".node-target")).to_contain_text("120")
        expect(page.locator(".node", has_text="商談化率").first).to_contain_text("20")

    def test_a_bad_answer_is_said_beside_its_field(self, page: Page, visitors: Visitors) -> None:
        visitors.expected.add(422)
        page.get_by_role("link", name="クライアント企業を追加する").click()
        page.locator("[name=name]").fill("もう一つのサクラ")
        page.locator("[name=slug]").fill("sakura")
        page.get_by_role("button", name="この企業を追加する").click()
        expect(page.locator(".field", has=page.locator("[name=slug]")).locator(".errorlist")).to_be_visible()
        expect(page.locator("[name=name]")).to_have_value("もう一つのサクラ")


class TestCommand:
    def test_refuses_a_style_that_does_not_exist(self, demo: Demo) -> None:
        refused = demo.manage("create_company", "late", "--name", "未定", "--template", "magic")
        assert refused.returncode != 0
        assert "magic" in refused.stderr
        assert all(style in refused.stderr for style in TEMPLATES), "which ones can be used"
