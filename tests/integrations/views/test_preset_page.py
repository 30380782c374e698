"""The step of the wizard that fills the mappings by a preset, and the same over the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import stamina
from django.urls import reverse

from integrations.models import Connection, FieldMapping
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import Reply, served
from tests.integrations.sources import connect

pytestmark = pytest.mark.usefixtures("in_acme")

PRESET = "salesforce_standard"


@pytest.fixture
def org() -> Iterator[SalesforceFake]:
    made = SalesforceFake()
    made.hidden = {"Opportunity.Amount", "Task.CompletedDateTime"}
    with served(made), stamina.set_testing(True, attempts=2, cap=True):
        made.worlds["Opportunity"].now = made.now() - timedelta(days=2)
        deal = {"StageName": "受注", "IsClosed": True, "IsWon": True, "CloseDate": "2026-10-20"}
        made.worlds["Opportunity"].put("0061", Name="案件1", **deal)
        yield made


@pytest.fixture
def connection(org) -> Connection:
    described = org.description("User", "Opportunity", "Task")
    return connect(org, kind="salesforce", source="sf", description=described)


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def address(connection: Connection, preset: str = "") -> str:
    return reverse("source_preset", args=[connection.public_id]) + (f"?preset={preset}" if preset else "")


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


class TestPage:
    def test_is_the_step_behind_the_test_and_may_be_passed_over(self, owner, connection):
        tested = page_of(owner.get(reverse("source_test", args=[connection.public_id])))
        assert address(connection) in tested
        page = page_of(owner.get(address(connection)))
        assert f"?preset={PRESET}" in page
        assert reverse("streams", args=[connection.public_id]) in page
        assert not FieldMapping.objects.exists()

    def test_shows_what_is_filled_what_is_left_out_and_which_words_are_open(self, owner, connection):
        page = page_of(owner.get(address(connection, PRESET)))
        assert "{IsClosed}/{IsWon}" in page
        assert "紹介案件" in page
        for left_out in ("Amount", "CompletedDateTime", "OpportunityHistory"):
            assert left_out in page
        assert 'value="closed_on" checked' in page
        assert 'value="created_on" checked disabled' in page
        assert not FieldMapping.objects.exists()

    def test_takes_what_is_kept_and_no_more(self, owner, connection):
        sent = {"streams": ["deals"], "fields.deals": ["outcome", "phase"], "fields.people": ["employee_code"]}
        answer = owner.post(address(connection, PRESET), sent)
        assert (answer.status_code, answer.url) == (302, reverse("streams", args=[connection.public_id]))
        made = FieldMapping.objects.get()
        assert (made.stream, made.preset) == ("deals", PRESET)
        assert {rule["field"] for rule in made.rules} == {"external_id", "created_on", "outcome", "phase"}

    def test_the_editor_shows_the_words_of_a_template_and_keeps_their_meanings(self, owner, connection):
        owner.post(address(connection, PRESET), {"streams": ["deals"], "fields.deals": ["outcome"]})
        editor = f"{reverse('stream_mapping', args=[connection.public_id])}?reads=Opportunity&resource=deals"
        page = page_of(owner.get(editor))
        assert 'name="word.outcome" value="true/true"' in page
        sent = {
            "column.external_id": "Id",
            "column.created_on": "CreatedDate",
            "template.outcome": "{IsClosed}/{IsWon}",
            "word.outcome": ["true/true", "false/false"],
            "meaning.outcome": ["won", "open"],
        }
        assert owner.post(editor, {**sent, "save": "1"}).status_code == 302
        rules = {rule["field"]: rule for rule in FieldMapping.objects.get(is_current=True).rules}
        assert rules["outcome"]["values"] == {"true/true": "won", "false/false": "open"}

    def test_half_a_template_is_a_fault_and_no_crash(self, owner, connection):
        editor = f"{reverse('stream_mapping', args=[connection.public_id])}?reads=Opportunity&resource=deals"
        sent = {"column.external_id": "Id", "column.created_on": "CreatedDate", "template.outcome": "{IsClosed"}
        answer = owner.post(editor, {**sent, "save": "1"})
        assert answer.status_code == 422
        assert not FieldMapping.objects.exists()

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"streams": ["activities"], "fields.activities": ["kind"]},
            {"streams": ["deals"], "fields.deals": ["amount"]},
            {"streams": ["deals"], "fields.deals": ["\x00"]},
        ],
    )
    def test_refuses_nothing_what_is_not_there_and_what_was_not_proposed(self, owner, connection, sent):
        answer = owner.post(address(connection, PRESET), sent)
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert not FieldMapping.objects.exists()

    def test_a_source_that_is_away_is_said(self, owner, org, connection):
        org.faults = [Reply(503, None)] * 20
        answer = owner.get(address(connection, PRESET))
        assert answer.status_code == 200
        assert "strip-bad" in page_of(answer)

    def test_there_is_none_for_other_kinds(self, owner, connection):
        assert owner.get(address(connection, "hubspot_standard")).status_code == 404
        Connection.objects.update(kind="rest")
        assert owner.get(address(connection)).status_code == 404
        assert address(connection) not in page_of(owner.get(reverse("streams", args=[connection.public_id])))


class TestApi:
    def test_what_it_proposes_can_be_put_in_force_as_it_is(self, api, connection):
        path = f"connections/{connection.public_id}/"
        shown = api.shown(f"{path}proposal/", preset=PRESET)
        usable = [each for each in shown["proposals"] if not each["lacks"]]
        assert [each["mapping"]["resource"] for each in usable] == ["people", "deals"]
        deals = usable[1]
        assert {"field": "amount", "columns": ["Amount"]} in deals["left_out"]
        assert deals["unmapped"] == [{"field": "customer_type", "words": ["紹介案件"]}]
        assert "Task" in {each["mapping"]["reads"] for each in shown["proposals"] if each["lacks"]}
        assert "Lead" in {each["stream"] for each in shown["unproposed"]}
        assert not FieldMapping.objects.exists()
        body = {"mappings": [each["mapping"] for each in usable]}
        sent = api.client.put(f"/api/v1/{path}mappings/", body, content_type="application/json")
        assert sent.status_code == 200, sent.content.decode()
        assert FieldMapping.objects.filter(is_current=True).count() == 2

    @pytest.mark.parametrize("asked", [{"preset": "hubspot_standard"}, {"preset": "x" * 41}, {}])
    def test_refuses_another_preset_and_says_which_there_are(self, api, connection, asked):
        answer = api.get(f"connections/{connection.public_id}/proposal/", **asked)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "preset"
