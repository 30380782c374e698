"""Template documents: written and read back, edited, and told what is wrong with them."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from kpis import choices
from kpis.engine.specs import Formula, Manual
from kpis.engine.templates import (
    NEW_BUSINESS,
    TEMPLATES,
    DocumentError,
    Suggestion,
    Template,
    TemplateDocument,
    TemplateMetric,
    TemplateNode,
    Text,
    document_of,
    parse_document,
    reading,
    to_data,
)
from kpis.engine.templates.checking import document_issues, keeping_from_publishing
from kpis.engine.templates.editing import (
    put_benchmarks,
    put_metric,
    put_node,
    put_suggestion,
    remove_metric,
    remove_node,
    step_node,
)
from kpis.engine.templates.outlines import outline_of, template_from
from kpis.services.templates import _KNOWN_FIELDS

ALL = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
OWN = document_of(NEW_BUSINESS)


def codes(document: TemplateDocument) -> list[str]:
    return [node.code for node in document.template.nodes]


def found(document: TemplateDocument, **how: Any) -> set[tuple[str, str]]:
    return {(issue.field, issue.code) for issue in document_issues(document, **how)}


def visits(**fields: Any) -> TemplateMetric:
    return replace(TemplateMetric("visits", Text("Visits", "訪問数"), "count", "sum", Manual()), **fields)


class TestReading:
    @ALL
    def test_what_is_written_is_read_back(self, template: Template) -> None:
        document = put_suggestion(document_of(template), Suggestion(template.goal, (Text("Price", "価格"),)))
        assert parse_document(json.loads(json.dumps(to_data(document)))) == document

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"format": 9}, "format"),
            ({"name": {"en": "A"}}, "name"),
            ({"style": "door_to_door"}, "style"),
            ({"nodes": "all"}, "nodes"),
            ({"nodes": [{"code": "a", "level": "boss", "name": {"en": "A", "ja": "A"}}]}, "nodes.0.level"),
            ({"metrics": [{**to_data(OWN)["metrics"][0], "spec": {"kind": "guess"}}]}, "metrics.0.spec.kind"),
            ({"benchmarks": [{**to_data(OWN)["benchmarks"][0], "low": "many"}]}, "benchmarks.0.low"),
            ({"benchmarks": [{**to_data(OWN)["benchmarks"][0], "low": "NaN"}]}, "benchmarks.0.low"),
            ({"typed": ["shoe_size"]}, "typed"),
            ({"suggestions": [{"metric": "mql", "causes": "none"}]}, "suggestions.0.causes"),
        ],
    )
    def test_refuses_what_is_no_document_and_names_the_place(self, change: dict[str, Any], place: str) -> None:
        with pytest.raises(DocumentError) as refused:
            parse_document({**to_data(OWN), **change})
        assert place in [issue.field for issue in refused.value.issues]

    @pytest.mark.parametrize("data", [None, [], "x", {}, {"format": 1, "nodes": [None]}])
    def test_nonsense_is_refused_not_broken_by(self, data: object) -> None:
        with pytest.raises(DocumentError):
            parse_document(data)

    def test_its_closed_lists_are_those_of_the_floor(self) -> None:
        assert set(reading.STYLES) == {"", *choices.Style.values}
        assert tuple(choices.Unit.values) == reading.UNITS
        assert tuple(choices.Accumulation.values) == reading.ACCUMULATIONS
        assert tuple(choices.Direction.values) == reading.DIRECTIONS
        assert tuple(choices.Level.values) == reading.LEVELS
        assert tuple(choices.Link.values) == reading.LINKS
        assert (reading.DEPARTMENTS, reading.DEGREES) == (choices.DEPARTMENTS, choices.DEGREES)
        assert set(reading.TYPED) == {"kgi_amount", *_KNOWN_FIELDS}


class TestChecking:
    @ALL
    def test_the_shipped_ones_are_without_fault(self, template: Template) -> None:
        assert document_issues(document_of(template)) == ()

    def test_finds_what_the_tree_editor_finds(self) -> None:
        circle = put_metric(OWN, replace(NEW_BUSINESS.metrics[0], spec=Formula("win_rate + 1")))
        circle = put_metric(circle, replace(NEW_BUSINESS.metrics[7], spec=Formula("bookings / 2")))
        assert "cycle" in {code for _field, code in found(circle)}
        unknown = put_metric(OWN, replace(NEW_BUSINESS.metrics[0], spec=Formula("no_such_number * 2")))
        assert ("bookings", "unknown_code") in found(unknown)
        mixed = put_metric(OWN, replace(NEW_BUSINESS.metrics[0], spec=Formula("average_deal_size + win_rate")))
        assert ("bookings", "unit_mismatch") in found(mixed)
        assert ("mql", "unknown_metric") in found(remove_metric(OWN, "mql"))
        assert ("customer_value", "no_kpi") in found(remove_node(OWN, "average_deal_size"))

    def test_a_benchmark_has_a_source_a_caveat_and_bounds_in_order(self) -> None:
        first = OWN.benchmarks_of("win_rate")[0]
        bare = replace(first, source=Text("", ""), note=Text(" ", " "), low=Decimal(2), high=Decimal(1))
        assert {code for _field, code in found(put_benchmarks(OWN, "win_rate", [bare]))} == {
            "no_source_named",
            "no_caveat",
            "wrong_order",
        }
        assert ("win_rate", "no_figure") in found(put_benchmarks(OWN, "win_rate", [replace(first, low=None)]))
        assert ("visits", "unknown_metric") in found(put_benchmarks(OWN, "visits", [replace(first, metric="visits")]))

    def test_a_published_metric_keeps_its_unit(self) -> None:
        changed = put_metric(OWN, replace(NEW_BUSINESS.metrics[0], unit="count"))
        assert ("bookings", "fixed") in found(changed, before=OWN)
        assert found(changed) == set()

    def test_advice_does_not_keep_from_publishing(self) -> None:
        factor = replace(NEW_BUSINESS.nodes[1], reason=None)
        issues = document_issues(put_node(OWN, factor, replaces=factor.code))
        assert [issue.code for issue in issues] == ["no_reason"]
        assert keeping_from_publishing(issues) == ()

    def test_a_code_stands_once(self) -> None:
        twice = put_node(OWN, NEW_BUSINESS.nodes[3])
        assert ("opportunity_rate", "unique") in found(
            replace(twice, template=replace(twice.template, nodes=(*OWN.template.nodes, NEW_BUSINESS.nodes[3])))
        )


class TestEditing:
    def test_a_node_is_added_below_its_parent_and_renamed_with_its_children(self) -> None:
        more = put_node(
            OWN, TemplateNode("visits", "kpi", Text("Visits", "訪問数"), parent="win_rate", metric="visits")
        )
        assert codes(more).index("visits") > codes(more).index("win_rate")
        renamed = put_node(more, replace(more.template.nodes[6], code="rate_of_wins"), replaces="win_rate")
        assert {node.code for node in renamed.template.nodes if node.parent == "rate_of_wins"} == {
            "won_deals",
            "closed_deals",
            "visits",
        }

    def test_a_node_goes_with_what_hangs_below_it(self) -> None:
        assert set(codes(OWN)) - set(codes(remove_node(OWN, "win_rate"))) == {"win_rate", "won_deals", "closed_deals"}

    def test_a_node_steps_and_stays_where_there_is_nowhere_to_go(self) -> None:
        up = step_node(OWN, "customer_value", "up")
        assert codes(up).index("customer_value") < codes(up).index("new_customers")
        assert step_node(OWN, "bookings", "out") == OWN

    def test_metrics_benchmarks_and_suggestions_come_and_go(self) -> None:
        figure = replace(OWN.benchmarks_of("win_rate")[0], metric="visits")
        document = put_benchmarks(put_metric(OWN, visits()), "visits", [figure])
        document = put_suggestion(document, Suggestion("visits", actions=(Text("Call first", "先に電話する"),)))
        assert document.suggestion_of("visits").actions[0].english == "Call first"
        assert put_benchmarks(document, "visits", []).benchmarks == OWN.benchmarks
        assert remove_metric(document, "visits") == OWN
        assert put_suggestion(document, Suggestion("visits")).suggestions == ()


class TestTemplateFrom:
    def test_takes_places_and_the_definitions_they_need(self) -> None:
        outline = outline_of(put_metric(OWN, visits()), language="ja")
        made = template_from(outline, name=NEW_BUSINESS.name, style="new_business")
        assert [node.code for node in made.nodes] == codes(OWN)
        assert {metric.code for metric in made.metrics} == {metric.code for metric in NEW_BUSINESS.metrics}
        assert made.nodes[1].name == Text("新規獲得", "新規獲得")
        assert outline_of(TemplateDocument(made), language="en").nodes == outline.nodes
