"""Reads about trees that follow a template: the tree as an outline, what a new version would change, its guidance."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from kpis.choices import TreeStatus
from kpis.engine.templates import Benchmark, Suggestion, TemplateDocument, benchmarks_for, parse_document
from kpis.engine.templates.merging import Merge, merge, own_changes
from kpis.engine.templates.outlines import Outline, OutlineMetric, OutlineNode, outline_of
from kpis.models import KpiTree, LockedCell, Metric, TemplateUse
from kpis.selectors.definitions import newest_specs
from kpis.selectors.today import find_tree
from kpis.selectors.trees import nodes_of
from tenants.settings.selectors import company_settings

NO_TEMPLATE = {"template_id": None, "template_name": "", "template_version": None, "template_deviation_count": 0}


@dataclass(frozen=True)
class OfferPreview:
    """What a version would do here: the tree that it changes (None: it becomes a draft) and the difference.

    `version` is the one in use, None where none is. `is_guidance_changed`: its benchmarks or suggestions are others.
    """

    tree: KpiTree | None
    version: int | None
    merge: Merge
    is_guidance_changed: bool


def read_outline(tree: KpiTree | None) -> Outline:
    """A tree by its codes, with the newest definition of every metric of the company; no tree: the metrics alone."""
    definitions = newest_specs()
    metrics = {
        row.code: OutlineMetric(row.code, row.name, row.unit, row.accumulation, row.direction, definitions[row.code])
        for row in Metric.objects.filter(code__in=definitions)
    }
    nodes = {} if tree is None else {node.code: _outline_node(node) for node in nodes_of(tree)}
    return Outline(nodes, metrics)


def find_use(template_id: uuid.UUID) -> TemplateUse | None:
    """The use of a template in force here, of the latest fiscal year; None where no active tree follows it."""
    uses = TemplateUse.objects.select_related("tree").filter(template_id=template_id, tree__status=TreeStatus.ACTIVE)
    return uses.order_by("-tree__fiscal_year", "tree_id").first()


def preview_offer(*, template_id: uuid.UUID, document: TemplateDocument) -> OfferPreview:
    """What a version of a template would change in this company; nothing is written."""
    use = find_use(template_id)
    if use is None:
        language = company_settings().language
        merged = merge(Outline(), read_outline(None), outline_of(document, language=language))
        return OfferPreview(None, None, merged, is_guidance_changed=False)
    return preview_use(use, document)


def preview_use(use: TemplateUse, document: TemplateDocument) -> OfferPreview:
    """What a version would change in the tree that follows it."""
    language = company_settings().language
    base = parse_document(use.document)
    merged = merge(
        outline_of(base, language=language),
        read_outline(use.tree),
        outline_of(document, language=language),
        fixed=closed_codes(use.tree),
    )
    is_changed = (base.benchmarks, base.suggestions) != (document.benchmarks, document.suggestions)
    return OfferPreview(use.tree, use.version, merged, is_changed)


def closed_codes(tree: KpiTree) -> frozenset[str]:
    """The nodes on which closed numbers hang; those of a draft nobody has used."""
    if tree.status == TreeStatus.DRAFT:
        return frozenset()
    return frozenset(LockedCell.objects.filter(node__tree=tree).values_list("node__code", flat=True))


def benchmarks_of_tree(tree: KpiTree, code: str) -> tuple[Benchmark, ...]:
    """The figures about a metric that hold for a tree: those of its template, else the shipped ones of its style."""
    return benchmark_lookup([tree])(tree, code)


def benchmark_lookup(trees: Collection[KpiTree]) -> Callable[[KpiTree, str], tuple[Benchmark, ...]]:
    """`benchmarks_of_tree` for many nodes of these trees; one query."""
    uses = TemplateUse.objects.filter(tree__in=trees).values_list("tree_id", "document")
    documents = {tree_id: parse_document(data) for tree_id, data in uses}

    def find(tree: KpiTree, code: str) -> tuple[Benchmark, ...]:
        document = documents.get(tree.pk)
        return benchmarks_for(code, tree.style) if document is None else document.benchmarks_of(code)

    return find


def template_suggestions(code: str) -> Sequence[tuple[str, Suggestion]]:
    """What the templates of the trees in force suggest for a metric, each with the template's name; one query."""
    uses = TemplateUse.objects.filter(tree__status=TreeStatus.ACTIVE, tree__nodes__metric__code=code).distinct()
    return [(use.name, parse_document(use.document).suggestion_of(code)) for use in uses]


def read_template(now: datetime) -> dict[str, Any]:
    """What the console's summary row says of the template that the tree of the year follows."""
    tree = find_tree(today=timezone.localdate(now))
    use = TemplateUse.objects.select_related("tree").filter(tree=tree).first() if tree else None
    if use is None:
        return dict(NO_TEMPLATE)
    base = outline_of(parse_document(use.document), language=company_settings().language)
    return {
        "template_id": use.template_id,
        "template_name": use.name,
        "template_version": use.version,
        "template_deviation_count": len(own_changes(base, read_outline(use.tree))),
    }


def _outline_node(node: Any) -> OutlineNode:
    return OutlineNode(
        node.code,
        node.level,
        node.name,
        node.parent.code if node.parent else None,
        node.metric.code if node.metric else None,
        node.link,
        node.reason,
        dict(node.controllable_by),
    )
