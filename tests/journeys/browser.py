"""A real browser that notices what a user would not report: errors in its console, refused scripts, failed requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.journeys.demo import Demo

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE = 20_000  # milliseconds
LEFT_BEFORE_IT_CAME = "net::ERR_ABORTED"


class BrowserMissingError(RuntimeError):
    """There is no Chromium to drive."""


@contextmanager
def launched() -> Iterator[Browser]:
    executable = os.environ.get("MAWARU_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        raise BrowserMissingError("There is no chromium on PATH: install one, or name it in MAWARU_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


# Answers are looked at themselves; a request that gave way to a newer one is no fault, one that failed says sendError.
TOLD_ELSEWHERE = (
    "Failed to load resource: the server responded",
    "htmx:afterRequest",
    "htmx:sendAbort",
)


@dataclass
class Visitors:
    """People in front of their browsers, each in a context of their own, and what went wrong on their pages.

    `expected` are the answers ≥ 400 which the test asks for, by status.
    """

    browser: Browser
    demo: Demo
    faults: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def arrive(
        self,
        slug: str,
        username: str | None = None,
        *,
        viewport: dict[str, int] = DESKTOP,
        locale: str = "ja-JP",
        color_scheme: str = "light",
    ) -> Page:
        """A new browser on the first page of a company, signed in where a username is given."""
        is_phone = viewport["width"] < 600
        context = self.browser.new_context(
            viewport=viewport,
            locale=locale,
            color_scheme=color_scheme,
            timezone_id="Asia/Tokyo",
            has_touch=is_phone,
            is_mobile=is_phone,
            base_url=self.demo.addresses.get(slug) or self.demo.addresses["console"].replace("console", slug),
        )
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        self._watch(context)
        page = context.new_page()
        page.goto("/")
        if username is not None:
            page.locator("input[name=username]").fill(username)
            page.locator("input[name=password]").fill(self.demo.password)
            page.locator("input[name=password]").press("Enter")
            page.wait_for_url("**/")
        return page

    def leave(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def _watch(self, context: BrowserContext) -> None:
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("requestfailed", self._note_failure)
        context.on("response", self._note_response)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(TOLD_ELSEWHERE):
            self.faults.append(f"console: {message.text} ({message.location.get('url')})")

    def _note_failure(self, request: Request) -> None:
        if request.failure != LEFT_BEFORE_IT_CAME:
            self.faults.append(f"request: {request.failure} {request.url}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"answer: {response.status} {response.request.method} {response.url}")
