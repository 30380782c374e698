"""The deal forecast table, its Excel file and the call; the landing on the first page and on a KPI's."""

import csv
import io
from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from kpis.engine.landing import Fault
from kpis.models import ForecastCall, KpiNode, KpiTree
from kpis.selectors.deals import read_deals_to_check
from kpis.selectors.forecast_table import read_forecast_table
from kpis.services.calls import make_call
from kpis.services.definitions import create_metric
from kpis.services.recompute import recompute
from reviews.models import Meeting, MeetingSeries
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, TODAY, WON, send
from tests.kpis.pages.test_pdf import pages_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def page_of(client_for, acme):
    """A page as one person reads it."""

    def read(user, path="/forecast/", language="ja", **params):
        response = client_for(user, acme).get(path, params, headers={"accept-language": language})
        assert response.status_code == 200, response
        return response.content.decode()

    return read


@pytest.fixture
def table_of(sales):
    def read(**changes):
        from kpis.models import Period

        period = Period.objects.get(grain="month", start_date=NOVEMBER)
        options = {"member": None, "people": None, "by": "owner", "today": TODAY, **changes}
        return read_forecast_table(sales.goal, period, **options)

    return read


class TestForecastTable:
    def test_lists_won_and_open_deals_by_owner(self, table_of):
        groups = table_of().groups
        assert [group.name for group in groups] == ["Bob", "Dora"]
        assert [(row.deal.external_id, row.is_won) for row in groups[0].rows] == [
            ("late", False),
            ("won", True),
            ("sure", False),
        ]
        assert (groups[0].won, groups[0].open, groups[0].left_out) == (150_000, 100_000, 480_000)

    def test_or_by_rank_from_won_to_unsure(self, table_of):
        assert [(group.name, group.is_won) for group in table_of(by="rank").groups] == [
            ("", True),
            ("A", False),
            ("B", False),
        ]

    def test_its_foot_adds_up_what_it_lists(self, table_of):
        table = table_of()
        rows = [row for group in table.groups for row in group.rows]
        counted = sum(row.worth for row in rows if row.worth and not row.faults)
        assert table.foot.steps[-1].cumulative == counted == 450_000
        assert table.foot.left_out_count == len(table.to_check) == 2

    def test_is_narrowed_to_a_team(self, table_of, east):
        table = table_of(member=east)
        assert [group.name for group in table.groups] == ["Bob"]
        assert table.foot.won == 150_000

    def test_a_long_list_is_cut_but_its_foot_is_not(self, table_of):
        table = table_of(limit=1)
        assert (table.shown_count, table.count) == (1, 5)
        assert table.foot.steps[-1].cumulative == 450_000


