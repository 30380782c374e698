"""The shipped templates: each passes validation unchanged, explains itself, and works targets back from a goal."""

from decimal import Decimal

import pytest

from kpis.engine.formula import names
from kpis.engine.specs import Formula, Ratio, parse_spec, to_data
from kpis.engine.templates import (
    BENCHMARKS,
    NEW_BUSINESS,
    SURVEY_NOTES,
    TEMPLATES,
    Template,
    TemplateMetric,
    TypedNumberError,
    benchmarks_for,
    targets_from,
)
from kpis.engine.templates.benchmarks import KINDS as BENCHMARK_KINDS
from kpis.engine.templates.shapes import SIZES
from kpis.engine.tree import TreeInput, TreeNode, tree_issues

ALL = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
METRICS = [
    metric
    for template in TEMPLATES.values()
    for metric in (*template.metrics, *(driver.metric for driver in template.drivers))
]


def as_tree(template: Template) -> TreeInput:
    """The template with its drivers as a tree."""
    metrics = [*template.metrics, *(driver.metric for driver in template.drivers)]
    nodes = [*template.nodes, *(driver.node for driver in template.drivers)]
    return TreeInput(
        nodes=[
            TreeNode(
                node.code,
                node.level,
                node.parent,
                node.metric,
                node.reason.english if node.reason else "",
                has_responsible=True,
                has_target=True,
                link=node.link,
            )
            for node in nodes
        ],
        references={
            metric.code: names(metric.spec.expression) if isinstance(metric.spec, Formula) else () for metric in metrics
        },
        formulas={metric.code: metric.spec.expression for metric in metrics if isinstance(metric.spec, Formula)},
        units={metric.code: metric.unit for metric in metrics},
    )


class TestTemplate:
    @ALL
    def test_has_no_fault_once_people_and_targets_are_there(self, template: Template) -> None:
        assert tree_issues(as_tree(template)) == ()

    @ALL
    def test_says_why_and_who_can_move_it(self, template: Template) -> None:
        for node in (*template.nodes, *(driver.node for driver in template.drivers)):
            assert node.level == "kgi" or (node.reason and node.reason.japanese), node.code
            assert node.level != "kpi" or node.controllable_by, node.code

    @ALL
    def test_asks_only_for_numbers_that_lead_to_a_target(self, template: Template) -> None:
        used = {step.rate for step in template.steps} | {"kgi_amount", template.size}
        assert set(template.typed) <= used
        worked_back = {step.code for step in template.steps} | {SIZES[template.size]}
        assert worked_back | {template.size} <= {node.metric for node in template.nodes}

    @pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
    def test_definitions_are_what_the_contract_takes(self, metric: TemplateMetric) -> None:
        assert to_data(parse_spec(metric.data)) == metric.data

    def test_a_code_means_the_same_in_every_template(self) -> None:
        by_code = {metric.code: metric for metric in METRICS}
        assert all(by_code[metric.code] == metric for metric in METRICS)

    def test_the_opportunity_rate_of_new_business_is_the_period_version(self) -> None:
        spec = {metric.code: metric.spec for metric in NEW_BUSINESS.metrics}["opportunity_rate"]
        assert isinstance(spec, Ratio)
        assert (spec.numerator.date, spec.denominator.date) == ("sql_on", "mql_on")


class TestBenchmarks:
    def test_each_is_a_record_with_its_caveat(self) -> None:
        for benchmark in BENCHMARKS:
            assert benchmark.kind in BENCHMARK_KINDS
            assert benchmark.note.japanese and benchmark.denominator.japanese and benchmark.years
            assert benchmark.metric in {metric.code for metric in TEMPLATES[benchmark.style].metrics}
            assert (benchmark.low is None) == (benchmark.kind == "varies")
            assert benchmark.low is None or benchmark.high is None or benchmark.low <= benchmark.high

    def test_every_kpi_of_the_table_has_one(self) -> None:
        told = {(benchmark.style, benchmark.metric) for benchmark in BENCHMARKS}
        assert {code for style, code in told if style == "route_sales"} == {
            "csat",
            "nps",
            "repeat_rate",
            "churn_rate",
            "clv",
        }
        assert {code for style, code in told if style == "inside_sales"} == {
            "opportunity_rate_leads",
            "win_rate",
            "renewal_rate",
            "nrr",
        }

    def test_a_style_hears_its_own_figures_and_others_hear_all(self) -> None:
        assert [each.kind for each in benchmarks_for("win_rate", "new_business")] == ["band"]
        assert {each.style for each in benchmarks_for("win_rate", None)} == {"new_business", "inside_sales"}
        assert benchmarks_for("renewal_rate", "inside_sales")[0].high is None, "80 % or more"

    def test_survey_notes_are_about_metrics_of_the_templates(self) -> None:
        assert set(SURVEY_NOTES) <= {metric.code for metric in METRICS}


