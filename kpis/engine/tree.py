"""Validation of a KPI tree: KGI → KSF → KPI as a strict hierarchy, every number defined, owned and aimed at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kpis.engine.graph import calculation_order, needed
from kpis.engine.issues import Issue, gettext_noop

PARENTS: Mapping[str, tuple[str, ...]] = {"kgi": (), "ksf": ("kgi",), "kpi": ("ksf", "kpi")}
# A tree may start while people and targets are still being settled; the checklist keeps asking for them.
ADVICE = frozenset({"no_reason", "no_responsible", "no_target"})


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node: `parent` and `code` are codes within the tree, `metric` the code of its metric."""

    code: str
    level: str
    parent: str | None = None
    metric: str | None = None
    reason: str = ""
    has_responsible: bool = False
    has_target: bool = False


@dataclass(frozen=True, slots=True)
class TreeInput:
    """A tree, and of every metric of the company the codes that its formula names."""

    nodes: Sequence[TreeNode]
    references: Mapping[str, Collection[str]] = field(default_factory=dict)


def tree_issues(tree: TreeInput) -> tuple[Issue, ...]:
    """Everything that is missing or wrong; an issue's field is the node's code ("" = the tree).

    >>> [issue.code for issue in tree_issues(TreeInput([]))]
    ['no_kgi']
    """
    known = {node.code: node for node in tree.nodes}
    issues = _kgi_issues(tree.nodes)
    for node in tree.nodes:
        issues += _place_issues(node, known)
        issues += _content_issues(node, tree)
    return (*issues, *_formula_issues(tree))


def blocking(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """The issues with which a tree cannot be activated: all but `ADVICE`.

    >>> blocking([Issue("bookings", "no_target", "…")])
    ()
    """
    return tuple(issue for issue in issues if issue.code not in ADVICE)


def _issue(node: TreeNode, code: str, template: str, **params: object) -> Issue:
    return Issue(node.code, code, template, (("node", node.code), *params.items()))


def _kgi_issues(nodes: Sequence[TreeNode]) -> list[Issue]:
    goals = [node for node in nodes if node.level == "kgi"]
    if not goals:
        return [
            Issue(
                "",
                "no_kgi",
                gettext_noop("The tree has no KGI. Add the final result that everything is worked back from."),
            )
        ]
    issues = [
        _issue(node, "second_kgi", gettext_noop("%(node)s is a second KGI. Keep one and make the other a KPI."))
        for node in goals[1:]
    ]
    if not any(node.level == "ksf" for node in nodes):
        issues.append(
            _issue(
                goals[0],
                "no_ksf",
                gettext_noop("%(node)s has no KSF below it. Add the factor without which it is not reached."),
            )
        )
    return issues


def _place_issues(node: TreeNode, known: Mapping[str, TreeNode]) -> list[Issue]:
    allowed = PARENTS[node.level]
    if node.parent is None:
        if not allowed:
            return []
        return [_issue(node, "no_parent", gettext_noop("%(node)s hangs in the air. Choose its parent."))]
    parent = known.get(node.parent)
    if parent is None:
        return [
            _issue(
                node,
                "unknown_parent",
                gettext_noop("The parent %(parent)s of %(node)s is not in this tree. Choose another one."),
                parent=node.parent,
            )
        ]
    if _is_under_itself(node, known):
        return [_issue(node, "parent_cycle", gettext_noop("%(node)s hangs below itself. Choose another parent."))]
    if parent.level not in allowed:
        return [
            _issue(
                node,
                "wrong_parent",
                gettext_noop(
                    "%(node)s (%(level)s) may not hang below %(parent)s (%(parent_level)s). "
                    "Keep the order KGI, KSF, KPI."
                ),
                level=node.level.upper(),
                parent=parent.code,
                parent_level=parent.level.upper(),
            )
        ]
    return []


def _is_under_itself(node: TreeNode, known: Mapping[str, TreeNode]) -> bool:
    seen: set[str] = set()
    at: TreeNode | None = node
    while at is not None and at.parent is not None and at.code not in seen:
        seen.add(at.code)
        at = known.get(at.parent)
    return at is not None and at.code == node.code and bool(seen)


def _content_issues(node: TreeNode, tree: TreeInput) -> list[Issue]:
    if node.level == "ksf":
        return _ksf_issues(node, tree.nodes)
    issues = []
    if node.metric is None:
        issues.append(_issue(node, "no_metric", gettext_noop("%(node)s measures nothing. Choose its metric.")))
    elif node.metric not in tree.references:
        issues.append(
            _issue(
                node,
                "unknown_metric",
                gettext_noop("The metric %(metric)s of %(node)s does not exist. Create it or choose another one."),
                metric=node.metric,
            )
        )
    if not node.has_responsible:
        issues.append(_issue(node, "no_responsible", gettext_noop("Nobody answers for %(node)s. Name a KPI owner.")))
    if not node.has_target:
        issues.append(
            _issue(node, "no_target", gettext_noop("%(node)s has no target in this fiscal year. Set at least one."))
        )
    return issues


def _ksf_issues(node: TreeNode, nodes: Sequence[TreeNode]) -> list[Issue]:
    issues = []
    if not node.reason.strip():
        issues.append(
            _issue(
                node,
                "no_reason",
                gettext_noop("%(node)s has no reason. Write why the KGI cannot be reached without it."),
            )
        )
    if not any(child.parent == node.code and child.level == "kpi" for child in nodes):
        issues.append(
            _issue(node, "no_kpi", gettext_noop("%(node)s has no KPI below it. Add the number that measures it."))
        )
    return issues


def _formula_issues(tree: TreeInput) -> tuple[Issue, ...]:
    """Faults of the formulas that this tree needs, not of the company's other metrics."""
    codes = needed(tree.references, [node.metric for node in tree.nodes if node.metric is not None])
    used = {code: tree.references[code] for code in tree.references if code in codes}
    return calculation_order(used).issues
