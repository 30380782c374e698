"""Pages that somebody has open, and the number on each of them that a won deal moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page

TODAY = datetime.now(ZoneInfo("Asia/Tokyo")).date()


def _today(page: Page) -> Locator:
    """On the first days of a month this page speaks of the month before; then the tree of the running one stands in."""
    page.goto("/")
    if page.locator(".lead p.muted").count():
        return _tree(page)
    return page.locator(".figures-lead .figure-value").first


def _tree(page: Page) -> Locator:
    page.goto(f"/kpis/?start={TODAY}")
    return page.locator(".node-kgi .node-value")


def _kpi(page: Page) -> Locator:
    _tree(page)
    page.locator("a.node-kgi").click()
    page.locator("#record-table .faint").first.wait_for()
    return page.locator(".versus .big").first


def _budget(page: Page) -> Locator:
    page.goto("/budget/")
    return page.locator(".budget tbody").first.locator(".budget-actual")


def _forecast(page: Page) -> Locator:
    page.goto(f"/forecast/?start={TODAY}")
    return page.locator("section[aria-labelledby=foot] table").first


OPEN: Mapping[str, Callable[[Page], Locator]] = {
    "Today": _today,
    "KPI tree": _tree,
    "KPI": _kpi,
    "Budget versus actual": _budget,
    "Deal forecast table": _forecast,
}
"""Page → how somebody goes there; returns where the number stands."""
