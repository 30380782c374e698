"""Changes of a template document; each gives another document and leaves the first as it is."""

from collections.abc import Sequence
from dataclasses import replace

from kpis.engine.moves import Place, depth_first, destination, is_below, moved
from kpis.engine.templates.benchmarks import Benchmark
from kpis.engine.templates.documents import Suggestion, TemplateDocument
from kpis.engine.templates.shapes import TemplateMetric, TemplateNode


def put_node(document: TemplateDocument, node: TemplateNode, *, replaces: str | None = None) -> TemplateDocument:
    """The document with a node changed (the one with the code `replaces`), or added last below its parent.

    What hangs below a node whose code changes follows it.
    """
    if replaces is None:
        return _with_nodes(document, [*document.template.nodes, node])
    nodes = [node if each.code == replaces else each for each in document.template.nodes]
    return _with_nodes(
        document, [replace(each, parent=node.code) if each.parent == replaces else each for each in nodes]
    )


def remove_node(document: TemplateDocument, code: str) -> TemplateDocument:
    """The document without a node and what hangs below it; its metrics stay until they are removed themselves.

    >>> from kpis.engine.templates.documents import document_of
    >>> from kpis.engine.templates.referral import REFERRAL
    >>> [node.code for node in remove_node(document_of(REFERRAL), "introductions").template.nodes]
    ['bookings', 'deepening', 'existing_contact_coverage', 'average_deal_size']
    """
    places = _places(document)
    return _with_nodes(document, [node for node in document.template.nodes if not is_below(places, node.code, code)])


def step_node(document: TemplateDocument, code: str, step: str) -> TemplateDocument:
    """The document with a node moved one step (up, down, in, out); the same where it cannot go there."""
    places = _places(document)
    target = destination(places, code, step)
    if target is None:
        return document
    nodes = {node.code: node for node in document.template.nodes}
    nodes[code] = replace(nodes[code], parent=target.parent)
    return _with_nodes(document, [nodes[place.code] for place in moved(places, code, target)])


def put_metric(document: TemplateDocument, metric: TemplateMetric) -> TemplateDocument:
    """The document with a metric added, or in place of the one with its code."""
    metrics = document.template.metrics
    if any(each.code == metric.code for each in metrics):
        changed = tuple(metric if each.code == metric.code else each for each in metrics)
    else:
        changed = (*metrics, metric)
    return replace(document, template=replace(document.template, metrics=changed))


def remove_metric(document: TemplateDocument, code: str) -> TemplateDocument:
    """The document without a metric, its benchmarks and its suggestions."""
    metrics = tuple(each for each in document.template.metrics if each.code != code)
    return TemplateDocument(
        replace(document.template, metrics=metrics),
        tuple(each for each in document.benchmarks if each.metric != code),
        tuple(each for each in document.suggestions if each.metric != code),
    )


def put_benchmarks(document: TemplateDocument, metric: str, benchmarks: Sequence[Benchmark]) -> TemplateDocument:
    """The document with these benchmarks of a metric in place of those before."""
    others = tuple(each for each in document.benchmarks if each.metric != metric)
    return replace(document, benchmarks=(*others, *benchmarks))


def put_suggestion(document: TemplateDocument, suggestion: Suggestion) -> TemplateDocument:
    """The document with these suggestions for a metric in place of those before; empty ones are left out."""
    others = tuple(each for each in document.suggestions if each.metric != suggestion.metric)
    is_empty = not suggestion.causes and not suggestion.actions
    return replace(document, suggestions=others if is_empty else (*others, suggestion))


def _places(document: TemplateDocument) -> list[Place]:
    return [Place(node.code, node.parent) for node in document.template.nodes]


def _with_nodes(document: TemplateDocument, nodes: Sequence[TemplateNode]) -> TemplateDocument:
    """Parents before what hangs below them, as templates are read."""
    by_code = {node.code: node for node in nodes}
    order = depth_first([Place(node.code, node.parent) for node in nodes])
    return replace(document, template=replace(document.template, nodes=tuple(by_code[each.code] for each in order)))
