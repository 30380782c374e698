"""Working back with the company's own numbers, and applying what comes out as targets."""

import uuid
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kpis.engine.back_calculation import Capacity, LeadTime
from kpis.engine.templates import INSIDE_SALES
from kpis.engine.templates.documents import document_of, to_data
from kpis.models import (
    BackCalculation,
    Deal,
    KpiNode,
    KpiTree,
    Lead,
    Metric,
    Period,
    Target,
    TargetRevision,
    TemplateUse,
)
from kpis.selectors import checklist as items
from kpis.selectors.back_calculation import BackCalculationRequest, WorkedBack, read_basis, work_back_goal
from kpis.selectors.calendar import find_period
from kpis.selectors.close_profile import read_lag
from kpis.services.back_calculation import BackCalculationError, apply_back_calculation
from kpis.services.calendar import ensure_calendar
from kpis.services.definitions import create_metric
from kpis.services.recompute import recompute
from kpis.services.targets import TargetError
from kpis.services.trees import create_node, create_tree
from tenants.registry import ItemStatus
from tests.kpis.back_calculation import NOW, TODAY, grow_tree, live_a_year, send
from tests.remembering import remembered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
WORKED_EXAMPLE = {"average_deal_size": Decimal(1_000_000), "win_rate": Decimal(1), "opportunity_rate": Decimal("0.2")}


@pytest.fixture
@remembered
def tree(in_acme: Any) -> KpiTree:
    ensure_calendar(first_day=date(2025, 4, 1), last_day=date(2027, 3, 31))
    return grow_tree()


@pytest.fixture
@remembered
def history(tree: KpiTree) -> None:
    live_a_year()


def period(grain: str, day: date) -> Period:
    found = find_period(grain, day)
    assert found is not None
    return found


def work(
    tree: KpiTree, value: int = 120_000_000, grain: str = "year", day: date = date(2026, 4, 1), **changes: Any
) -> WorkedBack:
    fields = {"metric": "bookings", "value": Decimal(value), "period": period(grain, day), **changes}
    has_mql = fields.get("has_mql")
    request = BackCalculationRequest(tree=tree, **fields)
    return work_back_goal(request, read_basis(tree, has_mql=has_mql, now=NOW), now=NOW)


def needed(worked: WorkedBack) -> dict[str, int]:
    return {str(step.stage): int(step.needed) for step in worked.plan().steps}


def lead_times(worked: WorkedBack) -> dict[str, LeadTime]:
    return {str(step.stage): step.lead_time for step in worked.plan().steps if step.lead_time is not None}


def issues(worked: WorkedBack) -> list[tuple[str, str]]:
    return [(issue.field, issue.code) for issue in worked.issues]


def targets(tree: KpiTree, code: str) -> list[int]:
    rows = Target.objects.filter(node__tree=tree, node__code=code).order_by("period_start")
    return [int(value) for value in rows.values_list("value", flat=True)]


