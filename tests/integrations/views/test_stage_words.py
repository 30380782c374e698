"""Stages of HubSpot in the mapping editor: offered by name, with what the account itself says that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import stamina
from django.urls import reverse

from integrations.models import Connection, FieldMapping
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.server import served
from tests.integrations.sources import connect

DEALS = {
    "column.external_id": "id",
    "column.created_on": "createdate",
    "column.outcome": "dealstage",
    "column.phase": "dealstage",
}


@pytest.fixture
def fake() -> Iterator[HubSpotFake]:
    made = HubSpotFake("deals")
    made.stages = [("101", "提案", "0.2", "false"), ("102", "受注", "1.0", "true"), ("103", "休眠", "0.5", "true")]
    made.further_pipelines = {("p2", "更新"): [("201", "受注", "1.0", "true")]}
    with served(made), stamina.set_testing(True, attempts=2, cap=True):
        made.world.put("1", dealname="導入", dealstage="102")
        yield made


@pytest.fixture
def connection(in_acme: Any, fake: HubSpotFake) -> Connection:
    return connect(fake, name="HubSpot", kind="hubspot", source="hs", description=fake.description())


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def editor(connection: Connection) -> str:
    return f"{reverse('stream_mapping', args=[connection.public_id])}?reads=deals&resource=deals"


def offered(answer: Any, field: str) -> dict[str, tuple[str, str]]:
    """By word of the source how it is called, and what is chosen for it."""
    page = unescape(answer.content.decode())
    found = {}
    for row in re.findall(r"<li><span class=\"grow\">.*?</li>", page, re.S):
        word = re.search(rf'name="word\.{field}" value="([^"]+)"', row)
        if word:
            chosen = re.search(r'<option value="([^"]*)" selected', row)
            called = re.search(r'<span class="grow">(.*?) <span', row)
            found[word[1]] = (called[1] if called else "", chosen[1] if chosen else "")
    return found


class TestWords:
    def test_every_stage_is_offered_by_its_name_with_what_it_means_at_the_source(self, owner, connection):
        tried = owner.post(editor(connection), {**DEALS, "preview": "1"})
        assert offered(tried, "outcome") == {
            "101": ("提案", "open"),
            "102": ("受注 (新規)", "won"),
            "103": ("休眠", ""),
            "201": ("受注 (更新)", "won"),
        }

    def test_what_a_person_says_instead_is_kept(self, owner, connection):
        said = {"102": "won", "101": "open", "103": "no_decision", "201": ""}
        words = {"word.outcome": list(said), "meaning.outcome": list(said.values())}
        owner.post(editor(connection), {**DEALS, **words, "save": "1"})
        (rule,) = [each for each in FieldMapping.objects.get().rules if each["field"] == "outcome"]
        assert rule["values"] == {"102": "won", "101": "open", "103": "no_decision"}
