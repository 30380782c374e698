"""What the tree editor shows: the nodes with what is said about each, and what keeps the tree from use."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext

from kpis.choices import TreeStatus
from kpis.engine.issues import Issue
from kpis.engine.templates import TEMPLATES, Driver
from kpis.engine.tree import severity
from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.trees import nodes_of, tree_issues
from kpis.selectors.wording import definition_words


@dataclass(frozen=True)
class Remark:
    """One issue in words: the code of its node ("" = the tree) and how much it matters (blocks, fact, advice)."""

    node: str
    severity: str
    text: str


@dataclass(frozen=True)
class EditorNode:
    """One node with what is said about it and what hangs below it; `depth` counts from 1."""

    row: KpiNode
    depth: int
    remarks: Sequence[Remark]
    children: Sequence["EditorNode"]

    @property
    def worst(self) -> str:
        """The weightiest severity among its remarks, "" where there is none."""
        return next(
            (each for each in ("blocks", "fact", "advice") if any(r.severity == each for r in self.remarks)), ""
        )


@dataclass(frozen=True)
class Editor:
    """A tree in the editor. `missing` keeps it from being activated by hand, `advice` does not."""

    tree: KpiTree
    roots: Sequence[EditorNode]
    missing: Sequence[Remark]
    advice: Sequence[Remark]
    drivers: Sequence[Driver]

    @property
    def can_activate(self) -> bool:
        return self.tree.status != TreeStatus.ACTIVE and not self.missing


def read_editor(tree: KpiTree) -> Editor:
    """A tree as it stands; a fixed number of queries."""
    remarks = remarks_of(tree_issues(tree))
    by_node: dict[str, list[Remark]] = defaultdict(list)
    for remark in remarks:
        by_node[remark.node].append(remark)
    nodes = list(nodes_of(tree))
    children: dict[int | None, list[KpiNode]] = defaultdict(list)
    for node in nodes:
        children[node.parent_id].append(node)

    def grow(node: KpiNode, depth: int) -> EditorNode:
        below = [grow(child, depth + 1) for child in children[node.pk]]
        return EditorNode(node, depth, by_node[node.code], below)

    template = TEMPLATES.get(tree.style or "")
    codes = {node.code for node in nodes}
    return Editor(
        tree=tree,
        roots=[grow(node, 1) for node in children[None]],
        missing=[remark for remark in remarks if remark.severity != "advice"],
        advice=[remark for remark in remarks if remark.severity == "advice"],
        drivers=[driver for driver in template.drivers if driver.node.code not in codes] if template else [],
    )


def remarks_of(issues: Sequence[Issue]) -> list[Remark]:
    """Issues in the reader's language, the weightiest first."""
    order = ("blocks", "fact", "advice")
    told = [Remark(issue.field, severity(issue), issue.translated(gettext)) for issue in issues]
    return sorted(told, key=lambda remark: order.index(remark.severity))


def read_trees() -> QuerySet[KpiTree]:
    """All trees, newest year first, with how many nodes they have and what the last check left open."""
    return KpiTree.objects.annotate(
        node_count=Count("nodes", distinct=True),
        fault_count=Count("nodes__findings", filter=Q(nodes__findings__is_fault=True), distinct=True),
        remark_count=Count("nodes__findings", filter=Q(nodes__findings__is_fault=False), distinct=True),
    ).order_by("-fiscal_year", "name")


def newest_definition(metric: Metric | None) -> list[str]:
    """What a metric calculates, one line each; empty for none."""
    if metric is None:
        return []
    return definition_words(MetricVersion.objects.filter(metric=metric).order_by("-number").first())
