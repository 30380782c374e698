"""Presets for the vendors: from a source that describes itself, through what the preset proposes, to stored facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
import stamina
from django.utils import timezone

from integrations.choices import RunState
from integrations.connectors.catalogue import fields_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping, check_mapping
from integrations.connectors.presets.kintone import LABELS
from integrations.models import Connection, FieldMapping
from integrations.services.connections import ConnectionRequestError, save_mapping
from integrations.services.drift import look_for_drift
from integrations.services.inspection import check_source
from integrations.services.presets import PresetAtSource, propose_preset, take_preset
from kpis.engine.handover import Standing
from kpis.models import (
    Account,
    Activity,
    Deal,
    DealCredit,
    DealStageEvent,
    Lead,
    LeadExclusion,
    LeadStageEvent,
    Period,
    Person,
    Team,
    TeamMembership,
)
from kpis.selectors.handovers import read_handovers
from kpis.selectors.losses import read_losses
from kpis.selectors.postponements import read_postponements
from kpis.services.recompute import recompute
from tests.fakes.hubspot import LIFECYCLE, HubSpotFake, _property, refused
from tests.fakes.kintone import APP, EMPTY_APP, KintoneFake
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import Reply, served
from tests.integrations.sources import connect, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

NOW = timezone.now()
TODAY = date(2026, 11, 24)
SALESFORCE_OBJECTS = (
    *("UserRole", "User", "Account", "Lead", "LeadHistory", "Opportunity", "OpportunityHistory", "OpportunitySplit"),
    *("Task", "Event"),
)
AOKI = "Aoki@acme.example"
TEAMS = [{"id": "T1", "name": "全社", "primary": False}, {"id": "T2", "name": "東日本", "primary": True}]
HUBSPOT_DEALS = ("hs_is_closed", "hs_is_closed_won", "hs_primary_associated_company")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def salesforce() -> Iterator[SalesforceFake]:
    fake = SalesforceFake()
    with served(fake):
        for world in fake.worlds.values():
            world.now = fake.now() - timedelta(days=2)
        fake.worlds["UserRole"].put("00E1", Name="営業部")
        fake.worlds["UserRole"].put("00E2", Name="営業一課", ParentRoleId="00E1")
        fake.worlds["User"].put("005A", Name="青木 一郎", EmployeeNumber="E-7", UserRoleId="00E2", Email=AOKI)
        fake.worlds["Account"].put(
            "001A", Name="さくら商事", OwnerId="005A", Website="https://www.sakura.example/about"
        )
        fake.worlds["Lead"].put(
            "00Q1", Status="Open", OwnerId="005A", Email="Hana@Sakura.example", LeadSource="Web",
            ConvertedAccountId="001A", ConvertedOpportunityId="006W",
        )  # fmt: skip
        deals = {"AccountId": "001A", "OwnerId": "005A", "CloseDate": "2026-10-20", "Amount": 1000.0}
        world = fake.worlds["Opportunity"]
        world.put("006O", StageName="商談", IsClosed=False, IsWon=False, Type="紹介案件", **deals)
        world.put("006W", StageName="受注", IsClosed=True, IsWon=True, Type="New Customer", **deals)
        world.put("006L", StageName="商談", IsClosed=True, IsWon=False, **deals)
        fake.worlds["OpportunitySplitType"].put("149R", IsTotalValidated=True)
        fake.worlds["OpportunitySplitType"].put("149O", IsTotalValidated=False)
        split = {"OpportunityId": "006W", "SplitOwnerId": "005A"}
        fake.worlds["OpportunitySplit"].put("1S1", SplitTypeId="149R", SplitPercentage=100.0, **split)
        fake.worlds["OpportunitySplit"].put("1S2", SplitTypeId="149O", SplitPercentage=12.5, **split)
        history = fake.worlds["LeadHistory"]
        for number, (field, value) in enumerate([("created", None), ("Status", "MQL"), ("Status", "Nurturing")], 1):
            history.put(f"017{number}", LeadId="00Q1", Field=field, NewValue=value)
        fake.worlds["OpportunityHistory"].put("008A", OpportunityId="006W", StageName="受注")
        task = {"OwnerId": "005A", "AccountId": "001A", "WhatId": "006W", "WhoId": "00Q1"}
        fake.worlds["Task"].put("00T1", TaskSubtype="Call", CompletedDateTime="2026-10-02T01:30:00.000+0000", **task)
        fake.worlds["Task"].put("00T2", TaskSubtype="Call", **task)
        fake.worlds["Event"].put("00U1", StartDateTime="2026-10-05T01:00:00.000+0000", **task)
        yield fake


@pytest.fixture
def hubspot() -> Iterator[HubSpotFake]:
    fake = HubSpotFake()
    fake.extra["deals"] = [_property(name, name, "bool") for name in HUBSPOT_DEALS]
    fake.extra["deals"] += [_property("closedate", "Close date", "datetime")]
    fake.extra["contacts"] = [_property("associatedcompanyid", "Company", "number")]
    with served(fake):
        for world in fake.worlds.values():
            world.now = fake.now() - timedelta(days=2)
        fake.owners = [
            {"id": "71", "userId": 1, "email": AOKI, "firstName": "一郎", "lastName": "青木", "teams": TEAMS}
        ]
        fake.worlds["companies"].put("C1", name="さくら商事", domain="sakura.example", hubspot_owner_id="71")
        fake.worlds["contacts"].put(
            "P1", email="Hana@Sakura.example", hubspot_owner_id="71", associatedcompanyid="C1",
            lifecyclestage="salesqualifiedlead",
            hs_v2_date_entered_marketingqualifiedlead="2026-09-30T16:00:00Z",
            hs_v2_date_entered_salesqualifiedlead="2026-10-04T01:00:00Z",
        )  # fmt: skip
        deal = {"dealname": "導入", "hs_primary_associated_company": "C1", "closedate": "2026-10-20T00:00:00Z"}
        deals = fake.worlds["deals"]
        deals.put("D1", dealstage="qualified", hs_is_closed="false", hs_is_closed_won="false", amount="5", **deal)
        deals.tick(minutes=5)
        deals.put("D1", dealstage="won", hs_is_closed="true", hs_is_closed_won="true")
        yield fake


@pytest.fixture
def kintone() -> Iterator[KintoneFake]:
    fake = KintoneFake()
    words = {"受注": "受注", "失注": "失注", "内示": "内示"}
    options = {word: {"label": label, "index": str(at)} for at, (word, label) in enumerate(words.items())}
    fake.fields["f1"] = {"code": "f1", "type": "DROP_DOWN", "label": "結果", "options": options}
    with served(fake):
        fake.world.now = fake.now() - timedelta(days=2)
        fake.world.put("D001", name="新規導入", amount="1200000", 受注予定日="2026-11-30", 確度="確度A", f1="受注")
        yield fake


def salesforce_connection(fake: SalesforceFake, *objects: str) -> Connection:
    return connect(fake, kind="salesforce", source="sf", description=fake.description(*(objects or SALESFORCE_OBJECTS)))


def hubspot_connection(fake: HubSpotFake) -> Connection:
    return connect(fake, kind="hubspot", source="hs", description=fake.description())


def kintone_connection(fake: KintoneFake, *labels: str) -> Connection:
    apps = [{"app": (APP, EMPTY_APP)[at], "name": f"app{at}", "label": label} for at, label in enumerate(labels)]
    return connect(fake, kind="kintone", source="kt", description={**fake.description(), "apps": apps})


def taken(connection: Connection, preset: str) -> PresetAtSource:
    found = propose_preset(connection=connection, preset=preset)
    mappings = [each.mapping for each in found.usable]
    take_preset(connection=connection, preset=preset, mappings=mappings, now=NOW)
    connection.refresh_from_db()
    return found


def columns(mapping: StreamMapping) -> dict[str, str | None]:
    return {rule.field: rule.column for rule in mapping.rules}


def left_out(found: PresetAtSource, stream: str) -> set[str]:
    (proposal,) = [each for each in found.proposals if each.mapping.stream == stream]
    return {each.field for each in proposal.left_out}


class TestSalesforce:
    def test_its_standard_objects_become_facts_that_know_each_other(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        run = sync(connection)
        assert (run.state, run.rejected_count) == (RunState.SUCCEEDED, 0)
        aoki, sakura = Person.objects.get(), Account.objects.get()
        assert (aoki.name, aoki.employee_code) == ("青木 一郎", "E-7")
        assert (sakura.name, sakura.owner, sakura.domain) == ("さくら商事", aoki, "sakura.example")
        lead, won = Lead.objects.get(), Deal.objects.get(external_id="006W")
        assert (lead.account, lead.owner, lead.converted_deal, lead.lead_source) == (sakura, aoki, won, "Web")
        assert (lead.status, lead.email_domain) == ("Open", "sakura.example")
        assert lead.email_hash
        assert "hana" not in str(Lead.objects.values().get()).lower()
        assert timezone.localtime(lead.created_at).date() == lead.created_on
        assert (won.account, won.owner, won.amount, won.phase) == (sakura, aoki, Decimal(1000), "受注")
        assert (won.closed_on, won.customer_type) == (date(2026, 10, 20), "new")
        event = DealStageEvent.objects.get()
        assert (event.deal, event.phase) == (won, "受注")

    def test_a_loss_is_counted_in_the_last_stage_that_was_open(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        history = salesforce.worlds["OpportunityHistory"]
        for number, stage in enumerate(("提案", "最終交渉", "Closed Lost")):
            history.tick(minutes=5)
            history.put(f"008L{number}", OpportunityId="006L", StageName=stage)
        salesforce.worlds["Opportunity"].put("006L", StageName="Closed Lost")
        sync(connection)
        recompute(now=timezone.now())
        assert Deal.objects.get(external_id="006L").phase == "Closed Lost"
        october = Period.objects.get(grain="month", start_date=date(2026, 10, 1))
        assert [(loss.phase, loss.count) for loss in read_losses(october, member=None, people=None).rows] == [
            ("最終交渉", 1)
        ]

    def test_its_deals_count_how_often_their_close_was_put_off(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        world = salesforce.worlds["Opportunity"]
        for changes in (
            {"CloseDate": "2026-11-30"},
            {"CloseDate": "2026-11-20"},
            {"CloseDate": "2026-11-25"},
            {"CloseDate": "2026-11-27", "StageName": "受注", "IsClosed": True, "IsWon": True},
        ):
            world.tick(minutes=5)
            world.put("006O", **changes)
            sync(connection)
        deal = Deal.objects.get(external_id="006O")
        assert deal.postponed_count is None
        assert read_postponements([deal])[deal.pk].count == 2

    def test_its_roles_are_teams_and_its_splits_are_shares_of_deals(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        section, aoki = Team.objects.get(external_id="00E2"), Person.objects.get()
        assert (section.name, section.parent.name) == ("営業一課", "営業部")
        assert TeamMembership.objects.get(person=aoki).team == section
        shares = DealCredit.objects.filter(deal__external_id="006W", person=aoki).values_list("kind", "share")
        assert set(shares) == {("revenue", Decimal(1)), ("overlay", Decimal("0.125"))}

    def test_the_history_of_a_leads_status_dates_its_stages_and_unknown_statuses_are_counted(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        report = sync(connection).report
        stages = LeadStageEvent.objects.filter(lead__external_id="00Q1").order_by("external_id")
        assert list(stages.values_list("external_id", "stage")) == [("0172", "mql"), ("0173", "Nurturing")]
        (counted,) = [each["unmapped"] for each in report["streams"] if each["stream"] == "lead-stage-events"]
        assert counted == [{"field": "stage", "value": "Nurturing", "count": 1}]

    def test_an_org_without_histories_and_splits_is_read_and_that_is_only_remarked(self, salesforce):
        salesforce.hidden = {"LeadHistory", "OpportunitySplit"}
        connection = salesforce_connection(salesforce)
        verdict = check_source(connection=connection, today=TODAY)
        assert verdict.is_good
        told = [each.sentence for each in verdict.remarks if each.code == "object_not_used"]
        assert [name in sentence for name, sentence in zip(("LeadHistory", "OpportunitySplit"), told, strict=True)]
        found = taken(connection, "salesforce_standard")
        assert {each.stream for each in found.unproposed} == salesforce.hidden
        assert sync(connection).state == RunState.SUCCEEDED

    def test_a_lead_that_does_not_qualify_is_disqualified(self, salesforce):
        salesforce.worlds["LeadHistory"].put("0179", LeadId="00Q1", Field="Status", NewValue="Closed - Not Converted")
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        assert LeadStageEvent.objects.get(external_id="0179").stage == "disqualified"

    def test_whether_a_deal_is_won_is_what_the_org_says_of_it_not_what_its_stage_is_called(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        outcomes = {"006O": "open", "006W": "won", "006L": "lost"}
        assert dict(Deal.objects.values_list("external_id", "outcome")) == outcomes

    def test_what_was_done_is_an_activity_and_what_is_to_be_done_is_not(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        done = {each.external_id: (each.kind, each.happened_on) for each in Activity.objects.all()}
        assert done == {"00T1": ("call", date(2026, 10, 2)), "00U1": ("meeting", date(2026, 10, 5))}
        call = Activity.objects.get(external_id="00T1")
        assert (call.deal.external_id, call.lead.external_id) == ("006W", "00Q1")

    def test_an_unknown_word_is_listed_and_counted_and_the_deal_is_kept(self, salesforce):
        connection = salesforce_connection(salesforce)
        found = taken(connection, "salesforce_standard")
        (deals,) = [each for each in found.proposals if each.mapping.resource == "deals"]
        assert [(each.field, each.words) for each in deals.open_words] == [("customer_type", ("紹介案件",))]
        report = sync(connection).report
        (counted,) = [each["unmapped"] for each in report["streams"] if each["stream"] == "deals"]
        assert counted == [{"field": "customer_type", "value": "紹介案件", "count": 1}]
        assert Deal.objects.get(external_id="006O").customer_type == ""

    def test_a_hidden_field_is_left_out_by_name_and_the_rest_is_read(self, salesforce):
        salesforce.hidden = {"Opportunity.Amount", "Lead.Email"}
        connection = salesforce_connection(salesforce)
        found = taken(connection, "salesforce_standard")
        assert left_out(found, "deals") == {"amount", "currency"}
        assert left_out(found, "leads") == {"email_hash", "email_domain"}
        assert sync(connection).state == RunState.SUCCEEDED
        assert Deal.objects.get(external_id="006W").amount is None

    def test_without_a_required_field_the_stream_is_not_taken(self, salesforce):
        salesforce.hidden = {"Task.CompletedDateTime", "Event"}
        connection = salesforce_connection(salesforce)
        found = taken(connection, "salesforce_standard")
        (tasks,) = [each for each in found.proposals if each.lacks]
        assert (tasks.mapping.reads, tasks.lacks[0].columns) == ("Task", ("CompletedDateTime",))
        (event,) = [each for each in found.unproposed if each.stream == "Event"]
        assert event.sentence
        assert not FieldMapping.objects.filter(resource="activities").exists()

    def test_an_object_that_the_connection_does_not_read_is_told(self, salesforce):
        connection = salesforce_connection(salesforce, "Opportunity")
        found = propose_preset(connection=connection, preset="salesforce_standard")
        assert [each.mapping.resource for each in found.proposals] == ["deals"]
        assert {each.stream for each in found.unproposed} == set(SALESFORCE_OBJECTS) - {"Opportunity"}


class TestHubSpot:
    def test_contacts_companies_and_deals_become_facts_that_know_each_other(self, hubspot):
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        run = sync(connection)
        assert (run.state, run.rejected_count) == (RunState.SUCCEEDED, 0)
        aoki, sakura, lead, deal = Person.objects.get(), Account.objects.get(), Lead.objects.get(), Deal.objects.get()
        assert aoki.name == "青木 一郎"
        assert (sakura.name, sakura.owner, sakura.domain) == ("さくら商事", aoki, "sakura.example")
        assert (lead.owner, lead.account, lead.email_domain, lead.status) == (aoki, sakura, "sakura.example", "SQL")
        assert (lead.mql_on, lead.sql_on) == (date(2026, 10, 1), date(2026, 10, 4))
        assert lead.email_hash
        assert (deal.name, deal.account, deal.outcome, deal.phase) == ("導入", sakura, "won", "受注")
        assert (deal.amount, deal.closed_on) == (Decimal(5), date(2026, 10, 20))

    def test_the_history_of_stages_is_told_in_their_names(self, hubspot):
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        events = DealStageEvent.objects.order_by("entered_at")
        assert [(each.deal.external_id, each.phase) for each in events] == [("D1", "商談化"), ("D1", "受注")]

    def test_08_deals_of_two_companies_follow_to_the_new_one_that_took_both_over(self, hubspot):
        companies = hubspot.worlds["companies"]
        companies.put("C2", name="さくら商事（旧）")
        hubspot.worlds["deals"].put("D2", dealname="更新", hs_primary_associated_company="C2", dealstage="won",
                                    hs_is_closed="true", hs_is_closed_won="true")  # fmt: skip
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        companies.now = hubspot.now()
        companies.merge_into_new("C1", "C2", "C9")
        assert sync(connection).state == RunState.SUCCEEDED
        left = Account.objects.get(deleted_at=None)
        assert left.external_id == "C9"
        assert {each.account for each in Deal.objects.all()} == {left}

    def test_owners_are_in_their_primary_team(self, hubspot):
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        assert sync(connection).report["unresolved"] == []
        assert sorted(Team.objects.values_list("name", flat=True)) == ["全社", "東日本"]
        assert TeamMembership.objects.get().team.name == "東日本"
        hubspot.owners[0] = {**hubspot.owners[0], "teams": []}
        sync(connection)
        assert TeamMembership.objects.get().ends_on is not None

    def test_an_account_with_the_older_names_is_read_by_them(self, hubspot, monkeypatch):
        older = [_property(f"hs_lifecyclestage_{name}_date", name, "datetime") for name in ("marketingqualifiedlead",)]
        hubspot.extra["contacts"] += older
        told = hubspot._properties
        monkeypatch.setattr(hubspot, "_properties", lambda call, kind: without_v2(told(call, kind)))
        found = propose_preset(connection=hubspot_connection(hubspot), preset="hubspot_standard")
        (leads,) = [each for each in found.proposals if each.mapping.resource == "leads"]
        assert columns(leads.mapping)["mql_on"] == "hs_lifecyclestage_marketingqualifiedlead_date"
        assert "sql_on" in left_out(found, "leads")

    def test_an_mql_that_sales_sends_back_is_returned_and_one_that_comes_again_waits(self, hubspot):
        contacts = hubspot.worlds["contacts"]
        contacts.now = hubspot.now() - timedelta(days=1)
        lives = {
            "P2": ("lead", "marketingqualifiedlead", "lead"),
            "P3": ("subscriber", "marketingqualifiedlead", "", "lead", "marketingqualifiedlead"),
            "P4": ("marketingqualifiedlead", "customer", "lead"),
        }
        for id, stages in lives.items():
            for stage in stages:
                contacts.tick(minutes=10)
                contacts.put(id, lifecyclestage=stage)
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        told = LeadStageEvent.objects.filter(lead__external_id="P3").order_by("entered_at")
        assert list(told.values_list("stage", flat=True)) == ["mql", "returned", "mql"]
        recompute(now=timezone.now())
        today = timezone.localdate()
        rows = read_handovers(today - timedelta(days=3), today + timedelta(days=1), now=timezone.now())
        standings = {row.lead.external_id: row.standing for row in rows}
        assert standings == {"P2": Standing.RETURNED, "P3": Standing.WAITING, "P4": Standing.WAITING}

    def test_a_pile_of_contacts_that_begin_as_leads_still_waits_to_be_confirmed(self, hubspot):
        contacts = hubspot.worlds["contacts"]
        for number in range(1, 21):
            contacts.tick(seconds=10)
            contacts.put(f"S{number}", lifecyclestage="lead")
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        recompute(now=timezone.now())
        assert LeadExclusion.objects.filter(is_out=True).count() == 20

    def test_a_stage_of_the_companys_own_is_counted_and_asked_for(self, hubspot, monkeypatch):
        monkeypatch.setattr("tests.fakes.hubspot.LIFECYCLE", (*LIFECYCLE, ("4711", "差し戻し")))
        hubspot.worlds["contacts"].put("P1", lifecyclestage="4711")
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        (told,) = [each for each in sync(connection).report["streams"] if each["stream"] == "lead-stage-events"]
        assert told["unmapped"] == [{"field": "stage", "value": "4711", "count": 1}]
        look_for_drift(connection=connection, report={}, now=timezone.now(), is_due=True)
        connection.refresh_from_db()
        found = [(each["code"], each["field"], each["params"]) for each in connection.drift]
        assert found == [("word_new", "stage", {"word": "差し戻し (4711)"})]

    def test_stages_of_two_pipelines_that_are_called_alike_stay_two_phases(self, hubspot):
        hubspot.further_pipelines = {("p2", "更新"): [("won2", "受注", "1.0", "true")]}
        hubspot.worlds["deals"].put("D2", dealname="更新", dealstage="won2", hs_is_closed="true",
                                    hs_is_closed_won="true")  # fmt: skip
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        assert dict(Deal.objects.values_list("external_id", "phase")) == {"D1": "受注 (新規)", "D2": "受注 (更新)"}
        assert set(DealStageEvent.objects.values_list("phase", flat=True)) == {"商談化", "受注 (新規)", "受注 (更新)"}

    def test_without_the_flags_outcomes_come_from_what_the_stages_say_and_others_are_listed(self, hubspot):
        hubspot.extra["deals"] = []
        hubspot.stages = [*hubspot.stages, ("dormant", "休眠", "0.5", "true")]
        found = propose_preset(connection=hubspot_connection(hubspot), preset="hubspot_standard")
        (deals,) = [each for each in found.proposals if each.mapping.resource == "deals"]
        assert columns(deals.mapping)["outcome"] == "dealstage"
        assert [(each.field, each.words) for each in deals.open_words] == [("outcome", ("dormant",))]
        (outcome,) = [rule for rule in deals.mapping.rules if rule.field == "outcome"]
        assert {"qualified": "open", "won": "won", "lost": "lost"}.items() <= outcome.values.items()


class TestTogether:
    def test_one_employee_of_both_has_the_leads_of_one_and_the_deals_of_the_other(self, hubspot, salesforce):
        described = {"source": "ma", "name": "MA", "description": hubspot.description()}
        marketing = connect(hubspot, kind="hubspot", **described)
        for connection, preset in (
            (marketing, "hubspot_standard"),
            (salesforce_connection(salesforce), "salesforce_standard"),
        ):
            taken(connection, preset)
            assert sync(connection).state == RunState.SUCCEEDED
        (aoki,) = Person.objects.filter(deleted_at=None)
        assert {each.owner for each in Lead.objects.all()} == {aoki}
        assert {each.owner for each in Deal.objects.exclude(owner=None)} == {aoki}
        assert "aoki@" not in str(list(Person.objects.values())).lower()


class TestLinks:
    """Every record leads to its page at the vendor, though nobody has typed how the address is made."""

    def test_of_salesforce(self, salesforce):
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        page = f"{salesforce.url}/lightning/r"
        assert Deal.objects.get(external_id="006W").source_url == f"{page}/Opportunity/006W/view"
        assert Lead.objects.get().source_url == f"{page}/Lead/00Q1/view"
        assert Account.objects.get().source_url == f"{page}/Account/001A/view"
        assert Activity.objects.get(external_id="00T1").source_url == f"{page}/Task/00T1/view"
        assert DealStageEvent.objects.get().source_url == ""

    def test_of_salesforce_by_a_job(self, salesforce, monkeypatch):
        monkeypatch.setattr("integrations.connectors.salesforce.connector.JOB_ABOVE", 0)
        connection = salesforce_connection(salesforce)
        taken(connection, "salesforce_standard")
        sync(connection)
        assert Deal.objects.get(external_id="006W").source_url.endswith("/lightning/r/Opportunity/006W/view")

    def test_of_hubspot(self, hubspot):
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        sync(connection)
        page = "https://app.hubspot.com/contacts/62515/record"
        assert Deal.objects.get().source_url == f"{page}/0-3/D1"
        assert Lead.objects.get().source_url == f"{page}/0-1/P1"
        assert Account.objects.get().source_url == f"{page}/0-2/C1"
        hubspot.worlds["deals"].put("D1", amount="6", at=hubspot.now())
        sync(connection)
        assert Deal.objects.get().source_url == f"{page}/0-3/D1"

    def test_of_hubspot_whose_key_may_not_ask_for_the_account_there_is_none(self, hubspot, monkeypatch):
        monkeypatch.setattr(hubspot, "_account", lambda call: refused(403, "no", "MISSING_SCOPES"))
        connection = hubspot_connection(hubspot)
        taken(connection, "hubspot_standard")
        assert sync(connection).state == RunState.SUCCEEDED
        assert Deal.objects.get().source_url == ""

    def test_of_kintone(self, kintone):
        connection = kintone_connection(kintone, "案件管理")
        taken(connection, "kintone_labels")
        sync(connection)
        assert Deal.objects.get().source_url == f"{kintone.url}/k/{APP}/show#record=1"

    def test_what_a_mapping_says_itself_comes_first(self, kintone):
        connection = kintone_connection(kintone, "案件管理")
        (found,) = propose_preset(connection=connection, preset="kintone_labels").usable
        own = FieldRule("source_url", template="https://crm.example/{$id}")
        mapping = replace(found.mapping, rules=(*found.mapping.rules, own))
        take_preset(connection=connection, preset="kintone_labels", mappings=[mapping], now=NOW)
        sync(connection)
        assert Deal.objects.get().source_url == "https://crm.example/1"


def without_v2(reply: Reply) -> Reply:
    rows = [row for row in reply.body["results"] if not row["name"].startswith("hs_v2_")]
    return Reply(200, {"results": rows})


class TestKintone:
    def test_an_app_of_deals_is_proposed_by_its_labels_and_becomes_deals(self, kintone):
        connection = kintone_connection(kintone, "案件管理")
        found = taken(connection, "kintone_labels")
        (deals,) = found.proposals
        assert columns(deals.mapping) == {
            "external_id": "$id",
            "name": "name",
            "owner": "担当者",
            "created_on": "作成日時",
            "expected_close_on": "受注予定日",
            "outcome": "f1",
            "confidence": "確度",
            "amount": "amount",
        }
        assert sync(connection).state == RunState.SUCCEEDED
        deal = Deal.objects.get()
        assert (deal.name, deal.outcome, deal.amount) == ("新規導入", "won", Decimal(1_200_000))
        assert (deal.expected_close_on, deal.confidence) == (date(2026, 11, 30), "確度A")

    def test_a_word_that_is_not_usual_is_listed_and_stops_its_record_alone(self, kintone):
        kintone.world.put("D002", name="内示済み", f1="内示")
        connection = kintone_connection(kintone, "商談")
        found = taken(connection, "kintone_labels")
        assert [(each.field, each.words) for each in found.proposals[0].open_words] == [("outcome", ("内示",))]
        run = sync(connection)
        assert (run.state, run.rejected_count, Deal.objects.count()) == (RunState.PARTLY, 1, 1)

    def test_a_field_of_another_type_is_not_taken_for_it(self, kintone):
        kintone.fields["amount"] = {"code": "amount", "type": "SINGLE_LINE_TEXT", "label": "金額"}
        found = propose_preset(connection=kintone_connection(kintone, "案件"), preset="kintone_labels")
        assert "amount" not in columns(found.proposals[0].mapping)
        assert "amount" in left_out(found, "deals")

    def test_what_stands_in_brackets_behind_a_label_does_not_matter(self, kintone):
        kintone.fields["amount"] = {**kintone.fields["amount"], "code": "num_3", "label": "金額（円・税抜）"}
        kintone.rename("amount", "num_3")
        found = propose_preset(connection=kintone_connection(kintone, "案件"), preset="kintone_labels")
        assert columns(found.proposals[0].mapping)["amount"] == "num_3"

    def test_an_app_whose_label_says_nothing_is_left_to_people(self, kintone):
        found = propose_preset(connection=kintone_connection(kintone, "備品台帳"), preset="kintone_labels")
        assert (found.proposals, [each.stream for each in found.unproposed]) == ((), ["app0"])

    def test_two_apps_of_one_kind_get_names_of_their_own(self, kintone):
        found = taken(kintone_connection(kintone, "案件（東京）", "案件（大阪）"), "kintone_labels")
        assert [each.mapping.stream for each in found.proposals] == ["deals", "deals-2"]


class TestPropose:
    def test_stores_nothing(self, salesforce):
        propose_preset(connection=salesforce_connection(salesforce), preset="salesforce_standard")
        assert not FieldMapping.objects.exists()

    def test_a_stream_that_is_mapped_already_stays_as_it_is(self, salesforce):
        connection = salesforce_connection(salesforce, "Opportunity", "User")
        taken(connection, "salesforce_standard")
        found = propose_preset(connection=connection, preset="salesforce_standard")
        assert not found.proposals
        assert {"Opportunity", "User"} <= {each.stream for each in found.unproposed}

    @pytest.mark.parametrize("preset", ["hubspot_standard", "contract", "", "x"])
    def test_refuses_a_preset_that_its_kind_does_not_have(self, salesforce, preset):
        with pytest.raises(ConnectionRequestError, match="salesforce_standard"):
            propose_preset(connection=salesforce_connection(salesforce), preset=preset)

    def test_a_source_that_is_away_is_an_error_and_no_empty_proposal(self, salesforce):
        connection = salesforce_connection(salesforce)
        salesforce.faults = [Reply(503, None)] * 20
        with pytest.raises(ConnectorError):
            propose_preset(connection=connection, preset="salesforce_standard")


class TestTake:
    def test_is_refused_whole_where_somebody_was_faster(self, salesforce):
        connection = salesforce_connection(salesforce, "User", "Opportunity")
        found = propose_preset(connection=connection, preset="salesforce_standard")
        people, deals = (each.mapping for each in found.proposals)
        save_mapping(connection=connection, mapping=deals, now=NOW)
        with pytest.raises(ConnectionRequestError, match="deals"):
            take_preset(connection=connection, preset="salesforce_standard", mappings=[people, deals], now=NOW)
        assert FieldMapping.objects.get().stream == "deals"

    def test_the_mapping_remembers_its_preset(self, salesforce):
        taken(salesforce_connection(salesforce, "Opportunity"), "salesforce_standard")
        assert FieldMapping.objects.get().preset == "salesforce_standard"


class TestRegistry:
    def test_every_mapping_can_be_kept(self, salesforce):
        found = propose_preset(connection=salesforce_connection(salesforce), preset="salesforce_standard")
        for proposal in found.usable:
            check_mapping(proposal.mapping)

    def test_hubspot_names_fields_that_we_have(self, hubspot):
        found = propose_preset(connection=hubspot_connection(hubspot), preset="hubspot_standard")
        for proposal in found.usable:
            check_mapping(proposal.mapping)

    @pytest.mark.parametrize("resource", LABELS)
    def test_labels_are_those_of_fields_that_we_have(self, resource):
        assert LABELS[resource].keys() <= fields_of(resource).keys()
