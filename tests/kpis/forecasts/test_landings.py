"""The three views of a landing as read from facts, ranks, calls and snapshots."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kpis.choices import SnapshotMeasure
from kpis.engine.landing import Fault
from kpis.engine.pace import Basis
from kpis.engine.scoring import Method
from kpis.models import ConfidenceRank, FactStream, MetricSnapshot, Period
from kpis.services.calls import make_call
from kpis.services.ranks import set_rank
from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, landings_of, send

pytestmark = pytest.mark.django_db


def view(landing, method):
    return next(each for each in landing.views if each.method == method)


def remember(node, method, month, day, value):
    measure = {Method.PACE: SnapshotMeasure.LANDING_PACE, Method.CALL: SnapshotMeasure.LANDING_CALL}[method]
    MetricSnapshot.objects.create(
        measure=measure,
        metric=node.metric,
        date=date(2026, month, day),
        grain="month",
        period_start=date(2026, month, 1),
        value=value,
        taken_at=NOW,
    )


class TestPace:
    def test_follows_the_companys_own_curve(self, sales):
        landing = sales.landing()
        paced = view(landing, Method.PACE)
        assert (landing.actual, landing.pace.share, landing.pace.basis) == (150_000, Decimal("0.25"), Basis.CURVE)
        assert (paced.value, paced.achievement, paced.shortfall) == (600_000, Decimal("0.6"), 400_000)

    def test_goes_by_business_days_where_the_sources_do_not_reach_back(self, sales):
        FactStream.objects.filter(fact="deals").update(covered_from=date(2026, 9, 2))
        assert sales.landing().pace.basis == Basis.BUSINESS_DAYS
        assert round(view(sales.landing(), Method.PACE).value) == 285_000  # 150,000 ÷ 10 × 19

    def test_a_month_that_was_not_read_to_its_end_is_no_pattern(self, sales):
        FactStream.objects.filter(fact="deals").update(last_success_at=datetime(2026, 9, 20, tzinfo=UTC))
        assert sales.landing().pace.basis == Basis.BUSINESS_DAYS

    def test_says_nothing_on_the_first_business_day(self, sales):
        first = datetime(2026, 11, 2, 3, tzinfo=UTC)
        assert view(sales.landing(now=first), Method.PACE).absence == "maturing"

    def test_a_holiday_of_the_company_changes_the_pace(self, sales):
        from kpis.services.calendar import set_holiday

        FactStream.objects.filter(fact="deals").update(covered_from=date(2026, 9, 2))
        set_holiday(day=date(2026, 11, 30), name="創立記念日", is_business_day=False, actor=None, now=NOW)
        recompute(now=NOW)
        assert round(view(sales.landing(), Method.PACE).value) == 270_000  # 150,000 ÷ 10 × 18

    def test_a_quarter_has_a_curve_of_its_own(self, sales):
        landing = landings_of(sales.goal, grain="quarter")[None]
        assert landing.actual == 550_000
        assert view(landing, Method.PACE).value is not None


class TestRollUp:
    def test_weighs_the_open_deals_of_the_period_by_their_rank(self, sales):
        landing = sales.landing()
        assert view(landing, Method.ROLLUP).value == 150_000 + Decimal("0.8") * 100_000 + Decimal("0.5") * 200_000
        assert [(step.rank.code, step.cumulative) for step in landing.roll_up.steps] == [
            ("A", 250_000),
            ("B", 450_000),
            ("C", 450_000),
        ]

    def test_leaves_out_what_is_to_be_checked_and_says_how_much(self, sales):
        rolled = sales.landing().roll_up
        assert (rolled.left_out_count, rolled.left_out_amount) == (2, 480_000)
        assert {each.fault: each.count for each in rolled.left_out} == {Fault.PAST_EXPECTED: 1, Fault.NO_AMOUNT: 1}

    def test_a_corrected_deal_counts_again(self, sales):
        send("deals", {"external_id": "late", "created_on": "2026-11-02", "expected_close_on": "2026-11-25"})
        recompute(now=NOW)
        landing = sales.landing()
        assert landing.roll_up.left_out_count == 1
        assert view(landing, Method.ROLLUP).value == 330_000 + Decimal("0.8") * 480_000

    def test_a_deal_nobody_has_touched_for_a_month_is_left_out_until_a_phase_moves(self, sales):
        old = {"created_on": "2026-09-01", "last_activity_on": "2026-10-10", "confidence": "A", "amount": 50_000}
        send("deals", {"external_id": "still", "expected_close_on": "2026-11-20", "owner": "bob", **old})
        recompute(now=NOW)
        assert Fault.NO_MOVEMENT in {each.fault for each in sales.landing().roll_up.left_out}
        moved = {"deal": "still", "phase": "提案", "entered_at": "2026-11-12T10:00:00+09:00"}
        send("deal-stage-events", {"external_id": "s1", **moved})
        recompute(now=NOW)
        assert Fault.NO_MOVEMENT not in {each.fault for each in sales.landing().roll_up.left_out}

    def test_the_companys_own_weight_wins(self, sales):
        set_rank(code="A", weight=Decimal("0.6"), actor=None, now=NOW)
        assert view(sales.landing(), Method.ROLLUP).value == 150_000 + 60_000 + 100_000

    def test_a_rank_without_weight_takes_the_measured_win_rate(self, sales):
        ConfidenceRank.objects.create(code="A", name="A", weight=None)
        closed = {"created_on": "2026-09-01", "closed_on": "2026-10-15", "confidence": "A", "owner": "bob", "amount": 1}
        outcomes = ["won"] * 3 + ["lost"] * 7
        send("deals", *({**closed, "external_id": f"c{n}", "outcome": each} for n, each in enumerate(outcomes)))
        recompute(now=NOW)
        rank = sales.landing().ranks[0]
        assert (rank.code, rank.measured, rank.applied) == ("A", Decimal("0.3"), Decimal("0.3"))

    def test_of_a_month_to_come_is_what_is_expected_in_it(self, sales):
        from kpis.selectors.landings import read_landings
        from kpis.selectors.matrix import MatrixQuery, build_matrix

        query = MatrixQuery(tree=sales.tree, grain="month", start=date(2026, 12, 1), end=date(2027, 1, 1))
        landing = read_landings(build_matrix(query, now=NOW), dimension="company", now=NOW)[None]
        assert view(landing, Method.ROLLUP).value == Decimal("0.2") * 900_000

    def test_does_not_apply_to_a_company_without_ranks(self, sales):
        send("deals", *({"external_id": name, "created_on": "2026-11-02", "confidence": ""} for name in OPEN_IDS))
        assert view(sales.landing(), Method.ROLLUP).absence == "not_applicable"

    def test_each_team_has_its_own(self, sales):
        teams = landings_of(sales.goal, dimension="team")
        assert view(teams["east"], Method.ROLLUP).value == 150_000 + 80_000
        assert view(teams["west"], Method.ROLLUP).value == 100_000


OPEN_IDS = ("sure", "even", "late", "bare", "next")


class TestCall:
    def test_the_last_one_stands_and_earlier_ones_stay(self, sales, dave):
        for day, value in ((10, 700_000), (12, 820_000)):
            at = NOW.replace(day=day)
            make_call(node=sales.goal, period_start=NOVEMBER, value=Decimal(value), actor=dave, now=at)
        assert view(sales.landing(), Method.CALL).value == 820_000
        assert sales.goal.calls.count() == 2

    def test_is_missing_until_somebody_makes_one(self, sales):
        assert view(sales.landing(), Method.CALL).absence == "missing"

    def test_of_a_team_is_not_the_companys(self, sales, east, alice):
        make_call(
            node=sales.goal,
            period_start=NOVEMBER,
            value=Decimal(300_000),
            dimension="team",
            member=east,
            actor=alice,
            now=NOW,
        )
        assert view(sales.landing(), Method.CALL).value is None
        assert view(landings_of(sales.goal, dimension="team")["east"], Method.CALL).value == 300_000


class TestScores:
    def test_the_page_shows_the_view_that_has_been_right(self, sales):
        """October and September both came to 400,000."""
        assert sales.landing().shown.method == Method.ROLLUP
        for month in (9, 10):
            remember(sales.goal, Method.PACE, month, 15, 440_000)
            remember(sales.goal, Method.CALL, month, 15, 390_000)
        make_call(node=sales.goal, period_start=NOVEMBER, value=Decimal(500_000), actor=None, now=NOW)
        landing = sales.landing()
        assert (landing.proved, landing.shown.method, landing.shown.value) == (Method.CALL, Method.CALL, 500_000)
        assert view(landing, Method.PACE).score.bias == Decimal("0.1")
        assert view(landing, Method.CALL).score.error == Decimal("0.025")

    def test_a_proved_view_without_a_value_today_is_not_shown(self, sales):
        for month in (9, 10):
            remember(sales.goal, Method.CALL, month, 15, 400_000)
        assert sales.landing().shown.method == Method.ROLLUP


class TestWhatLands:
    def test_nothing_in_a_period_that_is_over(self, sales):
        assert landings_of(sales.goal, now=NOW + timedelta(days=16))[None].period.start == date(2026, 12, 1)
        Period.objects.filter(grain="month", start_date=NOVEMBER).update(state="provisional")
        assert landings_of(sales.goal) == {}

    def test_the_number_of_queries_does_not_grow_with_the_teams(self, sales, django_assert_num_queries):
        landings_of(sales.goal, dimension="team")
        with django_assert_num_queries(QUERIES):
            landings_of(sales.goal, dimension="team")
        send("teams", *({"external_id": f"t{n}", "name": f"T{n}"} for n in range(12)))
        with django_assert_num_queries(QUERIES):
            landings_of(sales.goal, dimension="team")


QUERIES = 19  # of which the matrix takes eight
