"""Reads of KPI trees: what is missing or wrong in one."""

from kpis.engine.issues import Issue
from kpis.engine.tree import TreeInput, TreeNode
from kpis.engine.tree import tree_issues as find_issues
from kpis.models import KpiTree, Target
from kpis.selectors.definitions import formula_references


def tree_issues(tree: KpiTree) -> tuple[Issue, ...]:
    """Everything that is missing or wrong in a tree; an issue's field is the node's code ("" = the tree)."""
    nodes = list(tree.nodes.select_related("metric", "parent"))
    aimed = set(Target.objects.filter(node__tree=tree, line=tree.official_line).values_list("node_id", flat=True))
    return find_issues(
        TreeInput(
            nodes=[
                TreeNode(
                    code=node.code,
                    level=node.level,
                    parent=node.parent.code if node.parent else None,
                    metric=node.metric.code if node.metric else None,
                    reason=node.reason,
                    has_responsible=node.responsible_id is not None or node.responsible_user_id is not None,
                    has_target=node.pk in aimed,
                )
                for node in nodes
            ],
            references=formula_references(),
        )
    )
