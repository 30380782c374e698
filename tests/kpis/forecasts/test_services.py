"""Calls, ranks and daily snapshots: written once, refused where they would be wrong, never changed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.models import ConfidenceRank, KpiTree, MetricSnapshot, Period, Person, Target
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.calls import CallError, make_call
from kpis.services.definitions import create_metric
from kpis.services.ranks import RankError, ensure_ranks, set_rank
from kpis.services.recompute import recompute
from kpis.services.snapshots import take_snapshots
from kpis.services.trees import create_node, create_tree
from kpis.tasks import note_snapshots
from tenants.context import public_context
from tenants.models import DueSync
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, TODAY, WON, factor_of, landings_of, send

pytestmark = pytest.mark.django_db


def call(sales, **changes):
    fields = {"node": sales.goal, "period_start": NOVEMBER, "value": Decimal(5), "actor": None, "now": NOW, **changes}
    return make_call(**fields)


class TestMakeCall:
    def test_keeps_who_said_what_when(self, sales, dave):
        made = call(sales, value=Decimal(800_000), note=" 大型2件の内示あり ", actor=dave)
        assert (made.value, made.note, made.actor, made.at) == (800_000, "大型2件の内示あり", dave, NOW)

    @pytest.mark.parametrize(
        "changes",
        [
            {"period_start": date(2026, 11, 2)},
            {"period_start": date(2026, 10, 1)},
            {"dimension": "team"},
            {"grain": "quarter"},
        ],
        ids=["not a start", "over", "a team without member", "no quarter starts then"],
    )
    def test_refuses_what_names_no_running_period(self, sales, changes):
        with pytest.raises(CallError):
            call(sales, **changes)

    def test_refuses_a_provisional_period(self, sales):
        Period.objects.filter(grain="month", start_date=NOVEMBER).update(state="provisional")
        with pytest.raises(CallError):
            call(sales)

    def test_refuses_a_factor_that_measures_nothing(self, sales):
        factor = factor_of(sales)
        with pytest.raises(CallError):
            call(sales, node=factor)


class TestRanks:
    def test_are_seeded_from_what_open_deals_carry(self, sales):
        ensure_ranks(now=NOW)
        assert list(ConfidenceRank.objects.values_list("code", "weight")) == [
            ("A", Decimal("0.8")),
            ("B", Decimal("0.5")),
            ("C", Decimal("0.2")),
        ]

    def test_a_described_rank_is_left_alone(self, sales):
        set_rank(code="A", name="内示", weight=Decimal("0.95"), actor=None, now=NOW)
        ensure_ranks(now=NOW)
        assert ConfidenceRank.objects.get(code="A").name == "内示"

    @pytest.mark.parametrize("changes", [{"weight": Decimal("1.1")}, {"weight": Decimal("-0.1")}, {"code": " "}])
    def test_a_weight_is_a_share(self, sales, changes):
        with pytest.raises(RankError):
            set_rank(**{"code": "A", "weight": None, "actor": None, "now": NOW, **changes})


def snapshot(measure, member=None, grain="month"):
    rows = MetricSnapshot.objects.filter(measure=measure, date=TODAY, grain__in=["", grain])
    return rows.get(member__code=member) if member else rows.get(member=None)


class TestTakeSnapshots:
    def test_writes_down_every_view_of_the_landing(self, sales):
        call(sales, value=Decimal(777))
        take_snapshots(now=NOW)
        pace = snapshot("landing_pace")
        assert (pace.value, pace.numerator, pace.denominator) == (600_000, 150_000, Decimal("0.25"))
        assert snapshot("landing_rollup").value == 330_000
        assert snapshot("landing_call").value == 777
        assert snapshot("landing_rollup", "west").value == 100_000

    def test_writes_down_pipeline_and_coverage(self, sales):
        take_snapshots(now=NOW)
        assert snapshot("open_pipeline").value == 1_680_000
        assert (snapshot("open_deals").value, snapshot("open_deals", "west").value) == (5, 2)
        coverage = snapshot("coverage")
        assert (coverage.numerator, coverage.denominator) == (300_000, 850_000)

    def test_people_have_their_open_deals_and_no_landing(self, sales):
        take_snapshots(now=NOW)
        assert (snapshot("open_pipeline", "bob").value, snapshot("open_deals", "bob").value) == (1_480_000, 3)
        assert (snapshot("open_pipeline", "alice").value, snapshot("open_deals", "alice").value) == (0, 0)
        told = set(MetricSnapshot.objects.filter(dimension="person").values_list("measure", flat=True))
        assert told == {"open_pipeline", "open_deals"}, "nobody aims at the KGI"

    def test_who_has_a_target_has_a_coverage(self, sales):
        bob = Person.objects.get(external_id="bob")
        Target.objects.create(
            node=sales.goal,
            period_start=NOVEMBER,
            dimension="person",
            member=bob.member,
            initial_value=400_000,
            value=400_000,
        )
        take_snapshots(now=NOW)
        coverage = snapshot("coverage", "bob")
        assert (coverage.numerator, coverage.denominator) == (100_000, 250_000)
        assert coverage.value == Decimal("0.4")
        assert not MetricSnapshot.objects.filter(measure="coverage", member__code="dora").exists()

    def test_who_has_left_is_told_while_deals_are_open(self, sales):
        Person.objects.filter(external_id__in=["alice", "bob"]).update(left_on=TODAY)
        take_snapshots(now=NOW)
        assert snapshot("open_deals", "bob").value == 3
        assert not MetricSnapshot.objects.filter(member__code="alice").exists()

    def test_an_absent_landing_keeps_its_reason(self, sales):
        first = datetime(2026, 11, 2, 3, tzinfo=UTC)
        take_snapshots(now=first)
        row = MetricSnapshot.objects.get(measure="landing_pace", member=None, grain="month", date=date(2026, 11, 2))
        assert (row.value, row.absence) == (None, "maturing")

    def test_a_second_time_on_a_day_changes_nothing(self, sales):
        take_snapshots(now=NOW)
        before = list(MetricSnapshot.objects.order_by("pk").values())
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "amount": 5})
        recompute(now=NOW)
        assert take_snapshots(now=NOW + timedelta(hours=3)) == 0
        assert list(MetricSnapshot.objects.order_by("pk").values()) == before

    def test_the_past_is_not_computed_again(self, sales):
        take_snapshots(now=NOW)
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "amount": 5})
        recompute(now=NOW)
        take_snapshots(now=NOW + timedelta(days=1))
        values = dict(MetricSnapshot.objects.filter(measure="open_pipeline", member=None).values_list("date", "value"))
        assert values == {TODAY: 1_680_000, TODAY + timedelta(days=1): 1_580_005}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    def test_any_number_of_runs_leaves_one_row_a_day(self, sales, days):
        for day in days:
            take_snapshots(now=NOW + timedelta(days=day))
        dates = MetricSnapshot.objects.filter(measure="open_deals", member=None).values_list("date", flat=True)
        assert len(dates) == len(set(dates))

    def test_nothing_to_say_without_a_tree(self, in_acme):
        assert take_snapshots(now=timezone.now()) == 0


class TestClock:
    def test_comes_every_evening(self, acme, sales):
        note_snapshots(company_id=str(acme.pk))
        with public_context():
            due = DueSync.objects.get(company_id=acme.pk, kind="snapshots")
        assert timezone.localtime(due.next_run_at).isoformat() == "2026-11-16T23:00:00+09:00"
        assert MetricSnapshot.objects.filter(date=TODAY).exists()

    def test_a_new_company_has_one(self, acme):
        with public_context():
            assert DueSync.objects.filter(company_id=acme.pk, kind="snapshots").exists()


class TestSeveralTrees:
    """Every tree in force is foretold, and every KPI whose landing is shown with a score."""

    WON_COUNT: ClassVar = {key: value for key, value in WON.items() if key != "field"} | {"aggregate": "count"}

    def metric(self, code: str = "won_deals"):
        return create_metric(
            code=code, name=code, unit="count", accumulation="sum", spec=self.WON_COUNT, actor=None, now=NOW
        )

    def test_a_kpi_that_is_aimed_at_is_foretold_too(self, sales):
        won = self.metric()
        node = create_node(tree=sales.tree, parent=factor_of(sales), level="kpi", metric=won, actor=None, now=NOW)
        recompute(now=NOW)
        take_snapshots(now=NOW - timedelta(days=3))
        assert not MetricSnapshot.objects.filter(metric=won).exists(), "without a target nothing lands short"
        Target.objects.create(node=node, period_start=NOVEMBER, initial_value=4, value=4)
        take_snapshots(now=NOW)
        rows = MetricSnapshot.objects.filter(metric=won, date=TODAY, grain="month", member=None)
        assert dict(rows.values_list("measure", "value")) == {"landing_pace": 2, "landing_rollup": Decimal("2.8")}

    def test_its_landing_is_scored_once_the_period_is_over(self, sales):
        node = create_node(
            tree=sales.tree, parent=factor_of(sales), level="kpi", metric=self.metric(), actor=None, now=NOW
        )
        Target.objects.create(node=node, period_start=NOVEMBER, initial_value=4, value=4)
        recompute(now=NOW)
        take_snapshots(now=NOW)
        later = NOW + timedelta(days=30)
        landing = landings_of(node, now=later)[None]
        assert [(view.method, view.score.period_count) for view in landing.views if view.score] == [
            ("rollup", 1),
            ("pace", 1),
        ]

    def test_the_goal_of_every_tree_in_force_has_its_landing_and_coverage(self, sales):
        other, draft = (create_tree(name=name, fiscal_year=2026, actor=None, now=NOW) for name in ("紹介", "下書き"))
        won = self.metric()
        goal = create_node(tree=other, level="kgi", metric=won, actor=None, now=NOW)
        create_node(tree=draft, level="kgi", metric=self.metric("other"), actor=None, now=NOW)
        Target.objects.create(node=goal, period_start=NOVEMBER, initial_value=4, value=4)
        KpiTree.objects.filter(pk=other.pk).update(status="active")
        recompute(now=NOW)
        take_snapshots(now=NOW)
        found = MetricSnapshot.objects.filter(grain="month", member=None, dimension="company")
        assert set(found.filter(metric=won).values_list("measure", flat=True)) == {
            "coverage",
            "landing_pace",
            "landing_rollup",
        }
        assert found.get(metric=won, measure="coverage").denominator == 3
        assert found.get(metric=sales.goal.metric, measure="landing_rollup").value == 330_000
        assert not found.filter(metric__code="other").exists()

    def test_last_years_tree_does_not_silence_this_years(self, sales):
        KpiTree.objects.filter(pk=sales.tree.pk).update(fiscal_year=2025)
        new = create_tree(name="2026", fiscal_year=2026, actor=None, now=NOW)
        create_node(tree=new, level="kgi", metric=sales.goal.metric, actor=None, now=NOW)
        KpiTree.objects.filter(pk=new.pk).update(status="active")
        take_snapshots(now=NOW)
        assert snapshot("coverage").denominator == 850_000, "the tree that has a target of November says it"


class TestSnapshotMetric:
    def cells(self, sales, measure, grain="month", start=date(2026, 10, 1), now=NOW, dimension="company", member=None):
        metric = create_metric(
            code=f"m_{measure}",
            name=measure,
            unit="amount",
            accumulation="stock",
            spec={"kind": "snapshot", "measure": measure},
            actor=None,
            now=NOW,
        )
        create_node(tree=sales.tree, parent=factor_of(sales), level="kpi", metric=metric, actor=None, now=NOW)
        query = MatrixQuery(
            tree=sales.tree,
            grain=grain,
            start=start,
            end=date(2026, 12, 1),
            dimension=dimension,
            codes=[metric.code],
        )
        matrix = build_matrix(query, now=now)
        m = next((n for n, each in enumerate(matrix.members) if each.code == member), 0)
        return matrix.value[0][m], matrix.absence[0][m], matrix.nodes[0].as_of

    def test_shows_the_last_snapshot_of_a_period_and_when_it_was_taken(self, sales):
        for day in (0, 1):
            take_snapshots(now=NOW + timedelta(days=day))
        MetricSnapshot.objects.filter(measure="open_pipeline", date=TODAY).update(value=1)
        values, absences, as_of = self.cells(sales, "open_pipeline")
        assert (values, absences) == ([None, 1_680_000], ["missing", None])
        assert as_of == NOW + timedelta(days=1)

    def test_a_landing_is_read_at_its_own_grain(self, sales):
        take_snapshots(now=NOW)
        values, _absences, _as_of = self.cells(sales, "landing_rollup", grain="quarter")
        assert values == [Decimal(910_000)]  # with the deal expected in December

    def test_a_member_reads_the_own_pipeline(self, sales):
        take_snapshots(now=NOW)
        values, _absences, _as_of = self.cells(sales, "open_pipeline", dimension="person", member="bob")
        assert values == [None, 1_480_000]

    def test_a_stock_of_a_day_is_that_of_the_half_and_the_year(self, sales):
        take_snapshots(now=NOW)
        assert self.cells(sales, "open_pipeline", grain="half")[0] == [1_680_000]

    @pytest.mark.parametrize(
        ("measure", "grain", "dimension"),
        [
            ("coverage", "half", "company"),
            ("coverage", "year", "company"),
            ("landing_pace", "week", "company"),
            ("renewal_due", "half", "company"),
            ("open_pipeline", "month", "region"),
            ("open_deals", "month", "product"),
            ("coverage", "month", "lead_source"),
            ("landing_call", "month", "person"),
            ("renewal_due", "month", "person"),
        ],
    )
    def test_what_is_never_written_down_does_not_apply(self, sales, measure, grain, dimension):
        send("products", {"external_id": "X", "name": "X"})
        take_snapshots(now=NOW)
        values, absences, _as_of = self.cells(sales, measure, grain=grain, start=date(2026, 4, 1), dimension=dimension)
        assert set(values) == {None}
        assert set(absences) == {"not_applicable"}

    def test_a_due_set_is_frozen_at_the_start(self, sales):
        take_snapshots(now=NOW)
        row = MetricSnapshot.objects.filter(measure="open_deals", member=None).get()
        for day, value in ((2, 7), (20, 9)):
            row.pk, row.measure, row.date, row.value = None, "renewal_due", date(2026, 11, day), value
            row.grain, row.period_start = "month", NOVEMBER
            row.save(force_insert=True)
        values, _absences, _as_of = self.cells(sales, "renewal_due")
        assert values == [None, 7]