class TestPage:
    def test_says_where_the_period_lands_and_what_is_left_out(self, sales, dave, page_of):
        page = page_of(dave, language="en")
        assert (
            "is expected to land at <strong>33.0%</strong> of the target (<strong>670,000 JPY</strong> short)" in page
        )
        assert "2 deals to be checked are left out (480,000 JPY)" in page
        assert "25.0% is usually there by today" in page
        assert "Past the expected date" in page

    def test_in_japanese_as_it_is_spoken(self, sales, dave, page_of):
        page = page_of(dave)
        assert "2026年11月の受注額は、目標の<strong>33.0%</strong>で着地する見込みです" in page
        assert "不足<strong>670,000円</strong>" in page

    def test_a_member_sees_the_own_deals_and_no_target_for_them(self, sales, bob, page_of):
        page = page_of(bob, language="en")
        assert "Deal sure" in page
        assert "Deal even" not in page
        assert "Of the target" not in page

    def test_a_manager_sees_the_led_team(self, sales, alice, page_of):
        page = page_of(alice)
        assert "Deal sure" in page
        assert "Deal even" not in page

    def test_nobody_looks_at_a_team_out_of_sight(self, sales, alice, client_for, acme):
        assert client_for(alice, acme).get("/forecast/", {"segment": "team:west"}).status_code == 403

    def test_says_what_changed_this_week(self, sales, dave, page_of):
        send("deals", {"external_id": "even", "created_on": "2026-11-02", "expected_close_on": "2026-12-04"})
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "confidence": "B"})
        recompute(now=NOW)
        page = page_of(dave, language="en")
        assert "Mon 30 Nov → Fri 4 Dec" in page
        assert "A → B" in page

    def test_tells_changes_since_the_last_meeting_on_its_kgi(self, sales, dave, page_of):
        series = MeetingSeries.objects.create(name="営業会議", starts_at=time(9), interval="monthly")
        opened = NOW - timedelta(days=20)
        meeting = {"series": series, "scheduled_at": opened, "opened_at": opened, "closed_at": opened}
        Meeting.objects.create(**meeting, status="closed", frozen=[{"node_id": sales.goal.pk}])
        later = {"series": series, "scheduled_at": NOW, "opened_at": NOW - timedelta(hours=1)}
        Meeting.objects.create(**later, status="open", frozen=[{"node_id": sales.goal.pk}])
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "confidence": "B"},
             now=NOW - timedelta(days=12))  # fmt: skip
        page = page_of(dave)
        assert "営業会議（10/27 12:00）以降" in page
        assert "A → B" in page

    def test_without_a_meeting_tells_those_of_seven_days_and_says_so(self, sales, dave, page_of):
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "confidence": "B"},
             now=NOW - timedelta(days=12))  # fmt: skip
        page = page_of(dave)
        assert "直近7日間（このKGIを扱った会議はまだありません）" in page
        assert "A → B" not in page

    def test_says_how_many_more_losses_the_files_have(self, sales, dave, page_of):
        lose_deals(17)
        page = page_of(dave, language="en")
        section = page.split('aria-labelledby="losses"')[1]
        assert section.count("<tr>") == 1 + 15
        assert "2 more are in the files." in section

    def test_another_tree_may_be_chosen(self, sales, dave, page_of, client_for, acme):
        other = KpiTree.objects.create(name="別のツリー", fiscal_year=2026, status="active")
        metric = create_metric(code="won", name="受注件数", unit="count", accumulation="sum", actor=None, now=NOW,
                               spec={**WON, "aggregate": "count", "field": None})  # fmt: skip
        KpiNode.objects.create(tree=other, level="kgi", code="won", name="受注件数", metric=metric)
        recompute(now=NOW)
        assert f'<option value="{other.public_id}">別のツリー' in page_of(dave)
        page = page_of(dave, tree=str(other.public_id))
        assert "2026年11月の受注件数は" in page and f'value="{other.public_id}" selected' in page
        assert client_for(dave, acme).get("/forecast/", {"tree": "nothing"}).status_code == 404

    def test_counts_losses_by_reason_competitor_phase_and_owner(self, sales, dave, page_of):
        lost = {"outcome": "lost", "closed_on": "2026-11-06", "owner": "dora", "created_on": "2026-10-01"}
        why = {"lost_reason": "価格", "competitor": "他社A", "phase": "最終交渉"}
        send("deals", {"external_id": "l1", "amount": 70_000, **lost, **why}, {"external_id": "l2", **lost},
             {"external_id": "even", "created_on": "2026-11-02", "phase": "最終交渉"})  # fmt: skip
        recompute(now=NOW)
        page = page_of(dave, language="en")
        assert "価格</th><td>他社A</td><td>最終交渉</td><td>Dora</td>" in page
        assert "No reason given" in page

    def test_without_a_tree_says_what_the_page_is_for(self, in_acme, dave, page_of):
        assert "No KPI tree is active yet" in page_of(dave, language="en")

    def test_a_quarter_has_a_table_too(self, sales, dave, page_of):
        assert "Deal next" in page_of(dave, grain="quarter")

    def test_needs_no_more_queries_with_more_deals(self, sales, dave, client_for, acme, django_assert_max_num_queries):
        client = client_for(dave, acme)
        client.get("/forecast/")
        more = {"created_on": "2026-11-02", "expected_close_on": "2026-11-25", "confidence": "A", "amount": 10}
        send("deals", *({"external_id": f"m{n}", "owner": "bob", **more} for n in range(30)))
        recompute(now=NOW)
        with django_assert_max_num_queries(70):
            client.get("/forecast/")


