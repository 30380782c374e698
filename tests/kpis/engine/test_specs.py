"""Specs: what the contract allows is read, everything else is refused with all its faults at once."""

from decimal import Decimal
from typing import Any

import pytest

from kpis.engine.facts import FACTS
from kpis.engine.specs import (
    Filter,
    Formula,
    Manual,
    Ratio,
    Simple,
    SpecError,
    canonical,
    group,
    measure_key,
    parse_spec,
    terms,
    to_data,
)

LATE = {"field": "lead_source", "op": "eq", "value": "展示会"}
WON = {"field": "outcome", "op": "in", "value": ["won"]}


def simple(**changes: Any) -> dict[str, Any]:
    return {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count", **changes}


def issues(data: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(SpecError) as refused:
        parse_spec(data)
    return {(issue.field, issue.code) for issue in refused.value.issues}


class TestParse:
    def test_reads_the_example_of_the_contract(self) -> None:
        data = simple(aggregate="sum", field="amount", credit="revenue", min_count=None, filters=[WON])
        assert parse_spec(data) == Simple(
            "deals", "closed_on", "sum", field="amount", filters=(Filter("outcome", "in", ("won",)),)
        )

    def test_reads_days_between(self) -> None:
        spec = parse_spec(simple(aggregate="median", days_between=["created_on", "closed_on"]))
        assert isinstance(spec, Simple)
        assert spec.days_between == ("created_on", "closed_on")

    def test_reads_a_ratio(self) -> None:
        spec = parse_spec({"kind": "ratio", "numerator": simple(filters=[WON]), "denominator": simple()})
        assert isinstance(spec, Ratio)
        assert terms(spec) == (spec.numerator, spec.denominator)

    def test_reads_formula_and_manual(self) -> None:
        assert parse_spec({"kind": "formula", "expression": " a / b "}) == Formula("a / b")
        assert parse_spec({"kind": "manual"}) == Manual()

    @pytest.mark.parametrize(
        ("condition", "value"),
        [
            ({"field": "amount", "op": "gte", "value": 1.5}, Decimal("1.5")),
            ({"field": "expected_close_on", "op": "lt", "value": "2026-10-01"}, "2026-10-01"),
            ({"field": "owner", "op": "is_null", "value": True}, True),
            ({"field": "attributes.industry", "op": "contains", "value": "製造"}, "製造"),
            ({"field": "attributes.size", "op": "gt", "value": 300}, Decimal(300)),
        ],
    )
    def test_reads_filters_by_type(self, condition: dict[str, Any], value: object) -> None:
        spec = parse_spec(simple(filters=[condition]))
        assert isinstance(spec, Simple)
        assert spec.filters[0].value == value

    @pytest.mark.parametrize("fact", FACTS.values(), ids=lambda fact: fact.code)
    def test_every_fact_counts_on_each_of_its_dates(self, fact: Any) -> None:
        for axis in fact.dates:
            assert parse_spec(simple(fact=fact.code, date=axis)) == Simple(fact.code, axis, "count")

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"fact": "dealz"}, "fact", "unknown"),
            ({"date": "won_on"}, "date", "unknown"),
            ({"aggregate": "total"}, "aggregate", "unknown"),
            ({"aggregate": "sum"}, "field", "required"),
            ({"aggregate": "average"}, "field", "required"),
            ({"aggregate": "distinct"}, "field", "required"),
            ({"aggregate": "sum", "field": "name"}, "field", "unknown"),
            ({"aggregate": "sum", "field": "amountt"}, "field", "unknown"),
            ({"aggregate": "sum", "field": "amount", "days_between": ["a", "b"]}, "days_between", "invalid"),
            ({"aggregate": "median", "days_between": ["created_on", "won_on"]}, "days_between", "invalid"),
            ({"field": "amount"}, "field", "not_allowed"),
            ({"credit": "shared"}, "credit", "unknown"),
            ({"fact": "orders", "date": "ordered_on", "credit": "overlay"}, "credit", "not_allowed"),
            ({"min_count": 0}, "min_count", "invalid"),
            ({"min_count": True}, "min_count", "invalid"),
            ({"filter": []}, "filter", "unknown"),
            ({"filters": {"outcome": "won"}}, "filters", "invalid"),
            ({"filters": [{"field": "outcome", "op": "eq"}]}, "filters.0", "invalid"),
            ({"filters": [{"field": "stage", "op": "eq", "value": "x"}]}, "filters.0.field", "unknown"),
            ({"filters": [{"field": "amount", "op": "contains", "value": "x"}]}, "filters.0.op", "unknown"),
            ({"filters": [{"field": "outcome", "op": "in", "value": "won"}]}, "filters.0.value", "invalid"),
            ({"filters": [{"field": "outcome", "op": "in", "value": []}]}, "filters.0.value", "invalid"),
            ({"filters": [{"field": "outcome", "op": "eq", "value": "wonn"}]}, "filters.0.value", "unknown"),
            ({"filters": [{"field": "amount", "op": "gt", "value": "many"}]}, "filters.0.value", "invalid"),
            ({"filters": [{"field": "amount", "op": "gt", "value": float("nan")}]}, "filters.0.value", "invalid"),
            ({"filters": [{"field": "created_on", "op": "gt", "value": "soon"}]}, "filters.0.value", "invalid"),
            ({"filters": [{"field": "owner", "op": "is_null", "value": "yes"}]}, "filters.0.value", "invalid"),
        ],
    )
    def test_refuses(self, changes: dict[str, Any], field: str, code: str) -> None:
        assert issues(simple(**changes)) == {(field, code)}

    def test_collects_all_faults(self) -> None:
        found = issues(
            {"kind": "ratio", "numerator": simple(date="x", credit="y"), "denominator": simple(aggregate="sum")}
        )
        assert found == {
            ("numerator.date", "unknown"),
            ("numerator.credit", "unknown"),
            ("denominator.field", "required"),
        }

    @pytest.mark.parametrize("data", [{}, {"kind": "magic"}, {"kind": ["simple"]}])
    def test_refuses_other_kinds(self, data: dict[str, Any]) -> None:
        assert issues(data) == {("kind", "unknown")}

    @pytest.mark.parametrize(
        ("data", "found"),
        [
            ({"kind": "ratio"}, {("numerator", "invalid"), ("denominator", "invalid")}),
            ({"kind": "formula"}, {("expression", "required")}),
            ({"kind": "formula", "expression": "a +"}, {("expression", "invalid")}),
            ({"kind": "formula", "expression": "1 + 1"}, {("expression", "invalid")}),
            ({"kind": "manual", "unit": "x"}, {("unit", "unknown")}),
            ({"kind": "conversion", "from": "sql", "to": "mql"}, {("to", "invalid")}),
            ({"kind": "conversion", "from": "mql", "to": "closed"}, {("to", "unknown")}),
            ({"kind": "conversion", "from": "mql", "to": "sql", "window_days": 0}, {("window_days", "invalid")}),
            ({"kind": "conversion", "from": "mql", "to": "sql", "origin": ["referral"]}, {("origin", "unknown")}),
            ({"kind": "conversion", "fact": "orders", "from": "mql", "to": "sql"}, {("fact", "unknown")}),
            ({"kind": "retention", "measure": "loyalty"}, {("measure", "unknown")}),
            ({"kind": "retention", "measure": "nrr", "window_months": 99}, {("window_months", "invalid")}),
            ({"kind": "repeat", "fact": "visits", "min_count": "two"}, {("fact", "unknown"), ("min_count", "invalid")}),
            ({"kind": "repeat", "measure": "often"}, {("measure", "unknown")}),
            ({"kind": "clv", "formula": "guess"}, {("formula", "unknown")}),
            (
                {
                    "kind": "clv",
                    "formula": "subscription",
                    "filters": [{"field": "kind", "op": "eq", "value": "recurring"}],
                },
                {("filters.0.field", "unknown")},
            ),
            (
                {"kind": "snapshot", "measure": "coverage", "filters": [{"field": "name", "op": "eq", "value": "x"}]},
                {("filters", "not_allowed")},
            ),
            (
                simple(filters=[{"field": "account.colour", "op": "eq", "value": "red"}]),
                {("filters.0.field", "unknown")},
            ),
            (
                simple(aggregate="distinct", field="account.industry"),
                {("field", "unknown")},
            ),
            ({"kind": "score", "survey": "stars"}, {("survey", "unknown")}),
        ],
    )
    def test_refuses_incomplete_kinds(self, data: dict[str, Any], found: set[tuple[str, str]]) -> None:
        assert issues(data) == found


