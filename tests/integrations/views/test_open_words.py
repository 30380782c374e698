"""Words of a source in fields without a closed list: stages, people, products, members; unsaid words are counted."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from integrations.models import Connection, FieldMapping, RejectedRecord, SyncRun
from kpis.models import Deal, Lead, LeadStageEvent, Person
from kpis.services.facts import upsert_facts
from tests.integrations.conftest import NOW
from tests.integrations.views.test_kinds_of_file import csv_of, save, sent, set_up, upload

LEADS = {
    "column.external_id": "番号",
    "column.created_on": "日付",
    "column.owner": "担当",
    "column.lead_source": "経路",
}
STAGES = {"column.external_id": "履歴", "column.lead": "番号", "column.stage": "状態", "column.entered_at": "日時"}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def upsert(resource: str, source: str, **record: str) -> None:
    upsert_facts(resource=resource, source=source, records=[record], now=NOW)


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def shown(client: Any, headings: list[str], rows: list[list[str]]) -> Connection:
    """A connection that was shown a file like this."""
    set_up(client, sent("sample.csv", csv_of(rows, headings)))
    return Connection.objects.get(name="SATORI")


def editor(connection: Connection, resource: str) -> str:
    return f"{reverse('stream_mapping', args=[connection.public_id])}?reads=sample.csv&resource={resource}"


def said(field: str, unlisted: str | None = None, **words: str) -> dict[str, Any]:
    more = {} if unlisted is None else {f"unlisted.{field}": unlisted}
    return {f"word.{field}": list(words), f"meaning.{field}": list(words.values()), **more}


def offered(page: str, field: str) -> list[str]:
    return re.findall(rf'name="word.{field}" value="([^"]+)"', page)


def bring(client: Any, connection: Connection, drain: Any, headings: list[str], rows: list[list[str]]) -> SyncRun:
    previewed = upload(client, connection, sent("x.csv", csv_of(rows, headings)))
    client.post(previewed.redirect_chain[-1][0])
    drain()
    return SyncRun.objects.first()


class TestStages:
    HEADINGS = ["履歴", "番号", "状態", "日時"]
    ROWS = [
        ["H1", "L1", "マーケ認定", "2026-10-01"],
        ["H2", "L1", "営業受諾", "2026-10-05"],
        ["H3", "L1", "謎", "2026-10-06"],
    ]

    def test_a_word_of_the_source_dates_the_mql_and_an_unsaid_one_is_counted(self, owner, in_acme, drain_outbox):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        upsert("leads", "satori", external_id="L1", created_on="2026-09-01")
        tried = page_of(owner.post(editor(connection, "lead-stage-events"), {**STAGES, "preview": "1"}))
        assert offered(tried, "stage") == ["マーケ認定", "営業受諾", "謎"]
        for code in ("mql", "sql", "returned", "disqualified"):
            assert f'<option value="{code}"' in tried
        meant = said("stage", マーケ認定="mql", 営業受諾="sql", 謎="")
        previewed = page_of(owner.post(editor(connection, "lead-stage-events"), {**STAGES, **meant, "preview": "1"}))
        assert "謎" in previewed.split('id="preview"')[1]
        save(owner, connection, {**STAGES, **meant}, reads="sample.csv", resource="lead-stage-events")
        run = bring(owner, connection, drain_outbox, self.HEADINGS, self.ROWS)
        stages = LeadStageEvent.objects.order_by("entered_at").values_list("stage", flat=True)
        assert list(stages) == ["mql", "sql", "謎"]
        assert run.report["streams"][0]["unmapped"] == [{"field": "stage", "value": "謎", "count": 1}]
        assert "謎" in offered(page_of(owner.get(editor(connection, "lead-stage-events"))), "stage")

    @pytest.mark.parametrize(("unlisted", "stored", "rejected"), [("keep", 3, 0), ("reject", 2, 1)])
    def test_what_becomes_of_unsaid_words_is_chosen(self, owner, in_acme, drain_outbox, unlisted, stored, rejected):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        meant = said("stage", unlisted, マーケ認定="mql", 営業受諾="sql")
        save(owner, connection, {**STAGES, **meant}, reads="sample.csv", resource="lead-stage-events")
        run = bring(owner, connection, drain_outbox, self.HEADINGS, self.ROWS)
        assert (run.inserted_count, RejectedRecord.objects.filter(run=run).count()) == (stored, rejected)
        assert len(run.report["streams"][0]["unmapped"]) == rejected

    def test_a_stage_of_the_company_may_stay_as_it_is(self, owner, in_acme):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        meant = said("stage", マーケ認定="mql", 営業受諾="=", 謎="-")
        save(owner, connection, {**STAGES, **meant}, reads="sample.csv", resource="lead-stage-events")
        rule = next(each for each in FieldMapping.objects.get().rules if each["field"] == "stage")
        assert rule["values"] == {"マーケ認定": "mql", "営業受諾": "営業受諾", "謎": ""}
        assert rule["unlisted"] == "count"
        page = page_of(owner.get(editor(connection, "lead-stage-events")))
        selects = re.findall(r'<select name="meaning.stage".*?</select>', page, re.S)
        assert [re.search(r'<option value="([^"]*)" selected', each)[1] for each in selects] == ["mql", "=", "-"]


class TestPeople:
    HEADINGS = ["番号", "日付", "担当", "経路"]
    ROWS = [
        ["L1", "2026-10-01", "青木", "展示会"],
        ["L2", "2026-10-02", "P2", "Web"],
        ["L3", "2026-10-03", "井上", "Web"],
    ]

    @pytest.fixture(autouse=True)
    def _people(self, in_acme):
        upsert("people", "crm", external_id="P1", name="青木 太郎")
        upsert("people", "satori", external_id="P2", name="上田 次郎")

    def test_a_name_is_said_to_be_a_person_of_another_source(self, owner, drain_outbox):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        tried = page_of(owner.post(editor(connection, "leads"), {**LEADS, "preview": "1"}))
        assert offered(tried, "owner") == ["青木", "井上"]
        assert '<option value="crm::P1">青木 太郎</option>' in tried
        assert '<option value="P2">上田 次郎</option>' in tried
        meant = said("owner", 青木="crm::P1")
        assert ">P1 (crm)<" in page_of(owner.post(editor(connection, "leads"), {**LEADS, **meant, "preview": "1"}))
        save(owner, connection, {**LEADS, **meant}, reads="sample.csv", resource="leads")
        bring(owner, connection, drain_outbox, self.HEADINGS, self.ROWS)
        owners = {lead.external_id: lead.owner and lead.owner.name for lead in Lead.objects.select_related("owner")}
        assert owners == {"L1": "青木 太郎", "L2": "上田 次郎", "L3": None}

    def test_unsaid_words_can_be_left_empty_and_counted(self, owner, drain_outbox):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        columns = {**LEADS, **said("lead_source", "empty", 展示会="=")}
        save(owner, connection, columns, reads="sample.csv", resource="leads")
        run = bring(owner, connection, drain_outbox, self.HEADINGS, self.ROWS)
        assert dict(Lead.objects.values_list("external_id", "lead_source")) == {"L1": "展示会", "L2": "", "L3": ""}
        assert {"field": "lead_source", "value": "Web", "count": 2} in run.report["streams"][0]["unmapped"]

    def test_nothing_said_keeps_words_as_they_are(self, owner, drain_outbox):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        save(owner, connection, LEADS, reads="sample.csv", resource="leads")
        bring(owner, connection, drain_outbox, self.HEADINGS, self.ROWS)
        assert set(Lead.objects.values_list("lead_source", flat=True)) == {"展示会", "Web"}
        page = page_of(owner.get(editor(connection, "leads")))
        assert '<option value="展示会">展示会</option>' in page

    def test_of_any_number_of_words_the_most_frequent_are_offered_and_the_others_keep_their_meaning(self, owner):
        rows = [[f"L{n}", "2026-10-01", f"人{n % 130}", "Web"] for n in range(260)] + [
            ["L999", "2026-10-01", "人7", "Web"]
        ]
        connection = shown(owner, self.HEADINGS, rows)
        save(
            owner,
            connection,
            {**LEADS, **said("owner", 人129="crm::P1", 人3="crm::P1")},
            reads="sample.csv",
            resource="leads",
        )
        page = page_of(owner.get(editor(connection, "leads")))
        words = offered(page, "owner")
        assert (words[0], len(words)) == ("人7", 102)
        save(owner, connection, {**LEADS, **said("owner", 人7="P2")}, reads="sample.csv", resource="leads")
        rules = FieldMapping.objects.get(is_current=True).rules
        rule = next(each for each in rules if each["field"] == "owner")
        assert rule["values"] == {"人129": "crm::P1", "人3": "crm::P1", "人7": "P2"}

    def test_a_meaning_that_is_not_offered_is_not_taken(self, owner):
        connection = shown(owner, self.HEADINGS, self.ROWS)
        columns = {**LEADS, **said("owner", 青木="crm::P9")}
        save(owner, connection, columns, reads="sample.csv", resource="leads")
        rule = next(each for each in FieldMapping.objects.get().rules if each["field"] == "owner")
        assert not rule.get("values")
        assert Person.objects.count() == 2


class TestProducts:
    def test_the_words_of_products_mean_ours(self, owner, in_acme, drain_outbox):
        headings = ["商談", "日付", "商品"]
        rows = [["D1", "2026-10-01", "クラウド版プラス"], ["D2", "2026-10-01", "A1"]]
        upsert("products", "crm", external_id="A1", name="クラウド")
        connection = shown(owner, headings, rows)
        columns = {"column.external_id": "商談", "column.created_on": "日付", "column.product": "商品"}
        columns |= said("product", クラウド版プラス="crm::A1", A1="crm::A1")
        save(owner, connection, columns, reads="sample.csv", resource="deals")
        bring(owner, connection, drain_outbox, headings, rows)
        assert {deal.product.name for deal in Deal.objects.select_related("product")} == {"クラウド"}