class TestTargetsFrom:
    def test_works_back_from_the_goal(self) -> None:
        rates = {"win_rate": Decimal("0.2"), "opportunity_rate": Decimal("0.25"), "mql_rate": Decimal("0.5")}
        assert targets_from(Decimal(100_000_000), rates, Decimal(1_000_000)) == {
            "bookings": 100_000_000,
            "average_deal_size": 1_000_000,
            "won_deals": 100,
            "closed_deals": 500,
            "created_deals": 500,
            "sql": 500,
            "mql": 2000,
            "new_leads": 4000,
            **rates,
        }

    def test_34_opportunities_at_20_percent_are_170_mqls(self) -> None:
        yearly = targets_from(Decimal(34), {"win_rate": Decimal(1), "opportunity_rate": Decimal("0.2")}, Decimal(1))
        assert yearly["mql"] == 170

    def test_goes_only_as_far_as_the_typed_rates(self) -> None:
        assert set(targets_from(Decimal(10), {}, Decimal(3))) == {"bookings", "average_deal_size", "won_deals"}

    def test_what_stands_alone_is_still_a_target(self) -> None:
        assert targets_from(Decimal(10), {"win_rate": Decimal("0.2")}, None) == {
            "bookings": 10,
            "win_rate": Decimal("0.2"),
        }
        assert targets_from(None, {}, None) == {}

    def test_a_style_works_back_by_its_own_steps(self) -> None:
        template = TEMPLATES["inside_sales"]
        rates = {"win_rate": Decimal("0.2"), "opportunity_rate_leads": Decimal("0.25")}
        yearly = targets_from(Decimal(10_000_000), rates, Decimal(1_000_000), goal="bookings", steps=template.steps)
        assert (yearly["closed_deals"], yearly["created_deals"], yearly["new_leads"]) == (50, 50, 200)

    def test_revenue_is_worked_back_to_customers_by_what_one_brings(self) -> None:
        template = TEMPLATES["route_sales"]
        yearly = targets_from(Decimal(12_000), {}, Decimal(10), goal=template.goal, sized_by=template.size)
        assert yearly == {"revenue": 12_000, "revenue_per_customer": 10, "customers_with_revenue": 1200}
        with pytest.raises(TypedNumberError, match="revenue_per_customer"):
            targets_from(Decimal(1), {}, Decimal(0), goal=template.goal, sized_by=template.size)

    def test_34_opportunities_at_20_percent_are_170_leads_where_there_is_no_mql(self) -> None:
        rates = {"win_rate": Decimal(1), "opportunity_rate_leads": Decimal("0.2")}
        assert targets_from(Decimal(34), rates, Decimal(1), steps=TEMPLATES["inside_sales"].steps)["new_leads"] == 170

    def test_rounds_counts_up_once(self) -> None:
        rates = {"win_rate": Decimal("0.3")}
        assert targets_from(Decimal(10), rates, Decimal(3))["closed_deals"] == 12

    @pytest.mark.parametrize(
        ("amount", "rates", "size", "field"),
        [
            ("0", {}, "1", "kgi_amount"),
            ("1", {}, "0", "average_deal_size"),
            ("1", {"win_rate": Decimal(0)}, "1", "win_rate"),
            ("1", {"win_rate": Decimal(20)}, "1", "win_rate"),
        ],
    )
    def test_refuses_numbers_that_lead_nowhere(
        self, amount: str, rates: dict[str, Decimal], size: str, field: str
    ) -> None:
        with pytest.raises(TypedNumberError) as refused:
            targets_from(Decimal(amount), rates, Decimal(size))
        assert refused.value.field == field