class TestOwnRates:
    def test_are_sums_over_twelve_months_with_the_band_of_the_quarters(self, tree: KpiTree, history: None) -> None:
        rates = read_basis(tree, now=NOW).history.rates
        assert rates["win_rate"].value == Decimal(27) / 120
        assert rates["win_rate"].band is not None
        assert (rates["win_rate"].band.low, rates["win_rate"].band.high) == (Decimal("0.2"), Decimal("0.3"))
        assert rates["average_deal_size"].value == 1_000_000
        assert rates["opportunity_rate"].value == Decimal("0.2")
        assert rates["mql_rate"].value == Decimal("0.5")
        assert rates["lead_share"].value == Decimal("0.5")

    def test_lead_times_add_up_from_the_order_back(self, tree: KpiTree, history: None) -> None:
        assert read_basis(tree, now=NOW).history.lead_days == {
            "won_deals": 0,
            "closed_deals": 0,
            "opportunities": 60,
            "sql": 60,
            "mql": 65,
            "new_leads": 75,
        }

    def test_what_is_not_known_is_absent_and_never_the_benchmark(self, tree: KpiTree) -> None:
        basis = read_basis(tree, now=NOW)
        assert basis.history.rates == {}
        assert basis.benchmarks["win_rate"].value == Decimal("0.2")
        worked = work(tree)
        assert worked.plan().steps == ()
        assert worked.plan().missing == ("average_deal_size",)

    def test_activities_per_deal_come_from_the_same_months(self, tree: KpiTree, history: None) -> None:
        calls = {"kind": "simple", "fact": "activities", "date": "happened_on", "aggregate": "count"}
        spec = {**calls, "filters": [{"field": "kind", "op": "in", "value": ["call"]}]}
        metric = create_metric(
            code="calls", name="Calls", unit="count", accumulation="sum", spec=spec, actor=None, now=NOW
        )
        factor = tree.nodes.get(code="new_customers")
        create_node(tree=tree, parent=factor, level="kpi", metric=metric, actor=None, now=NOW)
        done = [("2025-11-01", "D25110"), ("2026-08-01", "D26081")]
        send(
            "activities",
            [
                {"external_id": f"{deal}-{n}", "kind": "call", "happened_on": day, "deal": deal}
                for day, deal in done
                for n in range(30)
            ],
        )
        recompute(now=NOW)
        worked = work(tree)
        (step,) = [step for step in worked.plan().steps if step.stage == "calls"]
        assert step.assumption is not None
        assert (step.assumption.value, step.assumption.source) == (Decimal("0.5"), "own")
        assert step.needed == 267


