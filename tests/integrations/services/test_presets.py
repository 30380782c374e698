"""Shipped presets bring real exports in as they are, their traps counted and never silent."""

from decimal import Decimal

import pytest

from integrations.choices import RunState
from integrations.services.connections import create_connection
from kpis.models import Deal, KpiEvent, Lead, Person, Product, RevenueLine, Team, TeamMembership
from kpis.selectors.joining import read_scans
from kpis.services.joining import judge_scan
from kpis.services.recompute import recompute
from tests.integrations.conftest import NOW

CRM = {
    "sales_teams.csv": (
        "sales_agent,manager,regional_office\n"
        "Anna Snelling,Dustin Brinkmann,Central\nCecily Lampkin,Dustin Brinkmann,Central\n"
        "Zane Levy,Summer Sewald,West\n"
    ),
    "products.csv": "product,series,sales_price\nGTX Pro,GTX,4821\nMG Special,MG,55\n",
    "accounts.csv": (
        "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n"
        "Acme Corporation,technolgy,1996,1100.04,2822,Philipines,\n"
        "Bluth,medical,1999,251.41,495,Japan,Acme Corporation\n"
    ),
    "sales_pipeline.csv": (
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
        "A1,Anna Snelling,GTXPro,Bluth,Won,2016-10-20,2017-03-01,1054\n"
        "A2,Zane Levy,GTX Pro,Acme Corporation,Lost,2016-10-25,2017-03-11,0\n"
        "A3,Zane Levy,MG Special,,Engaging,2016-11-05,,\n"
        "A4,Zane Levy,MG Special,,Prospecting,,,\n"
    ),
    "data_dictionary.csv": "Table,Field,Description\naccounts,account,Company name\n",
}


@pytest.fixture
def bring(in_acme, sync):
    def run(preset, files, source="crm"):
        connection = create_connection(name=preset, source=source, carries="both", preset=preset, now=NOW)
        return sync(connection, files)

    return run


class TestCrmOpportunities:
    def test_managers_lead_teams_and_agents_belong_to_them(self, bring):
        run = bring("crm_opportunities", CRM)
        assert (run.state, run.rejected_count, run.unresolved_count) == (RunState.SUCCEEDED, 0, 0)
        assert Person.objects.count() == 5
        team = Team.objects.get(external_id="Dustin Brinkmann")
        assert (team.name, team.region) == ("Dustin Brinkmann", "Central")
        assert [leader.person.name for leader in team.leaders.all()] == ["Dustin Brinkmann"]
        membership = TeamMembership.objects.get(person__name="Anna Snelling")
        assert (membership.team, membership.starts_on, membership.credited) == (team, None, True)
        assert not TeamMembership.objects.filter(person__name="Dustin Brinkmann").exists()

    def test_deals_are_read_with_their_traps_counted(self, bring):
        report = bring("crm_opportunities", CRM).report
        won, lost, engaging, prospecting = Deal.objects.order_by("external_id")
        assert (won.outcome, won.phase, won.amount, won.product.name) == ("won", "", Decimal(1054), "GTX Pro")
        assert (lost.outcome, lost.product) == ("lost", Product.objects.get(name="GTX Pro"))
        assert (engaging.outcome, engaging.phase, engaging.account) == ("open", "Engaging", None)
        assert (prospecting.outcome, prospecting.created_on) == ("open", None)
        streams = {each["stream"]: each for each in report["streams"]}
        assert streams["deals"]["blank"]["account"] == 2
        assert streams["deals"]["blank"]["created_on"] == 1
        assert {"field": "product", "from": "GTXPro", "to": "GTX Pro", "count": 1} in streams["deals"]["mapped"]
        assert {"field": "industry", "from": "technolgy", "to": "technology", "count": 1} in streams["accounts"][
            "mapped"
        ]
        assert report["ignored"] == ["data_dictionary.csv"]

    def test_the_same_export_again_changes_nothing(self, bring, sync):
        first = bring("crm_opportunities", CRM)
        again = sync(first.connection, CRM)
        assert (again.inserted_count, again.updated_count) == (0, 0)
        assert again.unchanged_count == first.inserted_count


class TestJapanese:
    def test_takes_tax_off_what_the_accounting_system_sends(self, bring):
        body = '売上番号,計上日,売上金額（税込）,区分\nU1,2026/11/20,"1,100",保守\nU2,20261121,￥110,？\n'
        run = bring("japanese_accounting", {"売上_202611.csv": body.encode("cp932")})
        assert (run.state, run.rejected_count) == (RunState.PARTLY, 1)
        line = RevenueLine.objects.get()
        assert (line.amount, line.tax, line.kind) == (Decimal(1000), "included", "maintenance")
        assert "？" in run.rejected.get().reasons[0]

    def test_knows_outcomes_in_japanese(self, bring):
        body = "商談ID,作成日,結果,金額\nD1,2026年10月1日,受注,100\nD2,2026/10/2,見送り,\nD3,2026/10/3,進行中,5\n"
        run = bring("japanese_sales", {"商談一覧.csv": body})
        assert run.state == RunState.SUCCEEDED
        assert list(Deal.objects.order_by("external_id").values_list("outcome", flat=True)) == [
            "won",
            "no_decision",
            "open",
        ]


def cards(*headings: str) -> dict[str, str]:
    """An export of 20 scanned cards, a minute for two of them, and of one lead that came by itself."""
    times = [f"2026-11-02 10:{n // 2:02}" for n in range(20)]
    rows = [f"C{n},2026/11/02,展示会,{at}" for n, at in enumerate(times)] + ["W1,2026/11/02,Web,2026-11-02 09:00"]
    width = len(headings)
    lines = [",".join(headings), *(",".join(row.split(",")[:width]) for row in rows)]
    return {"リード一覧.csv": "\n".join(lines) + "\n"}


class TestJapaneseMarketing:
    @pytest.mark.parametrize("further", [(), ("作成日時",)])
    def test_a_pile_of_cards_waits_to_be_confirmed_with_a_time_and_without(self, bring, dave, further):
        run = bring("japanese_marketing", cards("リードID", "作成日", "流入経路", *further), source="ma")
        assert (run.state, run.rejected_count, Lead.objects.count()) == (RunState.SUCCEEDED, 0, 21)
        assert Lead.objects.exclude(created_at=None).exists() == bool(further)
        recompute(now=NOW)
        assert KpiEvent.objects.filter(kind="leads.created_on").count() == 1
        (scan,) = read_scans()
        assert len(scan.leads) == 20
        judge_scan(leads=[each.pk for each in scan.leads], verdict="counted", actor=dave, now=NOW)
        recompute(now=NOW)
        assert KpiEvent.objects.filter(kind="leads.created_on").count() == 21
