"""Metrics: what can be defined, how a definition changes, and that every fault is named."""

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from kpis.engine.specs import to_data
from kpis.engine.templates import NEW_BUSINESS
from kpis.models import DirtyRange, KpiNode, KpiTree, LockedCell, Metric
from kpis.services.definitions import DefinitionError, create_metric, update_metric

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()
WON: dict[str, Any] = {
    "kind": "simple",
    "fact": "deals",
    "date": "closed_on",
    "aggregate": "count",
    "filters": [{"field": "outcome", "op": "eq", "value": "won"}],
}
CLOSED = {**WON, "filters": [{"field": "outcome", "op": "in", "value": ["won", "lost", "no_decision"]}]}


def make(code: str, spec: dict[str, Any] = WON, **changes: Any) -> Metric:
    fields = {"name": code.title(), "unit": "count", "accumulation": "sum", **changes}
    return create_metric(code=code, spec=spec, actor=None, now=NOW, **fields)


def closed(status: str = "active") -> Metric:
    """A metric with a number of a closed period, in a tree of that status."""
    metric = make("won_deals")
    tree = KpiTree.objects.create(name="Tree", fiscal_year=2026, status=status)
    node = KpiNode.objects.create(tree=tree, level="kgi", code="won_deals", name="Won", metric=metric)
    LockedCell.objects.create(
        node=node,
        metric_version=metric.versions.get(),
        grain="month",
        period_start=date(2026, 4, 1),
        dimension="company",
        status="met",
        locked_at=NOW,
    )
    return metric


def faults(error: pytest.ExceptionInfo[DefinitionError]) -> set[tuple[str, str]]:
    return {(issue.field, issue.code) for issue in error.value.issues}


class TestCreateMetric:
    def test_makes_the_first_version_and_marks_its_measures(self) -> None:
        metric = make("won_deals")
        version = metric.versions.get()
        assert (version.number, version.effective_from) == (1, None)
        assert version.spec["filters"] == WON["filters"]
        assert set(DirtyRange.objects.values_list("group", flat=True)) == {"deals.closed_on:revenue"}

    def test_takes_every_metric_of_the_shipped_template(self) -> None:
        for planned in NEW_BUSINESS.metrics:
            make(planned.code, to_data(planned.spec), unit=planned.unit, accumulation=planned.accumulation)
        assert Metric.objects.count() == len(NEW_BUSINESS.metrics)

    @pytest.mark.parametrize("code", ["won-deals", "Won", "1st", "受注", "", "if", "round"])
    def test_refuses_a_code_that_formulas_cannot_name(self, code: str) -> None:
        with pytest.raises(DefinitionError) as refused:
            make(code)
        assert {field for field, _ in faults(refused)} == {"code"}

    def test_refuses_a_code_that_is_taken(self) -> None:
        make("won_deals")
        with pytest.raises(DefinitionError) as refused:
            make("won_deals")
        assert faults(refused) == {("code", "unique")}

    def test_names_all_faults_at_once(self) -> None:
        with pytest.raises(DefinitionError) as refused:
            make("Won", {**WON, "date": "won_on", "aggregate": "sum"}, effective_from=date(2026, 10, 2))
        assert faults(refused) == {
            ("code", "invalid"),
            ("spec.date", "unknown"),
            ("spec.field", "required"),
            ("effective_from", "invalid"),
        }
        assert "2026-10-01" in str(refused.value)

    def test_refuses_a_formula_with_an_unknown_name(self) -> None:
        make("won_deals")
        with pytest.raises(DefinitionError, match="closed_deals"):
            make("win_rate", {"kind": "formula", "expression": "won_deals / closed_deals"})

    def test_refuses_a_formula_that_goes_in_a_circle(self) -> None:
        make("a", {"kind": "manual"})
        make("b", {"kind": "formula", "expression": "a * 2"})
        with pytest.raises(DefinitionError, match="a → b → a"):
            update_metric(
                metric=Metric.objects.get(code="a"),
                spec={"kind": "formula", "expression": "b / 2"},
                actor=None,
                now=NOW,
            )


class TestUpdateMetric:
    def test_a_spec_with_a_date_is_a_new_version(self) -> None:
        metric = make("closed_deals")
        update_metric(metric=metric, spec=CLOSED, effective_from=date(2026, 10, 1), actor=None, now=NOW)
        assert list(metric.versions.values_list("number", "effective_from")) == [(1, None), (2, date(2026, 10, 1))]

    def test_the_same_date_again_replaces_that_version(self) -> None:
        metric = make("closed_deals")
        for spec in (CLOSED, WON):
            update_metric(metric=metric, spec=spec, effective_from=date(2026, 10, 1), actor=None, now=NOW)
        assert [version.spec["filters"] for version in metric.versions.all()] == [WON["filters"], WON["filters"]]

    def test_a_spec_without_a_date_corrects_the_newest(self) -> None:
        metric = make("closed_deals")
        update_metric(metric=metric, spec=CLOSED, actor=None, now=NOW)
        assert metric.versions.get().spec["filters"] == CLOSED["filters"]

    def test_the_same_spec_changes_nothing(self) -> None:
        metric = make("won_deals")
        DirtyRange.objects.all().delete()
        update_metric(metric=metric, spec=WON, actor=None, now=NOW)
        assert not DirtyRange.objects.exists()

    def test_refuses_to_correct_what_closed_periods_were_computed_by(self) -> None:
        metric = closed()
        with pytest.raises(DefinitionError) as refused:
            update_metric(metric=metric, spec=CLOSED, actor=None, now=NOW)
        assert faults(refused) == {("effective_from", "locked")}

    @pytest.mark.parametrize(("field", "value"), [("unit", "amount"), ("direction", "down"), ("accumulation", "stock")])
    def test_refuses_to_read_closed_numbers_in_another_way(self, field: str, value: str) -> None:
        metric = closed()
        before = getattr(metric, field)
        with pytest.raises(DefinitionError, match="別のコードで新しい指標を作り") as refused:
            update_metric(metric=metric, name="Other", **{field: value}, actor=None, now=NOW)
        assert faults(refused) == {(field, "locked")}
        metric.refresh_from_db()
        assert (getattr(metric, field), metric.name) == (before, "Won_Deals")
        same = update_metric(metric=metric, name="Other", **{field: before}, actor=None, now=NOW)
        assert same.name == "Other", "what stays as it is does not hinder"

    def test_reads_numbers_in_another_way_while_none_is_closed(self) -> None:
        metric = closed(status="draft")
        assert update_metric(metric=metric, unit="amount", actor=None, now=NOW).unit == "amount"

    def test_renames_without_a_new_version(self) -> None:
        metric = update_metric(metric=make("won_deals"), name="受注件数", actor=None, now=NOW)
        assert (metric.name, metric.versions.count()) == ("受注件数", 1)