class TestWorkBack:
    def test_34_opportunities_are_170_mqls_in_a_company_with_an_mql_stage(self, tree: KpiTree) -> None:
        worked = work(tree, 34_000_000, rates=WORKED_EXAMPLE)
        assert needed(worked) == {
            "won_deals": 34,
            "closed_deals": 34,
            "opportunities": 34,
            "sql": 34,
            "mql": 170,
        }
        assert needed(work(tree, 34_000_000, rates={**WORKED_EXAMPLE, "mql_rate": Decimal("0.5")}))["new_leads"] == 340

    def test_and_170_leads_in_one_without(self, tree: KpiTree) -> None:
        assert needed(work(tree, 34_000_000, rates=WORKED_EXAMPLE, has_mql=False))["new_leads"] == 170

    def test_a_tree_and_company_without_mqls_has_no_mql_stage(self, in_acme: Any) -> None:
        plain = create_tree(name="Plain", fiscal_year=2026, actor=None, now=NOW)
        spec = {"kind": "manual"}
        metric = create_metric(
            code="bookings", name="Bookings", unit="amount", accumulation="sum", spec=spec, actor=None, now=NOW
        )
        create_node(tree=plain, level="kgi", metric=metric, actor=None, now=NOW)
        assert needed(work(plain, 34_000_000, rates=WORKED_EXAMPLE))["new_leads"] == 170
        send("leads", [{"external_id": "L1", "created_on": "2026-04-01", "mql_on": "2026-04-02"}])
        assert needed(work(plain, 34_000_000, rates=WORKED_EXAMPLE))["mql"] == 170

    def test_own_rates_lead_from_the_goal_to_the_leads(self, tree: KpiTree, history: None) -> None:
        worked = work(tree, 27_000_000)
        assert needed(worked) == {
            "won_deals": 27,
            "closed_deals": 120,
            "opportunities": 120,
            "sql": 120,
            "mql": 600,
            "new_leads": 1200,
        }
        assert {step.assumption.source for step in worked.plan().steps if step.assumption} == {"own"}

    def test_the_share_of_leads_counts_where_it_is_asked_for(self, tree: KpiTree, history: None) -> None:
        assert [issue.code for issue in work(tree).warnings] == ["other_origins"]
        worked = work(tree, 27_000_000, rates={"lead_share": "own"})
        assert worked.warnings == ()
        assert needed(worked)["sql"] == 60

    def test_march_orders_need_january_leads(self, tree: KpiTree, history: None) -> None:
        worked = work(tree, 27_000_000, "month", date(2027, 3, 1), lead_days={"new_leads": 65})
        assert [need.month.start for need in worked.plan().steps[-1].needs] == [date(2027, 1, 1)]

    def test_typed_days_carry_the_companys_own_lags_on(self, tree: KpiTree, history: None) -> None:
        worked = work(tree, lead_days={"opportunities": 30})
        lead_time = lead_times(worked)["new_leads"]
        assert (lead_time.days, lead_time.source) == (45, "typed")

    def test_the_goal_follows_the_shape_of_its_targets(self, tree: KpiTree, history: None) -> None:
        goal = tree.nodes.get(code="bookings")
        for month in Period.objects.filter(grain="month", fiscal_year__start_year=2026):
            value = 3_000_000 if month.start_date == date(2027, 3, 1) else 1_000_000
            Target.objects.create(node=goal, period_start=month.start_date, value=value, initial_value=value)
        parts = [int(need.value) for need in work(tree, 28_000_000).plan().goal]
        assert parts == [2_000_000] * 11 + [6_000_000]

    def test_a_capacity_is_met_or_named(self, tree: KpiTree, history: None) -> None:
        enough = work(tree, 27_000_000, capacities={"opportunities": Capacity(Decimal(5), Decimal(2))})
        assert enough.plan().is_feasible
        assert not work(tree, 27_000_000, capacities={"mql": Capacity(Decimal(5), Decimal(2))}).plan().is_feasible

    @pytest.mark.parametrize(
        ("changes", "issue"),
        [
            ({"metric": "csat"}, ("goal.metric", "invalid")),
            ({"rates": {"luck": Decimal(1)}}, ("rates.luck", "unknown")),
            ({"rates": {"win_rate": "own"}}, ("rates.win_rate", "no_history")),
            ({"rates": {"mql_rate": "benchmark"}}, ("rates.mql_rate", "no_benchmark")),
            ({"lead_days": {"mql": 10, "sql": 30}}, ("lead_times_days.mql", "order")),
        ],
    )
    def test_says_what_it_cannot_use(self, tree: KpiTree, changes: Any, issue: tuple[str, str]) -> None:
        worked = work(tree, **changes)
        assert issues(worked) == [issue]
        with pytest.raises(BackCalculationError):
            apply_back_calculation(worked=worked, actor=None, now=NOW)


