"""What templates and companies' trees have in common, so that they can be compared: places and definitions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kpis.engine import specs
from kpis.engine.formula import names
from kpis.engine.graph import calculation_order, needed
from kpis.engine.specs import Formula, Spec
from kpis.engine.templates.documents import TemplateDocument
from kpis.engine.templates.shapes import Template, TemplateMetric, TemplateNode, Text


@dataclass(frozen=True, slots=True)
class OutlineNode:
    """One place in a tree by codes, with its texts in one language."""

    code: str
    level: str
    name: str
    parent: str | None = None
    metric: str | None = None
    link: str = "influence"
    reason: str = ""
    controllable_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutlineMetric:
    """One metric with its newest definition, named in one language."""

    code: str
    name: str
    unit: str
    accumulation: str
    direction: str
    spec: Spec

    @property
    def meaning(self) -> str:
        """Text that is equal where the definition means the same."""
        return specs.canonical(self.spec)


@dataclass(frozen=True, slots=True)
class Outline:
    """A tree in one language: nodes by code in the order of the tree, and metrics by code."""

    nodes: Mapping[str, OutlineNode] = field(default_factory=dict)
    metrics: Mapping[str, OutlineMetric] = field(default_factory=dict)


def outline_of(document: TemplateDocument, *, language: str) -> Outline:
    """A document's tree as companies of a language get it; driver KPIs are not part of it.

    >>> from kpis.engine.templates.documents import document_of
    >>> from kpis.engine.templates.referral import REFERRAL
    >>> outline_of(document_of(REFERRAL), language="ja").nodes["referrals"].name
    '紹介件数'
    """
    template = document.template
    return Outline(
        {node.code: _outline_node(node, language) for node in template.nodes},
        {
            each.code: OutlineMetric(
                each.code,
                each.name.in_language(language),
                each.unit,
                each.accumulation,
                each.direction,
                each.spec,
            )
            for each in template.metrics
        },
    )


def in_order(metrics: Iterable[TemplateMetric]) -> tuple[TemplateMetric, ...]:
    """Metrics so that each comes after those that its formula names.

    >>> from kpis.engine.templates.metrics import CLOSED_DEALS, WIN_RATE, WON_DEALS
    >>> [each.code for each in in_order([WIN_RATE, CLOSED_DEALS, WON_DEALS])]
    ['won_deals', 'closed_deals', 'win_rate']
    """
    by_code = {each.code: each for each in metrics}
    order = calculation_order({code: _parts(each.spec) for code, each in by_code.items()})
    return tuple(by_code[code] for code in order.codes if code in by_code)


def template_from(outline: Outline, *, name: Text, style: str) -> Template:
    """A company's tree as a template: its places and the definitions they need, never a person or a number.

    Texts are the company's own in both languages, until somebody translates them.
    """
    formulas = {code: _parts(each.spec) for code, each in outline.metrics.items()}
    wanted = needed(formulas, [node.metric for node in outline.nodes.values() if node.metric])
    return Template(
        style=style,
        name=name,
        metrics=tuple(_template_metric(each) for code, each in outline.metrics.items() if code in wanted),
        nodes=tuple(_template_node(node) for node in outline.nodes.values()),
    )


def _parts(spec: Spec) -> tuple[str, ...]:
    return names(spec.expression) if isinstance(spec, Formula) else ()


def _outline_node(node: TemplateNode, language: str) -> OutlineNode:
    return OutlineNode(
        node.code,
        node.level,
        node.name.in_language(language),
        node.parent,
        node.metric,
        node.link,
        node.reason.in_language(language) if node.reason else "",
        dict(node.controllable_by),
    )


def _template_metric(metric: OutlineMetric) -> TemplateMetric:
    name = Text(metric.name, metric.name)
    return TemplateMetric(metric.code, name, metric.unit, metric.accumulation, metric.spec, metric.direction)


def _template_node(node: OutlineNode) -> TemplateNode:
    return TemplateNode(
        node.code,
        node.level,
        Text(node.name, node.name),
        node.parent,
        node.metric,
        node.link,
        Text(node.reason, node.reason) if node.reason else None,
        dict(node.controllable_by),
    )
