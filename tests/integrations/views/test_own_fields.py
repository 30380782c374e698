"""Fields that the company names itself, and the rate of the tax in amounts, in the mapping editor."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping, check_mapping
from integrations.models import Connection, FieldMapping, SyncRun
from kpis.models import Deal
from tests.integrations.views.test_kinds_of_file import csv_of, sent, set_up, upload

HEADINGS = ["商談", "日付", "台数", "開始", "紹介", "区分コード", "備考", "金額"]
ROWS = [
    ["D1", "2026-10-01", "１２００", "2026/11/01", "はい", "007", "急ぎ", "1100"],
    ["D2", "2026-10-02", "30.5", "2026/11/02", "いいえ", "010", "", "2160"],
]
DEALS = {"column.external_id": "商談", "column.created_on": "日付"}
OWN = {"台数": "台数", "start": "開始", "紹介": "紹介", "code": "区分コード", "memo": "備考"}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def connection(owner, in_acme) -> Connection:
    set_up(owner, sent("sample.csv", csv_of(ROWS, HEADINGS)))
    return Connection.objects.get()


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def editor(connection: Connection) -> str:
    return f"{reverse('stream_mapping', args=[connection.public_id])}?reads=sample.csv&resource=deals"


def own(**columns: str) -> dict[str, Any]:
    return {"custom": list(columns), **{f"column.attributes.{code}": column for code, column in columns.items()}}


def bring(client: Any, connection: Connection, drain: Any) -> SyncRun:
    previewed = upload(client, connection, sent("x.csv", csv_of(ROWS, HEADINGS)))
    client.post(previewed.redirect_chain[-1][0])
    drain()
    return SyncRun.objects.first()


class TestOwnFields:
    def test_is_added_by_its_name_and_filled_with_the_type_of_the_sample(self, owner, connection, drain_outbox):
        added = page_of(owner.post(editor(connection), {**DEALS, "custom": ["台数", ""], "preview": "1"}))
        row = re.search(r'<tr data-field="attributes.台数">.*?</tr>', added, re.S)[0]
        assert 'name="column.attributes.台数"' in row
        assert not FieldMapping.objects.exists()
        assert owner.post(editor(connection), {**DEALS, **own(**OWN), "save": "1"}).status_code == 302
        bring(owner, connection, drain_outbox)
        assert Deal.objects.get(external_id="D1").attributes == {
            "台数": 1200,
            "start": "2026-11-01",
            "紹介": True,
            "code": "007",
            "memo": "急ぎ",
        }
        assert Deal.objects.get(external_id="D2").attributes["台数"] == 30.5
        page = page_of(owner.get(editor(connection)))
        assert re.findall(r'name="custom" value="([^"]+)"', page) == list(OWN)

    def test_a_person_may_say_another_type(self, owner, connection):
        sent_in = {**DEALS, **own(台数="台数"), "kind.attributes.台数": "text", "save": "1"}
        owner.post(editor(connection), sent_in)
        rule = next(each for each in FieldMapping.objects.get().rules if each["field"] == "attributes.台数")
        assert "kind" not in rule

    def test_what_is_not_of_its_type_is_refused_with_its_row(self, owner, connection):
        sent_in = {**DEALS, **own(メモ="備考"), "kind.attributes.メモ": "number", "preview": "1"}
        page = page_of(owner.post(editor(connection), sent_in)).split('id="preview"')[1]
        assert "急ぎ" in page

    def test_one_that_comes_from_nowhere_any_more_goes(self, owner, connection):
        owner.post(editor(connection), {**DEALS, **own(memo="備考"), "save": "1"})
        owner.post(editor(connection), {**DEALS, **own(memo=""), "save": "1"})
        current = FieldMapping.objects.get(is_current=True)
        assert [each["field"] for each in current.rules] == ["external_id", "created_on"]

    @pytest.mark.parametrize(
        "faulty", [{"custom": ["bad.name"]}, {"custom": ["x" * 81]}, {"custom": ["fresh"]}, {"custom": ["-"]}]
    )
    def test_refuses_a_name_that_is_none_and_a_field_without_origin(self, owner, connection, faulty):
        answer = owner.post(editor(connection), {**DEALS, **faulty, "save": "1"})
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert not FieldMapping.objects.exists()

    @pytest.mark.parametrize(
        "rule", [FieldRule("name", column="n", kind="number"), FieldRule("attributes.x", kind="y")]
    )
    def test_the_type_is_one_of_a_custom_field(self, rule):
        needed = (FieldRule("external_id", column="id"), FieldRule("created_on", column="d"))
        with pytest.raises(ConnectorError, match="bad_field_type"):
            check_mapping(StreamMapping("deals", "deals", 1, "x", (*needed, rule)))


class TestTaxRate:
    AMOUNT = {**DEALS, "column.amount": "金額"}

    def test_takes_the_rate_off_that_was_said(self, owner, connection, drain_outbox):
        owner.post(editor(connection), {**self.AMOUNT, "tax": "included", "tax_percent": "8", "save": "1"})
        assert FieldMapping.objects.get().tax_rate == Decimal("0.08")
        bring(owner, connection, drain_outbox)
        assert Deal.objects.get(external_id="D2").amount == Decimal(2000)
        page = page_of(owner.get(editor(connection)))
        assert re.search(r'name="tax_percent" value="8"', page)

    def test_without_one_it_is_the_usual_rate(self, owner, connection, drain_outbox):
        owner.post(editor(connection), {**self.AMOUNT, "tax": "included", "tax_percent": "", "save": "1"})
        bring(owner, connection, drain_outbox)
        assert Deal.objects.get(external_id="D1").amount == Decimal(1000)

    @pytest.mark.parametrize("said", [("excluded", "8"), ("", "8"), ("included", "120"), ("included", "eight")])
    def test_refuses_a_rate_without_tax_and_one_that_is_none(self, owner, connection, said):
        answer = owner.post(editor(connection), {**self.AMOUNT, "tax": said[0], "tax_percent": said[1], "save": "1"})
        assert answer.status_code == 422
        assert not FieldMapping.objects.exists()
