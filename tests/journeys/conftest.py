"""One running demo for all journeys, and a browser for each test's people.

While you write a journey, MAWARU_DEMO (see tests.journeys.demo) saves starting the demo anew each time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from config.demo.maven import find_directory
from tests.journeys.browser import Visitors, launched
from tests.journeys.demo import Demo, fresh_demo, kept_demo


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """The demo, ready; company B is part of it where its export is at hand."""
    found = kept_demo()
    if found is not None:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="mawaru-") as directory, fresh_demo(Path(directory)) as started:
        yield started


@pytest.fixture(scope="session")
def crm_export(demo: Demo) -> Path:
    """The directory of the export behind company B, with its reference figures."""
    found = find_directory(asked=None, environment=os.environ)
    if found is None or "maven" not in demo.addresses:
        message = "Company B is not part of the demo: set MAVEN_CRM_DIR to the directory of its export."
        (pytest.fail if os.environ.get("MAWARU_REQUIRE_SHARED") else pytest.skip)(message, pytrace=False)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def visitors(browser: Browser, demo: Demo) -> Iterator[Visitors]:
    """People who use the product; an error in a console, a refused script or a failed request fails the test."""
    people = Visitors(browser, demo)
    yield people
    people.leave()
    assert people.faults == []


@pytest.fixture(scope="session")
def new_company(demo: Demo) -> str:
    """A company without metrics, shared by those who build their own there."""
    return demo.new_company("株式会社アオバ")