class TestCanonical:
    def test_round_trip(self) -> None:
        data = {
            "kind": "ratio",
            "numerator": simple(filters=[WON, {"field": "amount", "op": "gte", "value": 1.5}], min_count=5),
            "denominator": simple(aggregate="average", days_between=["created_on", "closed_on"]),
        }
        spec = parse_spec(data)
        assert parse_spec(to_data(spec)) == spec

    @pytest.mark.parametrize(
        "data",
        [
            {"kind": "conversion", "fact": "leads", "from": "mql", "to": "sql", "filters": [LATE]},
            {"kind": "conversion", "fact": "deals", "from": "created", "to": "won", "origin": ["referral"]},
            {"kind": "retention", "measure": "renewal_rate", "weight": "amount"},
            {"kind": "repeat", "fact": "deals", "window_months": 6, "min_count": 3},
            {"kind": "clv", "formula": "historic"},
            {"kind": "score", "survey": "nps", "min_count": 10},
        ],
    )
    def test_every_kind_makes_the_round_trip(self, data: dict[str, Any]) -> None:
        spec = parse_spec(data)
        assert parse_spec(to_data(spec)) == spec
        assert to_data(spec).items() >= data.items()
        assert canonical(spec) == canonical(parse_spec(to_data(spec)))

    def test_order_of_filters_and_values_does_not_matter(self) -> None:
        big = {"field": "amount", "op": "gte", "value": 100}
        one = parse_spec(simple(filters=[{**WON, "value": ["won", "lost"]}, big]))
        other = parse_spec(simple(filters=[{**big, "value": 100.0}, {**WON, "value": ["lost", "won"]}]))
        assert canonical(one) == canonical(other)

    def test_another_filter_is_another_measure(self) -> None:
        won, lost = (parse_spec(simple(filters=[{**WON, "value": [each]}])) for each in ("won", "lost"))
        assert isinstance(won, Simple)
        assert isinstance(lost, Simple)
        assert measure_key(won) != measure_key(lost)
        assert len(measure_key(won)) == 12
        assert group(won) == group(lost) == "deals.closed_on:revenue"
