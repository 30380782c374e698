"""Validation of trees, and the shipped template that passes it unchanged."""

from dataclasses import replace
from decimal import Decimal

import pytest

from kpis.engine.formula import names
from kpis.engine.specs import Formula, Ratio, parse_spec, to_data
from kpis.engine.templates import BENCHMARKS, NEW_BUSINESS, TypedNumberError, targets_from
from kpis.engine.tree import TreeInput, TreeNode, blocking, tree_issues

KGI = TreeNode("bookings", "kgi", None, "bookings", has_responsible=True, has_target=True)
KSF = TreeNode("growth", "ksf", "bookings", reason="Nothing grows by itself.")
KPI = TreeNode("win_rate", "kpi", "growth", "win_rate", has_responsible=True, has_target=True)
REFERENCES = {"bookings": (), "win_rate": ("won", "closed"), "won": (), "closed": ()}


def found(*nodes: TreeNode, references: dict[str, tuple[str, ...]] | None = None) -> list[tuple[str, str]]:
    return [(issue.field, issue.code) for issue in tree_issues(TreeInput(nodes, references or REFERENCES))]


class TestTreeIssues:
    def test_a_sound_tree_has_none(self) -> None:
        assert found(KGI, KSF, KPI, replace(KPI, code="won", metric="won", parent="win_rate")) == []

    @pytest.mark.parametrize(
        ("nodes", "issues"),
        [
            ((), [("", "no_kgi")]),
            ((KGI,), [("bookings", "no_ksf")]),
            ((KGI, replace(KGI, code="revenue"), KSF, KPI), [("revenue", "second_kgi")]),
            ((KGI, replace(KSF, reason=" "), KPI), [("growth", "no_reason")]),
            ((KGI, KSF), [("growth", "no_kpi")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent=None)), [("x", "no_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="y")), [("x", "unknown_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="bookings")), [("x", "wrong_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="x")), [("x", "parent_cycle")]),
            ((KGI, KSF, replace(KPI, metric=None)), [("win_rate", "no_metric")]),
            ((KGI, KSF, replace(KPI, metric="gone")), [("win_rate", "unknown_metric")]),
            ((KGI, KSF, replace(KPI, has_responsible=False)), [("win_rate", "no_responsible")]),
            ((KGI, KSF, replace(KPI, has_target=False)), [("win_rate", "no_target")]),
        ],
    )
    def test_finds(self, nodes: tuple[TreeNode, ...], issues: list[tuple[str, str]]) -> None:
        assert found(*nodes) == issues

    def test_finds_circles_and_unknown_codes_of_its_own_formulas_only(self) -> None:
        references = {"bookings": ("win_rate",), "win_rate": ("bookings", "gone"), "other": ("missing",)}
        codes = {code for _, code in found(KGI, KSF, KPI, references=references)}
        assert codes == {"unknown_code", "cycle"}

    def test_people_and_targets_do_not_block(self) -> None:
        nodes = (replace(KGI, has_target=False), replace(KSF, reason=""), replace(KPI, has_responsible=False), KPI)
        assert blocking(tree_issues(TreeInput(nodes, REFERENCES))) == ()
        assert blocking(tree_issues(TreeInput((KGI,), REFERENCES))) != ()


class TestTemplate:
    def test_activates_unchanged(self) -> None:
        references = {
            metric.code: names(metric.spec.expression) if isinstance(metric.spec, Formula) else ()
            for metric in NEW_BUSINESS.metrics
        }
        nodes = [
            TreeNode(node.code, node.level, node.parent, node.metric, node.reason.english if node.reason else "")
            for node in NEW_BUSINESS.nodes
        ]
        assert blocking(tree_issues(TreeInput(nodes, references))) == ()

    @pytest.mark.parametrize("metric", NEW_BUSINESS.metrics, ids=lambda metric: metric.code)
    def test_definitions_are_what_the_contract_takes(self, metric) -> None:  # type: ignore[no-untyped-def]
        assert parse_spec(to_data(metric.spec)) == metric.spec

    def test_the_opportunity_rate_is_the_period_version(self) -> None:
        spec = {metric.code: metric.spec for metric in NEW_BUSINESS.metrics}["opportunity_rate"]
        assert isinstance(spec, Ratio)
        assert (spec.numerator.date, spec.denominator.date) == ("sql_on", "mql_on")

    def test_every_benchmark_has_its_caveat(self) -> None:
        codes = {metric.code for metric in NEW_BUSINESS.metrics}
        assert all(b.metric in codes and b.caveat.japanese and b.low <= b.high for b in BENCHMARKS)


class TestTargetsFrom:
    def test_works_back_from_the_goal(self) -> None:
        rates = {"win_rate": Decimal("0.2"), "opportunity_rate": Decimal("0.25"), "mql_rate": Decimal("0.5")}
        assert targets_from(Decimal(100_000_000), rates, Decimal(1_000_000)) == {
            "bookings": 100_000_000,
            "average_deal_size": 1_000_000,
            "won_deals": 100,
            "closed_deals": 500,
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
