"""Targets that people agree to: proposed by a manager, returned and answered, approved, confirmed by whose they are."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import PHONE, Visitors

pytestmark = pytest.mark.journey

MEMBER = "長谷部 美咲"
COMMENT = "更新の時期が決まってから、数字を見直してください"


def propose(page: Page, amount: int, reason: str) -> None:
    """Type a target of the member for the last month of the year into the grid, and send it with its reason."""
    row = page.locator("#target-grid tbody tr").filter(has_text=MEMBER)
    row.locator("td[data-start]:not([aria-readonly])").last.click()
    page.keyboard.type(str(amount))
    page.keyboard.press("Enter")
    page.locator(".grid-reason").fill(reason)
    with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        page.locator("[data-save]").click()
    assert sent.value.ok, sent.value.text()
    expect(page.locator("td[data-next]")).to_have_count(0)


def open_request(page: Page, text: str) -> None:
    """The request of the list that says this."""
    page.goto("/targets/requests/")
    page.locator("li").filter(has_text=text).locator("a.grow").first.click()
    expect(page.locator("#differences")).to_be_visible()


def confirm(page: Page) -> None:
    """Say that the own targets have been seen."""
    page.goto("/targets/own/")
    button = page.get_by_role("button", name="確認")
    button.click()
    expect(button).to_have_count(0)
    expect(page.locator("tr.is-unconfirmed")).to_have_count(0)


def test_a_target_is_proposed_returned_answered_approved_and_confirmed(visitors: Visitors) -> None:
    owner, manager = visitors.arrive("sakura", "owner"), visitors.arrive("sakura", "manager")
    member = visitors.arrive("sakura", "member", viewport=PHONE)
    amount = 2_000_000 + owner.evaluate("Date.now() % 900000")  # another one at each run
    reason, answer = f"{amount}円に引き上げ", f"{amount}円のまま、時期を確認済み"

    manager.goto("/targets/?by=person&kpi=bookings")
    propose(manager, amount, reason)
    member.goto("/targets/own/")
    expect(member.locator("tbody").first).not_to_contain_text(f"{amount:,}")  # nothing holds before it is approved
    if member.get_by_role("button", name="確認").count():
        confirm(member)

    open_request(owner, reason)
    visitors.expected.add(422)
    owner.locator("[name=verdict][value=return]").click()  # without a comment nothing is returned
    expect(owner.locator("[role=alert]")).to_be_visible()
    owner.locator("[name=comment]").fill(COMMENT)
    owner.locator("[name=verdict][value=return]").click()
    owner.wait_for_url("**/targets/requests/")

    open_request(manager, reason)
    expect(manager.get_by_text(COMMENT)).to_be_visible()
    manager.locator("a.button-primary").click()
    expect(manager.locator("#target-grid td[data-next]")).to_have_count(1)
    propose(manager, amount + 1, answer)

    open_request(owner, answer)
    owner.locator("[name=verdict][value=approve]").click()
    owner.wait_for_url("**/targets/requests/")

    member.goto("/targets/own/")
    changed = member.locator("tr.is-unconfirmed")
    expect(changed).to_have_count(1)
    expect(changed).to_contain_text(f"{amount + 1:,}")
    expect(changed.locator(".own-before")).to_be_visible()
    confirm(member)
