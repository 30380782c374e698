"""`make bench-live`: how long after an event of its CRM the open pages of the demo show it."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Mapping

from playwright.sync_api import Locator, Page

from config.benchmarks.report import Line, Report, p95
from config.demo.selling import change_a_deal
from tests.journeys.browser import Visitors, launched
from tests.journeys.demo import PROJECT, Demo
from tests.journeys.open_pages import OPEN, TODAY
from tests.journeys.screenshots import any_demo

OUT = PROJECT / "docs" / "benchmarks" / "live.md"
EVENTS = 24
GOAL = 5  # seconds, p95
LATEST = 60_000  # milliseconds
BETWEEN = (2.0, 4.0)  # seconds: an event comes at any moment between two looks of a page
ABOUT = (
    "Written by `make bench-live`: the demo as `make demo` starts it, with its workers and its web server, and five"
    " pages open in Chromium on the same machine. A deal is won in the demo's CRM, which stores it and calls the public"
    " address of its connection with a signed webhook; the deal is fetched, stored and computed by the workers; each"
    " page notices by itself. Time runs from the moment before the deal is sent to the CRM to the moment at which the"
    " number on the page is another one. The first two events warm up and are not counted.",
)
WATCH = """(number) => {
    window.shown = { text: number.textContent, at: null };
    new MutationObserver(() => {
        if (window.shown.at === null && number.textContent !== window.shown.text) window.shown.at = Date.now();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
BEGIN = "(number) => { window.shown = { text: number.textContent, at: null }; }"
LOOK = """async () => {
    const note = document.querySelector("[data-refresh]");
    const headers = { "If-None-Match": `"${note.dataset.version}"` };
    const taken = [];
    for (let look = 0; look < 100; look += 1) {
        const began = performance.now();
        await fetch(note.dataset.refresh, { headers, cache: "no-store" });
        taken.push(performance.now() - began);
    }
    return taken;
}"""
WARM_UP = 2


def measure(visitors: Visitors, demo: Demo, report: Report) -> None:
    """One line for each open page, of the same events."""
    numbers = {name: go(visitors.arrive("sakura", "manager")) for name, go in OPEN.items()}
    for number in numbers.values():
        number.evaluate(WATCH)
    taken: dict[str, list[float]] = {name: [] for name in numbers}
    for event in range(WARM_UP + EVENTS):
        for name, seconds in _event(demo, numbers).items():
            if event >= WARM_UP:
                taken[name].append(seconds)
        time.sleep(random.uniform(*BETWEEN))
    for name, series in taken.items():
        remark = f"p50 {statistics.median(series):.2g} s, longest {max(series):.2g} s, {len(series)} events"
        report.add(Line(f"Event → {name} page that is open, p95", p95(series), "s", GOAL, remark))
    looks = next(iter(numbers.values())).page.evaluate(LOOK)
    report.add(Line("One look of an open page, p95", p95(looks), "ms", None, f"p50 {statistics.median(looks):.2g} ms"))
    assert visitors.faults == [], visitors.faults


def _event(demo: Demo, numbers: Mapping[str, Locator]) -> dict[str, float]:
    """Seconds until each page showed it."""
    for number in numbers.values():
        number.evaluate(BEGIN)
    began = time.time()
    change = change_a_deal(demo.directory, today=TODAY)
    assert change.call == 204, change
    return {name: _shown_at(number.page) / 1000 - began for name, number in numbers.items()}


def _shown_at(page: Page) -> float:
    return float(page.wait_for_function("() => window.shown.at", timeout=LATEST).json_value())


def main() -> None:
    report = Report("How soon open pages show an event", lambda text: print(text, flush=True))  # noqa: T201
    with any_demo() as demo, launched() as browser:
        measure(Visitors(browser, demo), demo, report)
    report.write(OUT, today=TODAY, about=ABOUT)
    if not report.is_met:
        sys.exit("Goals missed: " + ", ".join(line.name for line in report.lines if not line.is_met))


if __name__ == "__main__":
    main()