class TestLeadTimes:
    """How long before the order a stage lies, and where that is known from."""

    def test_the_months_share_it_as_the_companys_own_orders_were_begun(self, tree: KpiTree, history: None) -> None:
        worked = work(tree, 9_000_000, "month", date(2027, 3, 1))
        own = read_lag(since=date(2025, 11, 1), until=date(2026, 11, 1)).profile
        assert own is not None
        assert lead_times(worked)["opportunities"].profile == own
        assert [round(share * 27) for share in own.shares] == [0, 0, 25, 2]
        assert {each.source for stage, each in lead_times(worked).items() if stage != "won_deals"} == {None, "profile"}
        opportunities = next(step for step in worked.plan().steps if step.stage == "opportunities")
        assert [(need.month.start, int(need.value)) for need in opportunities.needs] == [
            (date(2026, 12, 1), 3),
            (date(2027, 1, 1), 37),
        ]
        assert [month.start for month in opportunities.months] == [date(2027, 1, 1)]

    def test_deals_that_name_their_leads_tell_the_whole_way_at_once(self, tree: KpiTree, history: None) -> None:
        won = Deal.objects.filter(outcome="won").order_by("closed_on")
        send("leads", [{"external_id": f"W{deal.external_id}", "created_on": "2025-08-01"} for deal in won])
        for deal in won:
            deal.lead = Lead.objects.get(external_id=f"W{deal.external_id}")
            deal.save()
        recompute(now=NOW)
        profile = lead_times(work(tree))["new_leads"].profile
        assert profile.longest == 14, "from August 2025 to the orders of October 2026"
        assert profile.share(3) == Decimal(2) / 27

    def test_too_few_orders_are_no_habit_so_their_median_counts(self, tree: KpiTree) -> None:
        deal = {"created_on": "2026-07-01", "outcome": "won", "amount": 1_000_000}
        days = ("2026-08-28", "2026-08-30", "2026-10-30")
        send("deals", [{**deal, "external_id": day, "closed_on": day} for day in days])
        recompute(now=NOW)
        worked = work(tree, 9_000_000, "month", date(2027, 3, 1), rates=WORKED_EXAMPLE)
        lead_time = lead_times(worked)["opportunities"]
        assert (lead_time.source, lead_time.days) == ("median", 60)
        (need,) = next(step for step in worked.plan().steps if step.stage == "opportunities").needs
        assert need.month.start == date(2027, 1, 1)

    def test_what_was_typed_stands_against_the_profile(self, tree: KpiTree, history: None) -> None:
        worked = work(tree, 9_000_000, "month", date(2027, 3, 1), lead_days={"sql": 30})
        sources = {stage: each.source for stage, each in lead_times(worked).items()}
        assert (sources["opportunities"], sources["sql"], sources["new_leads"]) == ("profile", "typed", "typed")
        (need,) = next(step for step in worked.plan().steps if step.stage == "sql").needs
        assert need.month.start == date(2027, 2, 1)

    def test_without_any_history_there_is_none_and_that_is_said(self, tree: KpiTree) -> None:
        steps = work(tree, 34_000_000, rates=WORKED_EXAMPLE).plan().steps
        assert "opportunities" not in lead_times(work(tree, 34_000_000, rates=WORKED_EXAMPLE))
        assert "no_lead_time" in [issue.code for step in steps for issue in step.warnings]


class TestInsideSales:
    """The shipped tree of inside sales: its opportunity rate is a cohort from leads to opportunities."""

    @pytest.fixture
    @remembered
    def inside(self, in_acme: Any) -> KpiTree:
        ensure_calendar(first_day=date(2025, 4, 1), last_day=date(2027, 3, 31))
        return grow_tree(INSIDE_SALES)

    def test_its_own_rate_leaves_out_what_may_still_convert(self, inside: KpiTree) -> None:
        live_a_year()
        send("leads", [{"external_id": f"young{n}", "created_on": "2026-10-05"} for n in range(60)])
        recompute(now=NOW)
        rate = read_basis(inside, now=NOW).history.rates["opportunity_rate"]
        assert (rate.value, rate.cases) == (Decimal("0.1"), 180), "nine months of twenty leads that are over"

    def test_its_benchmark_is_offered_and_can_be_used(self, inside: KpiTree) -> None:
        benchmark = read_basis(inside, now=NOW).benchmarks["opportunity_rate"]
        assert (benchmark.value, benchmark.band.low, benchmark.band.high) == tuple(map(Decimal, ("0.25", "0.2", "0.3")))
        rates = {**WORKED_EXAMPLE, "opportunity_rate": "benchmark"}
        assert needed(work(inside, 34_000_000, rates=rates)) == {
            "won_deals": 34,
            "closed_deals": 34,
            "opportunities": 34,
            "new_leads": 136,
        }

    def test_its_target_is_applied(self, inside: KpiTree) -> None:
        worked = work(inside, 34_000_000, rates=WORKED_EXAMPLE)
        apply_back_calculation(worked=worked, reason="plan", actor=None, now=NOW)
        rows = Target.objects.filter(node__code="opportunity_rate_leads")
        assert [float(value) for value in rows.values_list("value", flat=True)] == [0.2] * 12
        assert sum(targets(inside, "new_leads")) == 170

    def test_a_code_of_the_companys_own_changes_nothing(self, inside: KpiTree) -> None:
        Metric.objects.filter(code="opportunity_rate_leads").update(code="nurturing")
        live_a_year()
        basis = read_basis(inside, now=NOW)
        assert basis.history.rates["opportunity_rate"].value == Decimal("0.1")
        assert basis.benchmarks["opportunity_rate"].value == Decimal("0.25")

    def test_a_tree_of_another_style_has_the_figures_of_its_own(self, tree: KpiTree) -> None:
        assert read_basis(tree, now=NOW).benchmarks["opportunity_rate"].value == Decimal("0.2")
        forms = read_basis(tree, has_mql=False, now=NOW).benchmarks
        assert forms["opportunity_rate"].value == Decimal("0.25"), "the style has none of leads, so those of all"

    def test_the_consultancys_own_figures_come_before_the_shipped_ones(self, inside: KpiTree) -> None:
        shipped = document_of(INSIDE_SALES)
        own = tuple(
            replace(each, low=Decimal("0.4"), high=Decimal("0.5")) if each.metric == "opportunity_rate_leads" else each
            for each in shipped.benchmarks
            if each.metric != "win_rate"
        )
        TemplateUse.objects.create(
            tree=inside,
            template_id=uuid.uuid4(),
            name="House",
            version=1,
            document=to_data(replace(shipped, benchmarks=own)),
            taken_at=NOW,
        )
        benchmarks = read_basis(inside, now=NOW).benchmarks
        assert benchmarks["opportunity_rate"].value == Decimal("0.45")
        assert "win_rate" not in benchmarks


