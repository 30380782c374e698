"""The page of one KPI."""

import json
import re
import uuid
from datetime import date

import pytest

from kpis.models import KpiNode, KpiTree, Period, Target, TargetRequest, TargetRequestDecision, TargetRevision
from kpis.selectors.calendar import find_period, period_namer
from kpis.selectors.details import read_targets
from kpis.services.calendar import ensure_calendar
from kpis.services.periods import close_period
from kpis.services.recompute import recompute

from .conftest import NOW, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_kpi(client_for, acme):
    def read(user, node, query="", status=200, **headers):
        response = client_for(user, acme).get(f"/kpis/{node.public_id}/{query}", headers=headers)
        assert response.status_code == status
        return response.content.decode()

    return read


class TestDetail:
    def test_puts_target_and_actual_side_by_side(self, world, alice, open_kpi):
        page = open_kpi(alice, world.goal)
        assert "300,000" in page
        assert "1,000,000" in page
        assert "△700,000" in page

    def test_a_rate_shows_what_it_is_made_of(self, world, alice, open_kpi):
        page = open_kpi(alice, world.rate)
        assert "33.3" in page
        assert "受注件数 ÷ 決着件数" in page

    def test_draws_the_trend_from_json_and_repeats_it_as_a_table(self, world, alice, open_kpi):
        page = open_kpi(alice, world.goal)
        assert '"actual": [' in page
        assert "800000.0, 300000.0]" in page
        assert "表で見る" in page
        assert "2026年10月" in page

    def test_draws_no_more_quarters_than_before_though_it_judges_by_more(self, world, alice, open_kpi):
        ensure_calendar(first_day=date(2020, 4, 1), last_day=date(2026, 12, 31))
        page = open_kpi(alice, world.goal, "?grain=quarter")
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])
        assert len(data["actual"]) == 9

    def test_a_period_of_the_trend_leads_to_its_own_page_and_records(self, world, dave, open_kpi):
        page = open_kpi(dave, world.goal, "?segment=person:bob")
        october = f"/kpis/{world.goal.public_id}/?grain=month&amp;start=2026-10-01&amp;segment=person%3Abob"
        assert f'<a href="{october}">2026年10月</a>' in page
        assert re.search(rf'<a class="behind" href="{re.escape(october)}#records">.*?700,000', page)

    def test_last_year_stands_beside_in_chart_and_table(self, world, dave, open_kpi):
        assert "前年同期" not in open_kpi(dave, world.goal).partition('class="chart-key"')[2].partition("<canvas")[0]
        created = {"owner": "bob", "created_on": "2025-09-01", "name": "old", "outcome": "won"}
        send("deals", {"external_id": "old", "closed_on": "2025-10-20", "amount": 420_000, **created})
        recompute(now=NOW)
        page = open_kpi(dave, world.goal)
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])
        october = data["labels"].index("2026年10月")
        assert data["before"][october] == 420_000
        assert data["texts"]["前年同期"][october] == "420,000円"
        assert data["actual"][data["labels"].index("2025年11月")] == 0 and len(data["labels"]) == 13
        assert re.search(r"2026年10月</a>.*?800,000.*?data-label=\"前年同期\">.*?420,000", page, re.S)
        quarter = open_kpi(dave, world.goal, "?grain=quarter&start=2026-10-01")
        assert '"before": [' in quarter and "420000.0" in quarter
        assert '"before": null' in open_kpi(dave, world.goal, "?grain=year")

    def test_last_year_of_a_week_is_the_one_52_weeks_earlier(self, world, dave, open_kpi):
        created = {"owner": "bob", "created_on": "2025-09-01", "name": "old", "outcome": "won"}
        deals = {"2025-10-20": 1000, "2025-10-26": 20_000, "2025-10-30": 300_000, "2025-11-01": 4_000_000}
        send("deals", *({"external_id": day, "closed_on": day, "amount": n, **created} for day, n in deals.items()))
        recompute(now=NOW)
        page = open_kpi(dave, world.goal, "?grain=week&start=2026-11-09")
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])
        before = dict(zip(data["labels"], data["before"], strict=True))
        weeks = Period.objects.filter(grain="week", start_date__range=(date(2026, 10, 19), date(2026, 11, 1)))
        assert [(each.start_date.day, before[period_namer()(each)]) for each in weeks.order_by("start_date")] == [
            (19, 21_000),
            (26, None),  # cut at the end of October where the one of last year has two days more
            (1, None),
        ]
        assert "前年同期" in page

    def test_last_year_is_what_its_own_tree_locked(self, world, dave, open_kpi):
        created = {"owner": "bob", "created_on": "2025-09-01", "name": "old", "outcome": "won", "external_id": "old"}
        send("deals", {"closed_on": "2025-10-20", "amount": 420_000, **created})
        recompute(now=NOW)
        last_year = KpiTree.objects.create(name="2025年度", fiscal_year=2025, status="active")
        KpiNode.objects.create(tree=last_year, level="kgi", code="bookings", name="受注額", metric=world.goal.metric)
        close_period(period=find_period("month", date(2025, 10, 1)), actor=None, now=NOW)
        send("deals", {"closed_on": "2025-10-20", "amount": 500_000, **created})
        recompute(now=NOW)
        assert "420000.0" in open_kpi(dave, world.goal)

    def test_a_chart_has_the_word_where_it_has_no_point(self, world, alice, open_kpi):
        version = world.goal.metric.versions.get()
        version.spec = {**version.spec, "min_count": 2}
        version.save()
        page = open_kpi(alice, world.goal)
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])
        assert data["actual"][-2:] == [800_000, None]
        assert data["texts"]["実績"][-1] == "件数不足（n=1）"
        assert data["texts"]["実績"][0] == "データなし"
        assert page.count("件数不足（n=1）") > 1  # the number itself and the table twin say so too

    def test_takes_last_years_targets_from_last_years_tree(self, world, alice, open_kpi):
        last_year = KpiTree.objects.create(name="2025年度", fiscal_year=2025, status="active")
        node = KpiNode.objects.create(
            tree=last_year, level="kgi", code="bookings", name="受注額", metric=world.goal.metric
        )
        Target.objects.create(node=node, period_start="2026-03-01", initial_value=640_000, value=640_000)
        assert "640000.0" in open_kpi(alice, world.goal)

    def test_loads_chart_js_once(self, world, alice, open_kpi):
        assert open_kpi(alice, world.goal).count("chart/chart.js") == 1

    def test_segments_switch_alone(self, world, dave, open_kpi):
        part = open_kpi(dave, world.goal, "?by=person", hx_request="true", hx_target="segment-table")
        assert "Bob" in part
        assert "<html" not in part

    def test_a_member_sees_no_colleague_among_the_segments(self, world, bob, open_kpi):
        page = open_kpi(bob, world.goal, "?by=person")
        assert "Bob" in page
        assert "Dora" not in page

    def test_a_team_stands_below_the_one_it_belongs_to(self, world, dave, open_kpi):
        send(
            "teams",
            {"external_id": "all", "name": "営業本部"},
            {"external_id": "west", "name": "西日本営業部", "parent": "all"},
        )
        recompute(now=NOW)
        page = open_kpi(dave, world.goal, "?by=team&start=2026-10-01")
        rows = re.findall(r'<tr( class="part part-1")?>\s*<th scope="row"><a [^>]*>([^<]+)', page)
        assert [(name, bool(part)) for part, name in rows if "営業" in name] == [
            ("東日本営業部", False),
            ("営業本部", False),
            ("西日本営業部", True),
        ]

    def test_a_part_of_the_company_is_named(self, world, dave, open_kpi):
        page = open_kpi(dave, world.goal, "?segment=team:west&start=2026-10-01")
        assert "西日本営業部" in page
        assert "100,000" in page

    def test_lists_targets_with_their_history_newest_first(self, world, dave, alice, open_kpi):
        target = Target.objects.get(node=world.goal, period_start="2026-11-01")
        asked = {"tree": world.tree, "status": "approved", "steps": 1, "proposer": alice, "proposed_at": NOW}
        request = TargetRequest.objects.create(reason="上期の実績を反映", **asked)
        TargetRequestDecision.objects.create(request=request, step=1, verdict="approved", actor=dave, at=NOW)
        told = [(900_000, "期初の計画", dave, None), (None, "行の誤り", dave, None)]
        for number, (value, reason, actor, by) in enumerate([*told, (1_000_000, request.reason, alice, request)], 1):
            TargetRevision.objects.create(
                target=target, number=number, value=value, reason=reason, actor=actor, at=NOW, request=by
            )
        settings = re.findall(r'<div class="target-setting">(.*?)</div>', open_kpi(dave, world.goal), re.S)
        assert ["上期の実績を反映" in settings[0], "行の誤り" in settings[1], "期初の計画" in settings[2]] == [True] * 3
        assert "目標なし" in settings[1] and "900,000" in settings[2]
        assert [("faint" in each and "Dave" in each.partition("faint")[2]) for each in settings] == [True, False, False]

    def test_a_first_target_shows_who_set_it_and_why(self, world, dave, open_kpi):
        target = Target.objects.get(node=world.goal, period_start="2026-11-01")
        TargetRevision.objects.create(target=target, number=1, value=1, reason="期初の計画", actor=dave, at=NOW)
        assert "期初の計画" in open_kpi(dave, world.goal)

    def test_the_history_costs_the_same_however_long(self, world, dave, django_assert_max_num_queries):
        target = Target.objects.get(node=world.goal, period_start="2026-11-01")
        for number in range(1, 9):
            TargetRevision.objects.create(target=target, number=number, value=number, actor=dave, at=NOW)
        period = Period.objects.get(grain="month", start_date="2026-11-01")
        node = KpiNode.objects.select_related("tree").get(pk=world.goal.pk)
        with django_assert_max_num_queries(6):
            lines = read_targets(node, period)
        assert [len(line.revisions) for line in lines] == [0, 8]

    def test_names_the_path_from_the_goal(self, world, alice, open_kpi):
        page = open_kpi(alice, world.rate)
        assert "営業力を高める" in page
        assert f"/kpis/{world.goal.public_id}/" in page

    def test_a_factor_has_no_page(self, world, alice, open_kpi):
        open_kpi(alice, world.factor, status=404)

    def test_an_unknown_kpi_is_not_found(self, world, alice, open_kpi):
        class Nothing:
            public_id = uuid.uuid4()

        open_kpi(alice, Nothing, status=404)