def lose_deals(count):
    lost = {"outcome": "lost", "closed_on": "2026-11-06", "owner": "dora", "created_on": "2026-10-01"}
    reasons = ({"external_id": f"l{n}", "amount": 1000 + n, "lost_reason": f"理由{n:02}"} for n in range(count))
    send("deals", *({**lost, **each} for each in reasons))
    recompute(now=NOW)


class TestDealsToCheck:
    @pytest.fixture
    def lost(self, sales):
        lost = {"outcome": "lost", "owner": "dora", "created_on": "2026-10-01", "amount": 70_000}
        send(
            "deals",
            {"external_id": "why", "name": "Deal why", "closed_on": "2026-11-06", **lost},
            {"external_id": "told", "name": "Deal told", "closed_on": "2026-11-06", "lost_reason": "価格", **lost},
            {"external_id": "old", "name": "Deal old", "closed_on": "2026-09-06", **lost},
            {"external_id": "still", "name": "Deal still", "owner": "bob", "created_on": "2026-06-01", "amount": 5,
             "confidence": "A", "expected_close_on": "2027-01-20"},
        )  # fmt: skip
        recompute(now=NOW)

    def faults(self, **changes):
        found = read_deals_to_check(people=None, today=TODAY, **changes)
        return {each.deal.external_id: [str(fault) for fault in each.faults] for each in found.first}

    def test_are_judged_as_the_table_judges_them_and_ask_losses_for_their_reason(self, lost):
        assert self.faults() == {
            "late": ["past_expected"],
            "why": ["no_reason"],
            "still": ["no_movement"],
            "bare": ["no_amount"],
        }

    def test_every_open_deal_of_the_table_has_the_same_faults_here(self, lost, table_of):
        here = self.faults()
        table = {row.deal.external_id: [str(fault) for fault in row.faults] for row in table_of().to_check}
        assert table == {key: here[key] for key in ("late", "bare")}

    def test_a_phase_that_was_entered_lately_is_movement(self, lost):
        send("deal-stage-events", {"external_id": "e", "deal": "still", "phase": "提案",
                                   "entered_at": "2026-11-10T00:00:00+09:00"})  # fmt: skip
        assert "still" not in self.faults()

    def test_money_without_a_rate_is_its_own_reason(self, lost):
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "currency": "USD", "amount": 7})
        recompute(now=NOW)
        assert self.faults()["sure"] == ["no_rate"]

    def test_are_counted_when_they_are_cut(self, lost):
        found = read_deals_to_check(people=None, today=TODAY, limit=1)
        assert (len(found.first), found.count, found.more) == (1, 4, 3)
        assert read_deals_to_check(people=None, today=TODAY, fault=Fault.NO_REASON).count == 1

    def test_are_read_once_until_the_values_are_computed_again(self, lost, django_assert_max_num_queries):
        before = read_deals_to_check(people=None, today=TODAY, limit=5)
        with django_assert_max_num_queries(20) as seen:
            assert read_deals_to_check(people=None, today=TODAY, limit=5) == before
        assert not [query["sql"] for query in seen if "kpis_kpievent" in query["sql"]]
        send("deals", {"external_id": "why", "created_on": "2026-10-01", "lost_reason": "時期"})
        recompute(now=NOW)
        after = read_deals_to_check(people=None, today=TODAY, limit=5)
        assert {each.deal.external_id for each in before.first} - {each.deal.external_id for each in after.first} == {
            "why"
        }
        assert after.count == before.count - 1

    def test_a_loss_in_another_currency_is_worth_what_it_was_converted_to(self, lost):
        send("exchange-rates", {"external_id": "usd", "currency": "USD", "starts_on": "2026-01-01", "rate": "150"})
        send("deals", {"external_id": "why", "created_on": "2026-10-01", "currency": "USD", "amount": 700})
        recompute(now=NOW)
        found = {each.deal.external_id: each.worth for each in read_deals_to_check(people=None, today=TODAY).first}
        assert found["why"] == 105_000

    def test_today_shows_the_largest_and_a_way_to_all(self, lost, dave, page_of):
        send("deals", *({"external_id": f"n{n}", "created_on": "2026-11-02", "expected_close_on": "2026-11-03",
                         "confidence": "A", "amount": 1} for n in range(4)))  # fmt: skip
        page = page_of(dave, "/")
        section = page.split('aria-labelledby="deals-to-check"')[1].split("</section>")[0]
        assert "失注理由なし" in section and "30日間動きなし" in section
        assert '<a href="/deals-to-check/">すべて表示</a>' in section
        everything = page_of(dave, "/deals-to-check/")
        assert all(name in everything for name in ("Deal bare", "Deal why", "Deal late", "Deal still"))
        assert "Deal told" not in everything and "Deal old" not in everything

    def test_the_page_keeps_one_reason(self, lost, dave, page_of):
        page = page_of(dave, "/deals-to-check/", reason="no_reason")
        assert "Deal why" in page and "Deal late" not in page

    def test_a_member_sees_the_own_ones(self, lost, bob, page_of):
        page = page_of(bob, "/deals-to-check/")
        assert "Deal late" in page and "Deal why" not in page

    def test_the_table_counts_losses_without_a_reason(self, lost, dave, page_of):
        section = page_of(dave).split('aria-labelledby="to-check"')[1].split("</section>")[0]
        assert "失注理由なし" in section and "/deals-to-check/" in section


