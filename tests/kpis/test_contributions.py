"""Why the KGI is not its target: what each number of the tree did, adding up to the yen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kpis.engine.contribution import Method
from kpis.models import DimensionMember, KpiNode, KpiTree, Metric, MetricVersion, Period, Target
from kpis.selectors.contributions import Contributions, read_contributions
from kpis.selectors.details import Segment
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from tests.remembering import remembered

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
DEALS = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}
WON = {"field": "outcome", "op": "in", "value": ["won"]}
CLOSED = {"field": "outcome", "op": "in", "value": ["won", "lost"]}
SPECS: Mapping[str, tuple[str, str, dict]] = {
    "bookings": ("amount", "sum", {**DEALS, "aggregate": "sum", "field": "amount", "filters": [WON]}),
    "won_deals": ("count", "sum", {**DEALS, "filters": [WON]}),
    "closed_deals": ("count", "sum", {**DEALS, "filters": [CLOSED]}),
    "win_rate": ("percent", "rate", {"kind": "formula", "expression": "won_deals / closed_deals"}),
    "deal_size": ("amount", "average", {"kind": "formula", "expression": "bookings / won_deals"}),
    "new_deals": ("count", "sum", {**DEALS, "date": "created_on"}),
    "new_leads": ("count", "sum", {**DEALS, "fact": "leads", "date": "created_on"}),
    "yield": ("percent", "rate", {"kind": "formula", "expression": "won_deals / new_deals"}),
    "proposals": ("count", "sum", {"kind": "manual"}),
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@dataclass
class Plan:
    """A tree that grows as a test needs it: bookings as KGI, one factor, KPIs below it."""

    tree: KpiTree
    metrics: dict[str, Metric]
    goal: KpiNode
    factor: KpiNode

    def add(self, code: str, *, link: str = "formula", parent: KpiNode | None = None, **targets: object) -> KpiNode:
        node = KpiNode.objects.create(
            tree=self.tree,
            parent=parent or self.factor,
            level="kpi",
            code=code,
            name=code,
            metric=self.metrics[code],
            link=link,
            position=KpiNode.objects.count(),
        )
        self.aim(node, **targets)
        return node

    def aim(self, node: KpiNode, **targets: object) -> None:
        """`oct="0.5"`: the target of October; `east__oct` that of the team."""
        for name, value in targets.items():
            team, _line, month = name.rpartition("__")
            member = DimensionMember.objects.get(dimension__code="team", code=team) if team else None
            Target.objects.create(
                node=node,
                period_start=date(2026, {"aug": 8, "sep": 9, "oct": 10, "nov": 11}[month], 1),
                dimension="team" if team else "company",
                member=member,
                initial_value=value,
                value=value,
            )

    def explain(self, grain: str = "month", day: date = date(2026, 10, 1), **options: object) -> Contributions | None:
        period = Period.objects.get(grain=grain, start_date=day)
        segment = options.pop("segment", Segment())
        return read_contributions(self.tree, period, segment, now=NOW, **options)

    def told(self, *args: object, **options: object) -> Contributions:
        found = self.explain(*args, **options)
        assert found is not None
        parts = [*(share.amount for share in found.shares), found.not_explained, found.total_timing]
        assert sum(parts) == found.gap
        assert all(part == part.to_integral_value() for part in parts)
        return found


@pytest.fixture
@remembered
def plan() -> Plan:
    metrics = {}
    for code, (unit, accumulation, spec) in SPECS.items():
        metrics[code] = Metric.objects.create(code=code, name=code, unit=unit, accumulation=accumulation)
        MetricVersion.objects.create(metric=metrics[code], number=1, spec=spec)
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026, status="active")
    goal = KpiNode.objects.create(tree=tree, level="kgi", code="bookings", name="bookings", metric=metrics["bookings"])
    factor = KpiNode.objects.create(tree=tree, parent=goal, level="ksf", code="skill", name="skill", reason="why")
    return Plan(tree, metrics, goal, factor)


def send(resource: str, *records: dict) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected
    recompute(now=NOW)


def deals(
    count: int, created: str, closed: str | None, outcome: str = "won", amount: int = 100, **more: object
) -> None:
    send(
        "deals",
        *(
            {
                "external_id": f"{created}-{closed}-{outcome}-{more.get('owner')}-{n}",
                "created_on": created,
                "closed_on": closed,
                "outcome": outcome,
                "amount": amount,
                **more,
            }
            for n in range(count)
        ),
    )


def amounts(found: Contributions) -> dict[str, Decimal]:
    return {cause.node.code: cause.amount for cause in found.causes}


@pytest.fixture
@remembered
def factors(plan: Plan) -> Plan:
    """October: 8 of 20 deals won at 100; planned were 25 deals at 50 % and 80."""
    plan.aim(plan.goal, oct=1000)
    plan.add("closed_deals", oct=25)
    plan.add("win_rate", oct="0.5")
    plan.add("deal_size", oct=80)
    deals(8, "2026-10-02", "2026-10-05")
    deals(12, "2026-10-02", "2026-10-06", "lost")
    return plan


class TestFactors:
    def test_the_parts_add_up_to_the_gap(self, factors: Plan) -> None:
        found = factors.told()
        assert found.gap == -200
        assert amounts(found) == {"closed_deals": -200, "win_rate": -200, "deal_size": 200}
        assert {cause.method for cause in found.causes} == {Method.LOG_MEAN}
        assert found.not_explained == 0

    def test_names_the_bottleneck_and_what_each_lever_needs(self, factors: Plan) -> None:
        found = factors.told()
        assert found.bottleneck is not None
        needed = {cause.node.code: cause.needed for cause in found.causes}
        assert needed["closed_deals"] == 25
        assert needed["win_rate"] == Decimal("0.5")
        assert needed["deal_size"] == 125
        deals(12, "2026-10-02", "2026-10-09")
        assert factors.told().bottleneck is None

    def test_a_rate_that_would_have_to_pass_one_is_no_way(self, factors: Plan) -> None:
        factors.aim(factors.goal, sep=9000)
        Target.objects.filter(node=factors.goal, period_start="2026-10-01").update(value=9000)
        needed = {cause.node.code: cause.needed for cause in factors.told().causes}
        assert needed["win_rate"] is None

    def test_what_the_plan_itself_leaves_open_is_not_explained(self, factors: Plan) -> None:
        Target.objects.filter(node=factors.goal).update(value=1500)
        found = factors.told()
        assert found.gap == -700
        assert found.not_explained < -400

    def test_an_unplanned_part_is_not_explained(self, factors: Plan) -> None:
        Target.objects.filter(node__code="win_rate").delete()
        found = factors.told()
        assert set(amounts(found)) == {"closed_deals", "deal_size"}
        assert found.not_explained == -200

    def test_nothing_won_takes_shapley(self, factors: Plan) -> None:
        deals(8, "2026-10-02", "2026-10-05", amount=0)
        found = factors.told()
        assert found.gap == -1000
        assert {cause.method for cause in found.causes} == {Method.SHAPLEY}

    def test_without_target_there_is_nothing_to_explain(self, factors: Plan) -> None:
        assert factors.explain(day=date(2026, 9, 1)) is None

    def test_a_formula_as_goal(self, factors: Plan) -> None:
        spec = {"kind": "formula", "expression": "closed_deals * win_rate * deal_size"}
        metric = Metric.objects.create(code="sales", name="sales", unit="amount", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.filter(pk=factors.goal.pk).update(metric=metric)
        assert amounts(factors.told()) == {"closed_deals": -200, "win_rate": -200, "deal_size": 200}

    def test_parts_of_the_same_unit_add_up(self, plan: Plan) -> None:
        for code, kind in (("new_sales", "new"), ("more_sales", "existing")):
            metric = Metric.objects.create(code=code, name=code, unit="amount", accumulation="sum")
            filters = [WON, {"field": "customer_type", "op": "eq", "value": kind}]
            spec = {**SPECS["bookings"][2], "filters": filters}
            MetricVersion.objects.create(metric=metric, number=1, spec=spec)
            plan.metrics[code] = metric
        plan.aim(plan.goal, oct=1000)
        plan.add("new_sales", oct=600)
        plan.add("more_sales", oct=400)
        deals(3, "2026-10-01", "2026-10-02", customer_type="new")
        deals(5, "2026-10-01", "2026-10-03", customer_type="existing")
        found = plan.told()
        assert amounts(found) == {"new_sales": -300, "more_sales": 100}
        assert {cause.method for cause in found.causes} == {Method.DIFFERENCE}

    def test_of_one_team(self, factors: Plan) -> None:
        send("teams", {"external_id": "east", "name": "East"})
        send("people", {"external_id": "bob", "name": "Bob", "team": "east"})
        for code, value in (("bookings", 300), ("closed_deals", 6), ("win_rate", "0.5"), ("deal_size", 100)):
            factors.aim(KpiNode.objects.get(code=code), east__oct=value)
        deals(2, "2026-10-02", "2026-10-07", owner="bob")
        east = DimensionMember.objects.get(dimension__code="team", code="east")
        found = factors.told(segment=Segment("team", east))
        assert found.gap == -100
        assert amounts(found)["closed_deals"] < 0

    def test_an_open_month_is_held_against_what_is_due(self, factors: Plan) -> None:
        for code, value in (("bookings", 2000), ("closed_deals", 50), ("win_rate", "0.5"), ("deal_size", 80)):
            factors.aim(KpiNode.objects.get(code=code), nov=value)
        deals(8, "2026-10-02", "2026-11-05")
        whole, due = (factors.told(day=date(2026, 11, 1), to_date=each) for each in (False, True))
        assert whole.gap == 800 - 2000
        assert due.gap == 800 - 1053  # 10 of the month's 19 business days
        assert due.is_to_date


class TestLags:
    @pytest.fixture
    @remembered
    def lagged(self, factors: Plan) -> Plan:
        """Of 40 won deals 30 % close in their month; October created 10 of 30 planned, September 20 of 20."""
        deals(12, "2026-06-01", "2026-06-20")
        deals(28, "2026-06-01", "2026-07-05")
        deals(5, "2026-09-10", None, "open")
        factors.add("new_deals", link="lagged", oct=30, sep=5)
        return factors

    def test_a_month_explains_no_more_than_closes_in_it(self, lagged: Plan) -> None:
        found = lagged.told()
        october = next(
            share
            for share in found.shares
            if share.period_start == date(2026, 10, 1) and share.node.code == "new_deals"
        )
        assert october.method == Method.LAGGED
        closed = next(cause for cause in found.causes if cause.node.code == "closed_deals")
        assert closed.amount == october.amount + sum(s.amount for s in closed.starts[1:]) + closed.timing
        assert found.total_timing == closed.timing

    def test_the_driven_number_is_not_told_twice(self, lagged: Plan) -> None:
        assert {share.node.code for share in lagged.told().shares} == {"new_deals", "win_rate", "deal_size"}

    def test_too_few_cases_know_no_lags(self, factors: Plan) -> None:
        factors.add("new_deals", link="lagged", oct=30)
        gone = {"created_on": "2026-10-02", "closed_on": "2026-10-06", "outcome": "void"}
        send("deals", {"external_id": "2026-10-02-2026-10-06-lost-None-0", **gone})
        found = factors.told()
        assert "closed_deals" in amounts(found)
        assert found.total_timing == 0
        assert "new_deals" not in {share.node.code for share in found.shares}

    def test_a_same_month_rate_is_not_stated_below_the_median_cycle(self, plan: Plan) -> None:
        plan.aim(plan.goal, sep=3000, oct=3000)
        plan.add("new_deals", sep=60, oct=60)
        plan.add("yield", sep="0.5", oct="0.5")
        plan.add("deal_size", sep=100, oct=100)
        deals(30, "2026-08-05", "2026-10-10")
        deals(10, "2026-10-01", "2026-10-20")
        found = plan.told()
        assert "yield" not in {share.node.code for share in found.shares}
        # A quarter closes in its month, and 40 starts brought 4,000 in a year: 50 starts fewer cost 1,250, not 2,500.
        assert {share.period_start.month: share.amount for share in found.shares if share.node.code == "new_deals"} == {
            10: -1250,
            9: 0,
        }
        assert found.timing == found.gap - found.not_explained + 1250 - amounts(found)["deal_size"]

    def test_without_a_lagged_link_nothing_earlier_is_told(self, lagged: Plan) -> None:
        KpiNode.objects.filter(code="new_deals").update(link="influence")
        assert "new_deals" not in {share.node.code for share in lagged.told().shares}

    def test_leads_and_deals_hold_the_same_thing_once(self, lagged: Plan) -> None:
        send("leads", *({"external_id": f"l{n}", "created_on": "2026-06-01"} for n in range(50)))
        deals(30, "2026-06-03", "2026-06-25", lead="l1")
        lagged.add("new_leads", link="lagged", oct=40)
        codes = [share.node.code for share in lagged.told().shares if share.method == Method.LAGGED]
        assert codes[0] == "new_leads"
        assert "new_deals" in codes

    def test_a_goal_without_formula_is_reached_directly(self, plan: Plan) -> None:
        plan.aim(plan.goal, oct=1000)
        plan.add("new_deals", link="lagged", oct=40)
        deals(20, "2026-10-01", "2026-10-10", amount=30)
        found = plan.told()
        assert [share.node.code for share in found.shares] == ["new_deals"]
        assert found.not_explained == 0
