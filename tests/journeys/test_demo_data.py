"""What real clients have is in company A on purpose, and somebody can see each of it on a page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from config.demo.definitions import RAISE_REASON
from tests.journeys.browser import Visitors

pytestmark = pytest.mark.journey

TWO_ROLES, LEAVER = "鬼頭 祐樹", "相原 大輔"


@pytest.fixture
def page(visitors: Visitors) -> Page:
    return visitors.arrive("sakura", "owner")


def rows_of(page: Page, path: str) -> list[str]:
    """The rows of a list in the administration, each as one text."""
    page.goto(f"/admin/kpis/{path}")
    expect(page.locator("#result_list")).to_be_visible()
    return [" ".join(row.split()) for row in page.locator("#result_list tbody tr").all_inner_texts()]


def open_kpi(page: Page, name: str) -> None:
    page.goto("/kpis/")
    page.locator("a.node", has=page.locator(".node-name", has_text=re.compile(f"{re.escape(name)}$"))).click()
    expect(page.locator("h1")).to_contain_text(name)


def count_of(page: Page, path: str) -> int:
    """How many rows such a list has over all its pages."""
    rows_of(page, path)
    found = re.search(r"結果 ([\d,]+)", page.locator("body").inner_text())
    assert found, "the list does not say how many it found"
    return int(found[1].replace(",", ""))


class TestOrganisation:
    def test_one_person_has_two_roles(self, page: Page) -> None:
        (row,) = rows_of(page, "teammembership/?credited__exact=0")
        assert TWO_ROLES in row

    def test_teams_changed_in_april_and_october(self, page: Page) -> None:
        teams = rows_of(page, "team/")
        changed = " ".join(row for row in teams if re.search(r"2026年(4|10)月1日", row))
        for name in ("首都圏営業1課", "首都圏営業課", "西日本営業課", "関西営業課", "九州営業課"):
            assert name in changed

    def test_a_leaver_holds_open_deals(self, page: Page) -> None:
        deals = rows_of(page, "deal/?fault=leaver")
        assert len(deals) >= 3
        assert all(LEAVER in row for row in deals)

    def test_months_end_on_the_twentieth_of_a_year_from_april(self, page: Page) -> None:
        (rule,) = rows_of(page, "calendarrule/")
        assert re.search(r"\b4\b.*\b20\b", rule)
        page.goto("/kpis/?start=2026-10-25")
        expect(page.locator(".stepper strong")).to_have_text("2026年11月度")


class TestDeals:
    def test_forty_open_ones_are_past_their_date(self, page: Page) -> None:
        assert len(rows_of(page, "deal/?fault=overdue")) == 40

    def test_have_ranks(self, page: Page) -> None:
        ranks = {
            rank
            for row in rows_of(page, "deal/?outcome__exact=open&source=sakura")
            for rank in re.findall(r" ([ABC]) ", row)
        }
        assert ranks == {"A", "B", "C"}

    @pytest.mark.parametrize("origin", ["referral", "partner"])
    def test_some_never_were_leads(self, page: Page, origin: str) -> None:
        path = f"deal/?origin__exact={origin}"
        assert count_of(page, path) == count_of(page, f"{path}&lead__isnull=True") >= 20

    def test_some_are_split_seventy_to_thirty(self, page: Page) -> None:
        credits = rows_of(page, "dealcredit/?kind__exact=revenue")
        shares = re.findall(r"0\.[37]0*", " ".join(credits))
        assert {share.rstrip("0") for share in shares} == {"0.3", "0.7"}
        assert len(shares) == len(credits) >= 20

    def test_inside_sales_has_overlay_credit(self, page: Page) -> None:
        assert count_of(page, "dealcredit/?kind__exact=overlay") >= 100

    def test_one_source_sends_amounts_with_tax(self, page: Page) -> None:
        page.goto("/data/")
        expect(page.get_by_role("link", name="販売管理システム（税込）")).to_be_visible()
        for model in ("order", "revenueline"):
            assert rows_of(page, f"{model}/?tax__exact=included")


class TestNumbers:
    def test_one_kpi_is_still_typed_by_hand(self, page: Page) -> None:
        entries = rows_of(page, "manualentry/")
        assert len(entries) == 12
        assert all("提案レビュー実施率" in row for row in entries)
        open_kpi(page, "提案レビュー実施率")
        expect(page.locator(".definitions")).to_contain_text("手入力")

    def test_one_target_was_raised_in_mid_term(self, page: Page) -> None:
        open_kpi(page, "新規リード獲得数")
        changed = page.locator("section[aria-labelledby=targets] tbody tr", has_text=RAISE_REASON)
        expect(changed).to_have_count(6)
        current, initial = (
            float(changed.first.locator("td.num").nth(place).inner_text().replace(",", "")) for place in (0, 1)
        )
        assert current == int(initial * 1.1)

    def test_a_few_misses_wait_for_an_answer_and_older_ones_are_recorded(self, page: Page) -> None:
        page.goto("/misses/")
        assert 1 <= page.locator("tbody tr").count() <= 10
        open_kpi(page, "受注率（件数）")
        assert (
            page.locator("#panel-misses li, section[id^=panel] li", has_text="未達").count() >= 1
        )  # how many is a matter of the day
