"""A consultant's job: build the KPI tree of a new company with the keyboard, be told what is wrong, put it in force."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

METRICS = (
    ("goal", "受注額（手入力）", "amount", "sum", {"kind": "manual"}),
    ("visits", "訪問数", "count", "sum", {"kind": "manual"}),
    ("calls", "架電の件数", "count", "sum", {"kind": "manual"}),
    ("reach", "訪問率", "percent", "rate", {"kind": "manual"}),
    ("mixed", "混ざった数字", "amount", "sum", {"kind": "formula", "expression": "goal + reach"}),
)


@pytest.fixture(scope="module")
def company(demo: Demo, new_company: str) -> str:
    """A new company that has metrics and no tree."""
    made = demo.manage("create_api_key", new_company, "--name", "tree", "--scope", "read", "--scope", "write")
    headers = {"host": f"{new_company}.localhost:{demo.port}", "authorization": f"Api-Key {made.stdout.strip()}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{demo.port}/api/v1/", headers=headers) as api:
        for code, name, unit, accumulation, spec in METRICS:
            body = {"code": code, "name": name, "unit": unit, "accumulation": accumulation, "spec": spec}
            answer = api.post("metrics/", json=body)
            assert answer.status_code == 201, answer.text
    return new_company


@pytest.fixture
def page(visitors: Visitors, company: str) -> Page:
    """The owner in the editor of an empty draft."""
    page = visitors.arrive(company, "owner")
    page.goto("/trees/new/")
    page.locator("[name=name]").fill("来期のツリー")
    page.locator("form.form button").click()
    page.wait_for_url("**/edit/")
    return page


def item(page: Page, code: str) -> Locator:
    return page.locator(f"[role=treeitem][data-code={code}]")


def order(page: Page) -> list[str]:
    return page.locator("[role=treeitem]").evaluate_all("items => items.map((item) => item.dataset.code)")


def begin(page: Page, below: str | None) -> Locator:
    """The form of a new node below another, the KGI's for None."""
    button = page.locator("#editor-tree .empty a") if below is None else item(page, below).locator(".edit-add").first
    button.click()
    expect(page.locator("#editor-side h2")).to_have_text("新しい項目")
    form = page.locator("#node-form")
    expect(form.locator("[name=parent]")).to_have_value(below or "")
    return form


def add(page: Page, *, below: str | None, name: str = "", target: str = "", **chosen: str) -> None:
    """Open the form of a new node, fill it in and send it."""
    send(begin(page, below), name=name, target=target, **chosen)


def send(form: Locator, *, name: str = "", target: str = "", **chosen: str) -> None:
    """Fill in the form and send it."""
    for field, value in chosen.items():
        form.locator(f"[name={field}]").select_option(value)
    if name:
        form.locator("[name=name]").fill(name)
    if target:
        form.locator("[name=target]").fill(target)
        form.locator("[name=responsible]").select_option(index=1)
    form.locator("button.button-primary").click()
    expect(form.page.locator("#editor-side .strip-good")).to_be_visible()


def press(page: Page, code: str, *keys: str) -> None:
    item(page, code).focus()
    for key in keys:
        page.keyboard.press(key)


class TestTreeEditor:
    def test_a_tree_is_built_moved_mended_and_put_in_force(self, page: Page, visitors: Visitors) -> None:
        activate = page.locator("#editor-state button.button-primary")
        expect(activate).to_be_disabled()
        add(page, below=None, metric="goal", target="1000000")
        add(page, below="goal", name="訪問の量")
        factor = order(page)[1]
        add(page, below=factor, metric="visits", target="40")

        # What is wrong is said while it is typed, and nothing is stored.
        form = begin(page, factor)
        form.locator("[name=metric]").select_option("mixed")
        expect(page.locator("#node-check")).to_contain_text(re.compile("mixed.*足"))
        form.locator("[name=metric]").select_option("calls")
        expect(page.locator("#node-check")).not_to_contain_text("mixed")
        send(form, target="300")
        assert order(page) == ["goal", factor, "visits", "calls"]

        # By keyboard: up among the siblings, out to where a KPI may not stand, and in again.
        press(page, "calls", "Alt+ArrowUp")
        expect(page.locator("[role=treeitem]").nth(2)).to_have_attribute("data-code", "calls")
        expect(item(page, "calls")).to_be_focused()
        press(page, "calls", "Alt+ArrowLeft")
        expect(page.locator("#editor-state")).to_contain_text("KGI、KSF、KPIの順")
        expect(activate).to_be_disabled()
        press(page, "calls", "Alt+ArrowRight")
        expect(item(page, "calls")).to_have_attribute("aria-level", "3")
        expect(activate).to_be_enabled()
        visitors.expected.add(422)
        press(page, "goal", "Alt+ArrowUp")
        expect(page.locator("#editor-said")).to_be_visible()

        activate.click()
        expect(page.locator("h1 .tag")).to_have_text("有効")
        page.goto("/kpis/")
        expect(page.locator(".tree")).to_contain_text("訪問数")

    def test_a_node_is_dragged_to_another_place(self, page: Page) -> None:
        add(page, below=None, metric="goal")
        add(page, below="goal", name="訪問の量")
        add(page, below="goal", name="訪問の質")
        first, second = order(page)[1:]
        item(page, second).locator(".edit-item").first.drag_to(
            item(page, first).locator(".edit-item").first, target_position={"x": 200, "y": 3}
        )
        expect(page.locator("[role=treeitem]").nth(1)).to_have_attribute("data-code", second)

    def test_arrow_keys_choose_and_enter_opens(self, page: Page) -> None:
        add(page, below=None, metric="goal")
        add(page, below="goal", name="訪問の量")
        press(page, "goal", "ArrowDown", "Enter")
        expect(page.locator("#node-form [name=name]")).to_have_value("訪問の量")
        press(page, "goal", "ArrowLeft")
        expect(item(page, "goal")).to_have_attribute("aria-expanded", "false")
