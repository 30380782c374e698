"""A manager's job: see where we stand, find why, decide what to do, and hold the meeting about it."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import Visitors

pytestmark = pytest.mark.journey

INKED_PIXELS = """canvas => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked / (data.length / 4);
}"""
OPEN_DIMENSIONS = ["地域", "商品", "流入経路", "顧客区分"]


@pytest.fixture
def page(visitors: Visitors) -> Page:
    return visitors.arrive("sakura", "manager")


def is_drawn(canvas: Locator) -> bool:
    return canvas.evaluate(INKED_PIXELS) > 0.01


def open_missed_kpi(page: Page, name: str = "受注件数") -> str:
    """From the tree to a KPI, back to the last period in which it was missed; returns that period's label."""
    page.goto("/kpis/")
    page.locator("a.node", has=page.locator(".node-name", has_text=re.compile(f"{re.escape(name)}$"))).click()
    expect(page.locator("h1")).to_contain_text(name)
    for _step in range(12):
        if page.locator(".versus .status", has_text="未達").count():
            return page.locator(".stepper strong").inner_text()
        page.get_by_role("link", name="前の期間").click()
        page.wait_for_load_state()
    raise AssertionError(f"{name} was never missed.")


class TestToday:
    def test_answers_first(self, page: Page) -> None:
        expect(page.locator(".lead")).to_contain_text(re.compile(r"受注額.*目標.*\d"))
        goal = page.locator(".figures-lead .figure-block").first
        expect(goal).to_contain_text("受注額")
        expect(goal).to_contain_text("目標")
        assert goal.locator(".num").count() >= 2

    def test_lists_what_needs_a_response(self, page: Page) -> None:
        expect(page.get_by_role("heading", name="要対応", exact=True)).to_be_visible()

    def test_counts_the_deals_past_their_date(self, page: Page) -> None:
        check = page.locator("section[aria-labelledby=deals-to-check]")
        counted = re.search(r"\d+", check.locator(".section-head .faint").inner_text())
        assert counted and int(counted[0]) >= 1
        assert check.locator("li").count() >= 1


class TestTree:
    def test_leads_from_the_goal_to_the_kpis_with_their_status(self, page: Page) -> None:
        page.goto("/kpis/")
        assert page.locator(".node-kgi").count() == 1
        assert page.locator(".node-ksf").count() >= 3
        kpis = page.locator("a.node-kpi")
        assert kpis.count() >= 10
        assert kpis.locator(".status").count() == kpis.count()

    def test_the_list_says_the_same(self, page: Page) -> None:
        page.goto("/kpis/")
        values = sorted(page.locator("a.node .node-value").all_inner_texts())
        page.goto("/kpis/?view=list")
        rows = page.locator("[role=treegrid] tbody tr td.main")
        assert sorted(rows.all_inner_texts()) == values

    def test_a_folded_branch_stays_folded_in_another_period(self, page: Page) -> None:
        page.goto("/kpis/")
        branch = page.locator("li:has(> .node-ksf)").first
        below = branch.locator("a.node")
        count = below.count()
        branch.locator("summary").first.press("Enter")
        expect(branch.locator("summary").first).to_contain_text(f"+{count}")
        page.get_by_role("link", name="前の期間").click()
        page.wait_for_load_state()
        expect(page.locator("a.node-kgi")).to_be_visible()
        expect(below.first).to_be_hidden()
        branch.locator("summary").first.press("Enter")
        expect(below.first).to_be_visible()


class TestKpi:
    def test_target_and_actual_stand_side_by_side(self, page: Page) -> None:
        open_missed_kpi(page)
        actual, target = page.locator(".versus > div").nth(0), page.locator(".versus > div").nth(1)
        expect(actual).to_contain_text("実績")
        expect(target).to_contain_text("目標")
        left, right = actual.bounding_box(), target.bounding_box()
        assert left and right and left["y"] == right["y"] and left["x"] < right["x"]
        reached, wanted = (float(each.locator(".num").first.inner_text().replace(",", "")) for each in (actual, target))
        assert reached < wanted

    def test_the_trend_is_drawn_and_can_be_read_as_a_table(self, page: Page) -> None:
        open_missed_kpi(page)
        canvas = page.locator("[data-chart] canvas")
        canvas.scroll_into_view_if_needed()
        assert is_drawn(canvas)
        page.get_by_text("表で見る").click()
        assert page.locator("[data-chart] tbody tr").count() >= 6

    @pytest.mark.parametrize("dimension", OPEN_DIMENSIONS)
    def test_segments_add_up_to_the_company(self, page: Page, dimension: str) -> None:
        open_missed_kpi(page)
        total = first_number(page.locator(".versus"))
        show_segments(page, dimension)
        wholes = page.locator("#segment-table tbody tr:not(.part) td.main .num").all_inner_texts()
        assert len(wholes) > 1
        assert sum(float(text.replace(",", "")) for text in wholes) == pytest.approx(total, abs=0.011 * len(wholes))

    def test_people_are_those_of_the_managers_own_team(self, page: Page) -> None:
        open_missed_kpi(page)
        show_segments(page, "チーム")
        teams = page.locator("#segment-table tbody th").all_inner_texts()
        own = first_number(page.locator("#segment-table tbody td.main"))
        show_segments(page, "担当者")
        people = page.locator("#segment-table tbody td.main .num").all_inner_texts()
        assert teams == ["首都圏営業課"]
        assert sum(float(text.replace(",", "")) for text in people) == pytest.approx(own, abs=0.02 * len(people))

    def test_the_deals_behind_a_segment_are_as_many_as_it_says(self, page: Page) -> None:
        open_missed_kpi(page)
        show_segments(page, "チーム")
        row = page.locator("#segment-table tbody tr").first
        team, count = row.locator("th").inner_text(), first_number(row.locator("td.main"))
        row.get_by_role("link", name="内訳を見る").click()
        records = page.locator("#record-table")
        expect(records.locator(".tag-accent")).to_have_text(team)
        parts = [float(text.rstrip("%")) / 100 for text in records.locator("th .num").all_inner_texts()]
        assert records.locator("tbody tr").count() - len(parts) + sum(parts) == pytest.approx(count, abs=0.02)