class TestCall:
    def post(self, client, **fields):
        return client.post("/forecast/?segment=team:east", {"value": "820000", "note": "内示2件", **fields})

    def test_is_made_in_one_short_form(self, sales, alice, client_for, acme, in_acme):
        assert self.post(client_for(alice, acme)).status_code == 302
        call = ForecastCall.objects.get()
        assert (call.value, call.note, call.actor, call.member.code) == (820_000, "内示2件", alice, "east")

    def test_a_fault_stands_beside_the_field(self, sales, alice, client_for, acme, in_acme):
        response = self.post(client_for(alice, acme), value="much")
        assert response.status_code == 422
        assert not ForecastCall.objects.exists()

    def test_a_member_has_no_form_and_makes_no_call(self, sales, bob, client_for, acme, page_of):
        assert "call-form" not in page_of(bob)
        assert client_for(bob, acme).post("/forecast/", {"value": "1"}).status_code == 403

    def test_a_manager_calls_for_the_team_not_for_the_company(self, sales, alice, client_for, acme, page_of):
        assert "call-form" not in page_of(alice)
        assert "call-form" in page_of(alice, segment="team:east")
        assert client_for(alice, acme).post("/forecast/", {"value": "1"}).status_code == 403


class TestWorkbook:
    @pytest.fixture
    def sheet(self, sales, dave, client_for, acme):
        send("deals", {"external_id": "evil", "name": "=1+1", "created_on": "2026-11-02", "amount": 1,
                       "expected_close_on": "2026-11-20", "confidence": "A", "owner": "bob"})  # fmt: skip
        recompute(now=NOW)
        response = client_for(dave, acme).get("/forecast/export/", headers={"accept-language": "en"})
        assert response.status_code == 200
        return load_workbook(io.BytesIO(response.content)).active

    def test_has_a_line_for_each_deal_below_frozen_panes(self, sheet):
        names = [sheet[f"B{row}"].value for row in range(4, 10)]
        assert sorted(names) == ["=1+1", "Deal bare", "Deal even", "Deal late", "Deal sure", "won"]
        assert sheet.freeze_panes == "C4"
        assert sheet["G4"].value is not None

    def test_its_foot_is_live(self, sheet):
        formulas = {sheet[f"B{row}"].value: sheet[f"F{row}"].value for row in range(11, 20)}
        assert formulas["Landing forecast (weighted)"] == "=E12+SUMPRODUCT(D13:D15,E13:E15)"
        assert sheet["E13"].value == '=SUMIFS($F$4:$F$9,$D$4:$D$9,"Open deal",$E$4:$E$9,$C13,$J$4:$J$9,1)'
        assert formulas["Target"] == 1_000_000

    def test_a_missing_amount_is_a_word(self, sheet):
        row = next(row for row in range(4, 10) if sheet[f"B{row}"].value == "Deal bare")
        assert sheet[f"F{row}"].value == "No amount"

    def test_what_begins_with_an_equals_sign_stays_a_text(self, sheet):
        cell = next(sheet[f"B{row}"] for row in range(4, 10) if sheet[f"B{row}"].value == "=1+1")
        assert cell.data_type == "s"


