"""A template as a document: what a consultancy edits, numbers and hands over to companies as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kpis.engine import specs
from kpis.engine.templates.benchmarks import BENCHMARKS, Benchmark
from kpis.engine.templates.shapes import Driver, Step, Template, TemplateMetric, TemplateNode, Text

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the consultancy suggests where a metric is missed: causes to look for, actions to try."""

    metric: str
    causes: tuple[Text, ...] = ()
    actions: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateDocument:
    """A template with the guidance that travels with it. Immutable: every change is another document.

    `template.style` is a sales style, or "" for none; benchmarks carry the same style.
    """

    template: Template
    benchmarks: tuple[Benchmark, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    def benchmarks_of(self, metric: str) -> tuple[Benchmark, ...]:
        """The figures about one metric, in their order."""
        return tuple(each for each in self.benchmarks if each.metric == metric)

    def suggestion_of(self, metric: str) -> Suggestion:
        """What is suggested for one metric; an empty one where nothing is."""
        return next((each for each in self.suggestions if each.metric == metric), Suggestion(metric))


def document_of(template: Template) -> TemplateDocument:
    """A shipped template as a document, with the benchmarks of its style.

    >>> from kpis.engine.templates.route_sales import ROUTE_SALES
    >>> len(document_of(ROUTE_SALES).benchmarks)
    5
    """
    return TemplateDocument(template, tuple(each for each in BENCHMARKS if each.style == template.style))


def named(document: TemplateDocument, name: Text) -> TemplateDocument:
    """The same document under another name."""
    return replace(document, template=replace(document.template, name=name))


def to_data(document: TemplateDocument) -> dict[str, object]:
    """The document as JSON: texts as {"en", "ja"}, numbers as strings; `parse_document` reads it back.

    >>> from kpis.engine.templates.referral import REFERRAL
    >>> to_data(document_of(REFERRAL))["name"]
    {'en': 'Referrals and existing customers', 'ja': '紹介・既存深耕型'}
    """
    template = document.template
    return {
        "format": FORMAT,
        "style": template.style,
        "name": _text(template.name),
        "metrics": [_metric(each) for each in template.metrics],
        "nodes": [_node(each) for each in template.nodes],
        "typed": list(template.typed),
        "steps": [_step(each) for each in template.steps],
        "drivers": [_driver(each) for each in template.drivers],
        "is_from_practice": template.is_from_practice,
        "benchmarks": [_benchmark(each) for each in document.benchmarks],
        "suggestions": [_suggestion(each) for each in document.suggestions],
    }


def _text(text: Text) -> dict[str, str]:
    return {"en": text.english, "ja": text.japanese}


def _texts(texts: Sequence[Text]) -> list[dict[str, str]]:
    return [_text(each) for each in texts]


def _metric(metric: TemplateMetric) -> dict[str, object]:
    return {
        "code": metric.code,
        "name": _text(metric.name),
        "unit": metric.unit,
        "accumulation": metric.accumulation,
        "direction": metric.direction,
        "spec": specs.to_data(metric.spec),
    }


def _node(node: TemplateNode) -> dict[str, object]:
    return {
        "code": node.code,
        "level": node.level,
        "name": _text(node.name),
        "parent": node.parent,
        "metric": node.metric,
        "link": node.link,
        "reason": _text(node.reason) if node.reason else None,
        "controllable_by": dict(node.controllable_by),
    }


def _step(step: Step) -> Mapping[str, object]:
    return {"code": step.code, "source": step.source, "rate": step.rate}


def _driver(driver: Driver) -> Mapping[str, object]:
    return {"metric": _metric(driver.metric), "node": _node(driver.node)}


def _benchmark(benchmark: Benchmark) -> Mapping[str, object]:
    return {
        "metric": benchmark.metric,
        "kind": benchmark.kind,
        "low": _number(benchmark.low),
        "high": _number(benchmark.high),
        "denominator": _text(benchmark.denominator),
        "population": _text(benchmark.population),
        "years": benchmark.years,
        "source": _text(benchmark.source),
        "note": _text(benchmark.note),
        "is_confirmed": benchmark.is_confirmed,
    }


def _suggestion(suggestion: Suggestion) -> Mapping[str, object]:
    return {
        "metric": suggestion.metric,
        "causes": _texts(suggestion.causes),
        "actions": _texts(suggestion.actions),
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