def first_number(place: Locator) -> float:
    return float(place.locator(".num").first.inner_text().replace(",", ""))


def show_segments(page: Page, dimension: str) -> None:
    tabs = page.get_by_role("navigation", name="セグメント")
    tabs.get_by_role("link", name=dimension, exact=True).click()
    expect(tabs.locator("[aria-current=true]")).to_have_text(dimension)
    expect(page.locator("#segment-table tbody td.main").first).to_be_visible()


class TestImprovement:
    def test_an_action_is_logged_in_one_form_and_put_on_the_agenda(self, page: Page) -> None:
        words = f"失注した商談の聞き取りを翌日までに行う {uuid.uuid4().hex[:6]}"
        open_missed_kpi(page)
        page.get_by_role("link", name="改善アクションを記録する").click()
        sheet = page.locator("#sheet-body")
        sheet.get_by_label("原因").fill("価格以外の理由を聞けていなかった")
        sheet.locator("[name=action]").fill(words)
        assert sheet.locator("[name=due_on]").input_value()
        sheet.locator("[name=effect_amount]").fill("2")
        sheet.locator("[name=action]").press("Control+Enter")
        expect(page.get_by_text("改善アクションを保存しました").first).to_be_visible()

        page.goto("/actions/")
        row = page.locator("tbody tr", has_text=words)
        expect(row).to_contain_text("受注件数")
        expect(row).to_contain_text("三橋 直人")
        open_next_meeting(page)
        expect(page.locator(".agenda")).to_contain_text(words)

    def test_an_incomplete_form_keeps_what_was_typed(self, page: Page, visitors: Visitors) -> None:
        visitors.expected.add(422)
        open_missed_kpi(page)
        page.get_by_role("link", name="改善アクションを記録する").click()
        sheet = page.locator("#sheet-body")
        sheet.locator("[name=cause]").fill("原因だけ書いた")
        sheet.get_by_role("button", name="保存").click()
        expect(sheet.locator(".errorlist, .error").first).to_be_visible()
        expect(sheet.locator("[name=cause]")).to_have_value("原因だけ書いた")


def open_next_meeting(page: Page) -> None:
    page.goto("/meetings/")
    page.locator("section[aria-labelledby=coming] li", has_text="予定").locator("a").first.click()
    page.locator("h1").wait_for()


def current_item(page: Page) -> str:
    return page.locator(".agenda [aria-current] a").inner_text()


class TestMeeting:
    def test_is_held_from_opening_to_what_is_carried_over(self, page: Page) -> None:
        open_next_meeting(page)
        titles = page.locator(".agenda a").all_inner_texts()
        assert len(titles) >= 2
        page.get_by_role("button", name="会議を開始する").click()
        expect(page.locator("h1 .tag")).to_have_text("開催中")
        frozen = page.locator(".figures .figure-value").all_inner_texts()
        assert frozen

        decided = current_item(page)
        page.get_by_label("対応なし（了承）").check()
        page.locator("[name=text]").fill("季節要因と判断し、来月の着地で確認する")
        page.get_by_role("button", name="決定を記録する").click()
        expect(page.locator(".agenda li", has=page.locator(".status-good"))).to_have_count(1)
        assert current_item(page) != decided

        page.wait_for_load_state()  # nobody types before the page listens
        page.locator("#minutes").press_sequentially("次回までに失注理由の分類を見直す。")
        expect(page.locator("#minutes-state")).to_contain_text("保存しました")
        page.reload()
        expect(page.locator("#minutes")).to_have_value("次回までに失注理由の分類を見直す。")

        page.get_by_role("button", name="会議を終了する").click()
        expect(page.locator("h1 .tag")).to_have_text("終了")
        assert page.locator(".figures .figure-value").all_inner_texts() == frozen
        expect(page.get_by_text("次回までに失注理由の分類を見直す。")).to_be_visible()

        open_next_meeting(page)
        carried = (
            page.locator(".agenda li", has=page.locator(".tag", has_text="持ち越し")).locator("a").all_inner_texts()
        )
        assert len(carried) == len(titles) - 1
