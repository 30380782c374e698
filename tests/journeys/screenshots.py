"""`make screenshots`: the five pages that show the product, in both languages, widths and colours, from the demo."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Page

from tests.journeys.browser import DESKTOP, PHONE, Visitors, launched
from tests.journeys.demo import PROJECT, Demo, fresh_demo, kept_demo

FOLDER = PROJECT / "docs" / "screenshots"
LOCALES = {"ja": "ja-JP", "en": "en-US"}
LONGEST = 1800  # pixels: what lies further down says nothing new
COMPANY = "sakura"
SHOWN_KPI = "受注率"  # a ratio that is missed in most months


def show_today(page: Page) -> None:
    page.locator(".lead").wait_for()


def show_tree(page: Page) -> None:
    page.goto("/kpis/")
    page.locator(".tree").wait_for()


def show_detail(page: Page) -> None:
    page.goto("/kpis/")
    page.locator("a.node", has_text=SHOWN_KPI).first.click()
    page.locator("[data-chart] canvas").wait_for()
    page.locator("#record-table .faint").first.wait_for()  # a period that has just begun may have no record


def show_meeting(page: Page) -> None:
    page.goto("/meetings/")
    page.locator("section[aria-labelledby=coming] a").first.click()
    page.locator(".agenda").wait_for()


def show_console(page: Page) -> None:
    page.locator("#clients").wait_for()


PAGES: dict[str, tuple[str, str, Callable[[Page], None]]] = {
    "today": (COMPANY, "manager", show_today),
    "tree": (COMPANY, "manager", show_tree),
    "kpi-detail": (COMPANY, "manager", show_detail),
    "meeting": (COMPANY, "manager", show_meeting),
    "console": ("console", "consultant", show_console),
}


def take(visitors: Visitors, folder: Path) -> None:
    """Write every screenshot to the folder. Raises AssertionError when a page reports an error."""
    folder.mkdir(parents=True, exist_ok=True)
    for (name, (slug, username, show)), language, viewport, scheme in product(
        PAGES.items(), LOCALES, (DESKTOP, PHONE), ("light", "dark")
    ):
        page = visitors.arrive(slug, username, viewport=viewport, locale=LOCALES[language], color_scheme=scheme)
        show(page)
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(400)  # charts draw themselves in
        height = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
        page.screenshot(
            path=folder / f"{name}-{language}-{viewport['width']}-{scheme}.png",
            clip={"x": 0, "y": 0, "width": viewport["width"], "height": max(height, viewport["height"])},
            full_page=True,
            animations="disabled",
        )
        visitors.leave()
    assert visitors.faults == [], visitors.faults


@contextmanager
def any_demo() -> Iterator[Demo]:
    found = kept_demo()
    if found is not None:
        yield found
        return
    sys.stdout.write("Starting the demo …\n")
    with tempfile.TemporaryDirectory(prefix="mawaru-") as directory, fresh_demo(Path(directory)) as started:
        yield started


def main() -> None:
    with any_demo() as demo, launched() as browser:
        take(Visitors(browser, demo), FOLDER)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    sys.stdout.write(f"{len(list(FOLDER.glob('*.png')))} screenshots, {size / 1e6:.1f} MB, in {FOLDER}\n")


if __name__ == "__main__":
    main()
