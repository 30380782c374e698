"""Reads of KPI trees: what is missing or wrong in one, and the order of its nodes."""

from dataclasses import replace

from django.db.models import QuerySet

from kpis.choices import Unit
from kpis.engine import specs
from kpis.engine.issues import Issue
from kpis.engine.moves import Place
from kpis.engine.tree import TreeInput, TreeNode, graph_issues
from kpis.engine.tree import tree_issues as find_issues
from kpis.models import KpiNode, KpiTree, Metric, Target
from kpis.selectors.definitions import formula_references, newest_specs, sourced_codes


def tree_issues(tree: KpiTree) -> tuple[Issue, ...]:
    """Everything that is missing or wrong in a tree; an issue's field is the node's code ("" = the tree)."""
    return tuple(_with_unit_names(issue) for issue in find_issues(read_tree(tree)))


def issues_at(read: TreeInput, node: TreeNode) -> tuple[Issue, ...]:
    """What is said about one node of a tree that was read: its own issues, its formula's, and the load of persons.

    A faulty formula somewhere below concerns every node that is calculated from it.
    """
    own = [issue for issue in find_issues(read) if issue.field == node.code or issue.code == "too_many_kpis"]
    own += graph_issues(replace(read, nodes=[node]))
    return tuple(_with_unit_names(issue) for issue in dict.fromkeys(own))


def read_tree(tree: KpiTree) -> TreeInput:
    """A tree as the engine takes it; six queries."""
    nodes = list(nodes_of(tree))
    aimed = set(Target.objects.filter(node__tree=tree, line=tree.official_line).values_list("node_id", flat=True))
    definitions = newest_specs()
    sourced = sourced_codes(definitions)
    return TreeInput(
        nodes=[_as_input(node, has_target=node.pk in aimed, sourced=sourced) for node in nodes],
        references=formula_references(),
        formulas={code: spec.expression for code, spec in definitions.items() if isinstance(spec, specs.Formula)},
        units=dict(Metric.objects.values_list("code", "unit")),
    )


def with_draft(read: TreeInput, draft: TreeNode, *, replaces: str | None) -> TreeInput:
    """The tree as it would be with a node changed (the one with the code `replaces`) or added.

    What hangs below a node whose code changes follows it.
    """
    if replaces is None:
        return replace(read, nodes=[*read.nodes, draft])
    nodes = [draft if node.code == replaces else node for node in read.nodes]
    return replace(
        read, nodes=[replace(node, parent=draft.code) if node.parent == replaces else node for node in nodes]
    )


def nodes_of(tree: KpiTree) -> QuerySet[KpiNode]:
    """The nodes of a tree with what is shown of them, siblings in their order; one query."""
    return tree.nodes.select_related("metric", "parent", "responsible", "responsible_user").order_by("position", "id")


def places_of(tree: KpiTree) -> list[Place]:
    """The nodes of a tree as the engine moves them; one query."""
    rows = tree.nodes.order_by("position", "id").values_list("code", "parent__code")
    return [Place(code, parent) for code, parent in rows]


def _as_input(node: KpiNode, *, has_target: bool, sourced: frozenset[str]) -> TreeNode:
    person = node.responsible or node.responsible_user
    return TreeNode(
        code=node.code,
        level=node.level,
        parent=node.parent.code if node.parent else None,
        metric=node.metric.code if node.metric else None,
        reason=node.reason,
        has_responsible=person is not None,
        has_target=has_target,
        name=node.name,
        person=str(person) if person is not None else "",
        has_source=node.metric is None or node.metric.code in sourced,
        link=node.link,
    )


def _with_unit_names(issue: Issue) -> Issue:
    if issue.code != "unit_mismatch":
        return issue
    labels = {unit.value: str(unit.label) for unit in Unit}
    return replace(issue, params=tuple((name, labels.get(str(value), str(value))) for name, value in issue.params))
