"""Somebody has a page open while a deal is won in the CRM: the page follows, and leaves its reader in peace."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from config.demo.selling import change_a_deal
from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo
from tests.journeys.open_pages import OPEN, TODAY

pytestmark = pytest.mark.journey

FOLLOWS_WITHIN = 60_000  # milliseconds, of which a few are needed
ASKS = "/values-version/"
SAID = "このページの数字が更新されました。"


def win_a_deal(demo: Demo) -> None:
    """In the CRM, which calls the public address of the connection."""
    assert change_a_deal(demo.directory, today=TODAY).call == 204


@pytest.fixture
def page(visitors: Visitors) -> Page:
    return visitors.arrive("sakura", "manager")


class TestNumber:
    @pytest.mark.parametrize("name", OPEN)
    def test_changes_while_one_looks_at_it(self, page: Page, demo: Demo, name: str) -> None:
        number = OPEN[name](page)
        before = number.inner_text()
        page.evaluate("window.isStill = true")
        page.evaluate("""() => new MutationObserver(() => { window.isMarked = true; })
            .observe(document.body, {subtree: true, attributeFilter: ['data-changed']})""")
        win_a_deal(demo)
        expect(number).not_to_have_text(before, use_inner_text=True, timeout=FOLLOWS_WITHIN)
        assert page.evaluate("window.isStill"), "the page was loaded anew"
        assert page.evaluate("window.isMarked"), "nothing was marked as changed"
        expect(page.locator("[data-refresh]")).to_have_text(SAID)
        expect(page.locator("[data-changed]")).to_have_count(0)  # a mark goes by itself

    def test_is_tinted_without_motion_where_somebody_wants_none(self, page: Page, demo: Demo) -> None:
        page.emulate_media(reduced_motion="reduce")
        OPEN["Today"](page)
        win_a_deal(demo)
        style = page.wait_for_function(
            """() => { const found = document.querySelector('[data-changed]'); if (!found) return null;
            const style = getComputedStyle(found); return [style.animationName, style.backgroundColor]; }""",
            timeout=FOLLOWS_WITHIN,
        ).json_value()
        assert style[0] == "none"
        assert style[1] != "rgba(0, 0, 0, 0)"


class TestReader:
    def test_keeps_place_focus_order_and_what_is_open(self, page: Page, demo: Demo) -> None:
        number = OPEN["Today"](page)
        before = number.inner_text()
        page.locator(".page details summary").first.click()
        members = page.locator("section[aria-labelledby=members]")
        members.locator("th .sort").first.click()
        names = members.locator("tbody th").all_inner_texts()
        link = members.locator("tbody th a").last
        link.focus()
        page.evaluate("window.scrollTo(0, 300)")
        place = page.evaluate("window.scrollY")
        win_a_deal(demo)
        expect(number).not_to_have_text(before, use_inner_text=True, timeout=FOLLOWS_WITHIN)
        assert page.locator(".page details").first.evaluate("details => details.open")
        assert members.locator("tbody th").all_inner_texts() == names
        expect(members.locator("th[aria-sort=descending]")).to_have_count(1)
        expect(link).to_be_focused()
        assert page.evaluate("window.scrollY") == place

    def test_keeps_what_is_half_typed(self, visitors: Visitors, demo: Demo) -> None:
        page = visitors.arrive("sakura", "owner")
        number = OPEN["Deal forecast table"](page)
        before = number.inner_text()
        value, note = page.locator("form.call-form [name=value]"), page.locator("form.call-form [name=note]")
        value.fill("12345")
        note.press_sequentially("先方の決裁")
        win_a_deal(demo)
        expect(number).not_to_have_text(before, use_inner_text=True, timeout=FOLLOWS_WITHIN)
        expect(value).to_have_value("12345")
        expect(note).to_have_value("先方の決裁")
        expect(note).to_be_focused()

    def test_keeps_the_records_that_were_chosen(self, page: Page, demo: Demo) -> None:
        """They came into the page by themselves, from an address of their own: there they are looked for again."""
        OPEN["KPI"](page)
        page.locator("#segment-table tbody a[hx-target='#record-table']").first.click()
        chosen = page.locator("#records-head .tag-accent")
        member = chosen.inner_text()
        number = page.locator(".versus .big").first
        before = number.inner_text()
        win_a_deal(demo)
        expect(number).not_to_have_text(before, use_inner_text=True, timeout=FOLLOWS_WITHIN)
        expect(chosen).to_have_text(member)


class TestAsking:
    def test_rests_while_nobody_looks(self, page: Page) -> None:
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request) if request.url.endswith(ASKS) else None)
        page.evaluate("""() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange')); }""")
        page.wait_for_timeout(500)
        asked.clear()
        page.wait_for_timeout(5_000)
        assert asked == []
        with page.expect_request(f"**{ASKS}"):
            page.evaluate("""() => { Object.defineProperty(document, 'hidden', {value: false});
                document.dispatchEvent(new Event('visibilitychange')); }""")

    def test_ends_with_a_word_where_one_is_signed_out(self, page: Page, visitors: Visitors) -> None:
        visitors.expected.add(401)
        with page.expect_response(lambda answer: answer.url.endswith(ASKS) and answer.status == 401):
            page.context.clear_cookies()
        expect(page.locator("main > .strip-warn")).to_contain_text("ログアウトしたため")
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request) if request.url.endswith(ASKS) else None)
        page.wait_for_timeout(5_000)
        assert asked == []