class TestApply:
    def apply(self, worked: WorkedBack, **changes: Any) -> BackCalculation:
        return apply_back_calculation(worked=worked, **{"reason": "plan", "actor": None, "now": NOW, **changes})

    def test_writes_the_goal_its_counts_and_its_rates(self, tree: KpiTree, history: None, dave: Any) -> None:
        applied = self.apply(work(tree, 27_000_000), actor=dave)
        assert sum(targets(tree, "bookings")) == 27_000_000
        assert {code: sum(targets(tree, code)) for code in ("won_deals", "closed_deals", "mql", "new_leads")} == {
            "won_deals": 27,
            "closed_deals": 120,
            "mql": 600,
            "new_leads": 1200,
        }
        assert set(Target.objects.filter(node__code="win_rate").values_list("value", flat=True)) == {Decimal("0.225")}
        assert (applied.tree, applied.goal_value, applied.applied_by, applied.scenario) == (
            tree,
            27_000_000,
            dave,
            "standard",
        )
        assert applied.target_count == Target.objects.count() == 12 * 10
        assert applied.result["assumptions"]["win_rate"] == {"value": "0.225", "source": "own"}

    def test_again_changes_nothing(self, tree: KpiTree, history: None) -> None:
        first = self.apply(work(tree))
        revisions = TargetRevision.objects.count()
        assert self.apply(work(tree)) == first
        assert (BackCalculation.objects.count(), TargetRevision.objects.count()) == (1, revisions)

    def test_another_goal_is_a_revision_and_a_record_of_its_own(self, tree: KpiTree, history: None) -> None:
        first = self.apply(work(tree))
        assert self.apply(work(tree, 130_000_000)) != first
        assert KpiNode.objects.get(tree=tree, code="bookings").targets.first().revisions.count() == 2

    def test_closed_periods_keep_their_targets(self, tree: KpiTree, history: None) -> None:
        self.apply(work(tree))
        april = targets(tree, "bookings")[0]
        Period.objects.filter(grain="month", start_date=date(2026, 4, 1)).update(state="closed")
        self.apply(work(tree, 240_000_000))
        assert targets(tree, "bookings")[:2] == [april, 20_000_000]

    def test_nothing_before_the_chosen_day_changes(self, tree: KpiTree, history: None) -> None:
        applied = self.apply(work(tree), first=date(2026, 12, 1))
        assert len(targets(tree, "bookings")) == 4
        assert applied.input["from"] == "2026-12-01"

    def test_a_change_in_force_needs_its_reason(self, tree: KpiTree, history: None) -> None:
        self.apply(work(tree))
        with pytest.raises(TargetError):
            self.apply(work(tree, 130_000_000), reason="")
        assert BackCalculation.objects.count() == 1

    def test_the_scenario_decides_the_numbers(self, tree: KpiTree, history: None) -> None:
        self.apply(work(tree, 27_000_000), scenario="cautious")
        assert sum(targets(tree, "closed_deals")) == 150
        assert set(Target.objects.filter(node__code="win_rate").values_list("value", flat=True)) == {Decimal("0.2")}

    def test_one_month_writes_the_months_in_which_its_numbers_are_needed(self, tree: KpiTree, history: None) -> None:
        self.apply(work(tree, 9_000_000, "month", date(2027, 3, 1)))
        rows = Target.objects.filter(node__tree=tree).values_list("node__code", "period_start", "value")
        found = {(code, start.month): int(value) for code, start, value in rows}
        assert found["bookings", 3] == 9_000_000
        assert (found["sql", 12], found["sql", 1]) == (3, 37)  # 2 of 27 orders were begun three months before
        assert (found["new_leads", 12], found["new_leads", 1]) == (30, 370)

    def test_a_month_of_another_year_is_left_alone(self, tree: KpiTree, history: None) -> None:
        self.apply(work(tree, 9_000_000, "month", date(2026, 4, 1)))
        assert targets(tree, "bookings") == [9_000_000]
        assert targets(tree, "new_leads") == []

    def test_weeks_of_a_month_share_its_number(self, tree: KpiTree, history: None) -> None:
        tree.nodes.filter(code="new_leads").update(frequency="week")
        self.apply(work(tree, 27_000_000))
        assert sum(targets(tree, "new_leads")) == 1200
        assert len(targets(tree, "new_leads")) > 48


