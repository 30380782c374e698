"""Whoever sets targets: fills in the grid like a spreadsheet, pastes from Excel, sees faults in words, saves once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import Visitors

pytestmark = pytest.mark.journey

PASTE = """(text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
  document.activeElement.dispatchEvent(paste);
}"""


@pytest.fixture
def page(visitors: Visitors) -> Page:
    """The stretch targets by person, which nothing else reads."""
    page = visitors.arrive("sakura", "owner")
    page.goto("/targets/?by=person&kpi=bookings&line=stretch")
    expect(page.locator("#target-grid")).to_be_visible()
    return page


def cell(page: Page, row: int, column: int) -> Locator:
    """A cell by its row and its place among the periods that are not closed."""
    return page.locator("tbody tr").nth(row).locator("td[data-start]:not([aria-readonly])").nth(column)


def now(page: Page, row: int, column: int) -> Locator:
    return cell(page, row, column).locator(".now")


def paste(page: Page, at: Locator, text: str) -> None:
    at.click()
    page.evaluate(PASTE, text)


def state(page: Page) -> Locator:
    return page.locator(".grid-state")


class TestKeys:
    def test_typing_moves_on_and_escape_takes_back(self, page: Page) -> None:
        cell(page, 0, 0).click()
        page.keyboard.type("１２０")
        page.keyboard.press("Enter")
        expect(now(page, 0, 0)).to_have_text("120")
        page.keyboard.type("7")
        page.keyboard.press("Tab")
        expect(now(page, 1, 0)).to_have_text("7")
        page.keyboard.type("9")
        page.keyboard.press("Escape")
        expect(now(page, 1, 1)).to_have_text("")
        expect(state(page)).to_contain_text("2")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("F2")
        expect(page.locator(".grid-field")).to_have_value("7")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+z")
        expect(now(page, 1, 0)).to_have_text("")

    def test_the_sum_and_what_is_not_allocated_follow(self, page: Page) -> None:
        cell(page, 0, 0).click()
        page.keyboard.type("1000000")
        page.keyboard.press("Enter")
        page.keyboard.type("500,000")
        page.keyboard.press("Enter")
        column = cell(page, 0, 0).evaluate("cell => cell.cellIndex")
        expect(page.locator("[data-check=parts] > *").nth(column)).to_have_text("1,500,000")


class TestPaste:
    def test_takes_a_block_as_excel_copies_it(self, page: Page) -> None:
        paste(page, cell(page, 0, 0), "１，２００\t△5\n1,500千円\t2.5百万円\r\n")
        shown = [now(page, row, column).inner_text() for row in (0, 1) for column in (0, 1)]
        assert shown == ["1,200", "△5", "1,500,000", "2,500,000"]

    def test_what_is_no_number_is_named_and_keeps_all_from_being_saved(self, page: Page) -> None:
        paste(page, cell(page, 0, 0), "1200\tたくさん\t12%")
        expect(page.locator(".grid-faults li")).to_have_count(2)
        expect(page.locator(".grid-faults")).to_contain_text("たくさん")
        expect(page.locator("[data-save]")).to_be_disabled()
        expect(now(page, 0, 0)).to_have_text("1,200")

    def test_a_rate_needs_its_sign_where_it_could_be_a_fraction(self, page: Page) -> None:
        page.goto("/targets/?by=person&kpi=win_rate&line=stretch")
        paste(page, cell(page, 0, 0), "25%\t30\t0.25")
        assert [now(page, 0, column).inner_text() for column in (0, 1)] == ["25.0", "30.0"]
        expect(page.locator(".grid-faults li")).to_have_count(1)


class TestLeaver:
    def test_what_is_handed_over_is_not_handed_over_again(self, page: Page) -> None:
        rows = page.locator("tbody tr")
        leaver = rows.filter(has=page.locator(".tag")).first
        receiver = page.locator("#fill-receiver option").nth(1)
        taker = page.locator(f"tbody tr[data-member='{receiver.get_attribute('value')}']")
        of_leaver, of_taker = (row.locator("td[data-start]:not([aria-readonly])").nth(2) for row in (leaver, taker))
        paste(page, of_taker, "100")
        paste(page, of_leaver, "1900")
        self.save(page, "計画")

        self.hand_over(page, of_leaver, receiver.get_attribute("value"))
        expect(of_taker.locator(".now")).to_have_text("2,000")
        self.save(page, "退職")
        self.hand_over(page, of_leaver, receiver.get_attribute("value"))
        expect(page.locator(".grid-fill-state")).to_contain_text("変更はありません")
        expect(page.locator("td[data-next]")).to_have_count(0)

    def hand_over(self, page: Page, at: Locator, receiver: str | None) -> None:
        at.click()
        if not page.locator("#fill-method").is_visible():
            page.locator(".disclosure summary").first.click()
        page.locator("#fill-method").select_option("hand_over")
        page.locator("#fill-receiver").select_option(receiver)
        with page.expect_response(re.compile("/proposals/")) as answered:
            page.locator("[data-proposal] button").click()
        assert answered.value.ok

    def save(self, page: Page, reason: str) -> None:
        page.locator(".grid-reason").fill(reason)
        with page.expect_response(re.compile("/targets/bulk/")) as sent:
            page.locator("[data-save]").click()
        assert sent.value.ok
        expect(page.locator("td[data-next]")).to_have_count(0)


class TestRemoving:
    """A target in the wrong row goes: no target is not 0."""

    @pytest.fixture
    def saved(self, page: Page) -> Page:
        paste(page, cell(page, 1, 3), "500\t600")
        page.locator(".grid-reason").fill("初回")
        with page.expect_response(re.compile("/targets/bulk/")) as sent:
            page.locator("[data-save]").click()
        assert sent.value.ok
        return page

    def save(self, page: Page) -> None:
        page.locator(".grid-reason").fill("行の誤り")
        with page.expect_response(re.compile("/targets/bulk/")) as sent:
            page.locator("[data-save]").click()
        assert sent.value.ok
        page.reload()

    def test_delete_empties_a_saved_cell_and_says_so_before_saving(self, saved: Page) -> None:
        cell(saved, 1, 3).click()
        saved.keyboard.press("Delete")
        expect(now(saved, 1, 3)).to_have_text("目標なし")
        expect(state(saved)).to_contain_text("取り消す目標：1件")
        saved.keyboard.press("Control+z")
        expect(now(saved, 1, 3)).to_have_text("500")
        saved.keyboard.press("Delete")
        self.save(saved)
        assert [cell(saved, 1, column).get_attribute("data-value") for column in (3, 4)] == ["", "600"]

    def test_a_blank_cell_pasted_over_it_empties_it_as_in_excel(self, saved: Page) -> None:
        paste(saved, cell(saved, 1, 3), "700\t")
        expect(state(saved)).to_contain_text("空になった目標：1件")
        self.save(saved)
        assert [cell(saved, 1, column).get_attribute("data-value") for column in (3, 4)] == ["700", ""]


class TestSave:
    def test_one_save_keeps_everything(self, page: Page, visitors: Visitors) -> None:
        amount = str(3_000_000 + page.evaluate("Date.now() % 100000"))
        paste(page, cell(page, 0, 1), f"{amount}\t{amount}")
        page.locator(".grid-reason").fill("見直し")
        with page.expect_response(re.compile("/targets/bulk/")) as saved:
            page.locator("[data-save]").click()
        assert saved.value.ok
        expect(page.locator("td[data-next]")).to_have_count(0)
        page.reload()
        assert cell(page, 0, 1).get_attribute("data-value") == amount
        assert cell(page, 0, 2).get_attribute("data-value") == amount

    def test_a_change_asks_for_its_reason_and_loses_nothing(self, page: Page) -> None:
        paste(page, cell(page, 2, 1), "111")
        page.locator(".grid-reason").fill("初回")
        with page.expect_response(re.compile("/targets/bulk/")):
            page.locator("[data-save]").click()
        expect(page.locator("td[data-next]")).to_have_count(0)
        paste(page, cell(page, 2, 1), "222")
        page.locator("[data-save]").click()
        expect(page.locator(".grid-reason")).to_be_focused()
        expect(now(page, 2, 1)).to_have_text("222")

    def test_a_row_is_filled_by_business_days_and_looked_at_first(self, page: Page) -> None:
        cell(page, 3, 0).click()
        page.locator(".disclosure summary").click()
        page.locator("#fill-method").select_option("business_days")
        page.locator("#fill-value").fill("1,000,000")
        page.locator("[data-proposal] button").click()
        expect(page.locator("tbody tr").nth(3).locator("td[data-next]").first).to_be_visible()
        total = (
            page.locator("tbody tr")
            .nth(3)
            .locator("td[data-next]")
            .evaluate_all("cells => cells.reduce((sum, cell) => sum + Number(cell.dataset.next), 0)")
        )
        assert total == 1_000_000