@pytest.fixture
def open_records(client_for, acme):
    def read(user, node, query="", **headers):
        response = client_for(user, acme).get(f"/kpis/{node.public_id}/records/{query}", headers=headers)
        assert response.status_code == 200
        return response.content.decode()

    return read


class TestRecords:
    def test_lists_exactly_what_was_counted_with_links(self, world, dave, open_records):
        page = open_records(dave, world.goal)
        assert 'href="https://crm.example/d3"' in page
        assert "Deal d4" not in page

    def test_a_deal_that_came_from_a_lead_keeps_its_own_name(self, world, dave, open_records):
        send("leads", {"external_id": "lead-1", "created_on": "2026-09-01"})
        won = {"created_on": "2026-09-05", "closed_on": "2026-11-04", "outcome": "won", "amount": 1}
        send("deals", {"external_id": "d9", "name": "Deal d9", "lead": "lead-1", **won})
        recompute(now=NOW)
        page = open_records(dave, world.goal)
        assert re.search(r'<th scope="row">\s*Deal d9\s', page)

    def test_a_rate_has_two_sides(self, world, dave, open_records):
        assert "Deal d4" not in open_records(dave, world.rate)
        page = open_records(dave, world.rate, "?side=denominator")
        assert "Deal d4" in page
        assert "3件" in page

    def test_follows_the_segment_and_the_period(self, world, dave, open_records):
        page = open_records(dave, world.goal, "?segment=team:west&start=2026-10-01")
        assert "Deal d2" in page
        assert "Deal d1" not in page

    def test_a_member_sees_own_records_only(self, world, bob, open_records):
        page = open_records(bob, world.rate, "?side=denominator")
        assert "Deal d3" in page
        assert "Deal d5" not in page

    def test_comes_alone_for_htmx(self, world, dave, open_records):
        assert "<html" not in open_records(dave, world.goal, hx_request="true")
        assert "<html" in open_records(dave, world.goal)

    def test_a_strange_offset_is_the_first_page(self, world, dave, open_records):
        assert "Deal d3" in open_records(dave, world.goal, "?offset=-1")