class TestChecklist:
    def apply(self, tree: KpiTree) -> None:
        apply_back_calculation(worked=work(tree, 27_000_000), reason="plan", actor=None, now=NOW)

    def test_waits_for_a_back_calculation(self, tree: KpiTree, history: None) -> None:
        state = items.check_worked_back(TODAY)
        assert state.status == ItemStatus.IN_PROGRESS
        assert state.next_step_url == f"/back-calculation/?tree={tree.public_id}"

    def test_is_done_once_one_was_applied(self, tree: KpiTree, history: None) -> None:
        self.apply(tree)
        assert items.check_worked_back(TODAY).status == ItemStatus.DONE

    @pytest.mark.parametrize(
        ("code", "factor", "status"),
        [
            ("new_leads", "1.04", ItemStatus.DONE),
            ("new_leads", "1.10", ItemStatus.REGRESSED),
            ("mql", "0.90", ItemStatus.REGRESSED),
            ("bookings", "1.10", ItemStatus.REGRESSED),
            ("win_rate", "0.90", ItemStatus.REGRESSED),
        ],
    )
    def test_regresses_when_targets_no_longer_lead_to_the_goal(
        self, tree: KpiTree, history: None, code: str, factor: str, status: str
    ) -> None:
        self.apply(tree)
        for row in Target.objects.filter(node__code=code):
            row.value *= Decimal(factor)
            row.save()
        assert items.check_worked_back(TODAY).status == status

    def test_closed_months_that_nobody_can_change_do_not_stand_against_it(self, tree: KpiTree, history: None) -> None:
        self.apply(tree)
        Target.objects.filter(node__code="new_leads", period_start__lt=date(2026, 8, 1)).update(value=1)
        assert items.check_worked_back(TODAY).status == ItemStatus.REGRESSED
        Period.objects.filter(grain="month", start_date__lt=date(2026, 8, 1)).update(state="closed")
        self.apply(tree)
        assert items.check_worked_back(TODAY).status == ItemStatus.DONE