class TestFilesAreComplete:
    @pytest.fixture
    def get(self, sales, dave, client_for, acme):
        lose_deals(17)
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "confidence": "B"})

        def read(address):
            response = client_for(dave, acme).get(address, headers={"accept-language": "ja"})
            assert response.status_code == 200
            return response.content

        return read

    def test_the_workbook_has_every_loss_change_and_deal_to_check(self, get):
        book = load_workbook(io.BytesIO(get("/forecast/export/")))
        assert book.sheetnames == ["ヨミ表", "要確認の商談", "変更された商談", "失注の内訳"]
        reasons = [cell.value for cell in book["失注の内訳"]["A"]][3:]
        assert sorted(reasons) == [f"理由{n:02}" for n in range(17)]
        assert [cell.value for cell in book["変更された商談"][4]][3:6] == ["ヨミ（確度）", "A", "B"]
        assert sorted(cell.value for cell in book["要確認の商談"]["A"][3:]) == ["Deal bare", "Deal late"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932"])
    def test_csv(self, get, encoding):
        rows = list(csv.reader(io.StringIO(get(f"/forecast/losses.csv?encoding={encoding}").decode(encoding))))
        assert rows[0] == ["失注理由", "競合", "失注前のフェーズ", "担当者", "商談", "金額"]
        assert len(rows) == 1 + 17
        assert rows[1] == ["理由16", "", "フェーズ不明", "Dora", "1", "1016"]
        assert len(list(csv.reader(io.StringIO(get("/forecast/table.csv").decode("utf-8-sig"))))) == 1 + 5
        assert "Deal late" in get("/forecast/to-check.csv").decode("utf-8-sig")
        assert ",A,B," in get("/forecast/changes.csv").decode("utf-8-sig")

    def test_pdf(self, get):
        text = "\n".join(pages_of(get("/forecast/table.pdf")))
        assert all(f"理由{n:02}" in text for n in range(17))
        assert "変更された商談" in text and "要確認の商談" in text

    def test_another_list_is_not_found(self, sales, dave, client_for, acme):
        assert client_for(dave, acme).get("/forecast/everything.csv").status_code == 404


class TestLandingElsewhere:
    def test_today_speaks_of_one_landing_and_keeps_the_others_on_click(self, sales, dave, page_of):
        make_call(node=sales.goal, period_start=NOVEMBER, value=Decimal(900_000), actor=dave, now=NOW)
        page = page_of(dave, "/", "en")
        assert "is expected to land at <strong>33.0%</strong> of the target" in page
        assert page.count("900,000") == 1

    def test_a_kpis_page_draws_the_landing(self, sales, dave, page_of):
        page = page_of(dave, f"/kpis/{sales.goal.public_id}/", "en")
        assert '"landing": {"value": 330000.0, "low": 330000.0, "high": 600000.0}' in page  # the pace says more
        assert "Range of its views" in page and "330,000 JPY (330,000 JPY to 600,000 JPY)" in page
        assert "is expected to land at" in page

    def test_a_period_that_is_over_has_none(self, sales, dave, page_of):
        page = page_of(dave, f"/kpis/{sales.goal.public_id}/", "en", grain="month", start=str(date(2026, 10, 1)))
        assert '"landing": null' in page
