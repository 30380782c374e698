"""Validation of a KPI tree: KGI → KSF → KPI as a strict hierarchy, every number defined, owned and aimed at."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kpis.engine.formula import parse_formula
from kpis.engine.graph import calculation_order, needed
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.units import unit_clashes

PARENTS: Mapping[str, tuple[str, ...]] = {"kgi": (), "ksf": ("kgi",), "kpi": ("ksf", "kpi")}
MOST_KPIS_PER_PERSON = 5
# Three of the five facts that a KPI needs (definition and unit block always): only where a company is being made from a
# template may people, targets and data follow a tree in force.
FACTS = frozenset({"no_responsible", "no_target", "no_source"})
ADVICE = FACTS | {"no_reason", "too_many_kpis", "not_in_formula", "not_linked_by_formula"}


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node: `parent` and `code` are codes within the tree, `metric` the code of its metric.

    `person` names who answers for it ("" where unknown); `has_source`: data arrives for its metric, or a person enters
    it; `link` joins it to its parent.
    """

    code: str
    level: str
    parent: str | None = None
    metric: str | None = None
    reason: str = ""
    has_responsible: bool = False
    has_target: bool = False
    name: str = ""
    person: str = ""
    has_source: bool = True
    link: str = "influence"


@dataclass(frozen=True, slots=True)
class TreeInput:
    """A tree, and of every metric of the company the codes that its formula names, the formula itself, and its unit."""

    nodes: Sequence[TreeNode]
    references: Mapping[str, Collection[str]] = field(default_factory=dict)
    formulas: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


def tree_issues(tree: TreeInput) -> tuple[Issue, ...]:
    """Everything that is missing or wrong; an issue's field is the node's code ("" = the tree).

    >>> [issue.code for issue in tree_issues(TreeInput([]))]
    ['no_kgi']
    """
    known = {node.code: node for node in tree.nodes}
    issues = _kgi_issues(tree.nodes)
    for node in tree.nodes:
        issues += _place_issues(node, known) or _reach_issues(node, known)
        issues += _content_issues(node, tree)
        issues += _link_issues(node, known, tree)
    return (*issues, *_load_issues(tree.nodes), *graph_issues(tree))


def blocking(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """The issues with which a tree cannot be activated: all but `ADVICE`.

    >>> blocking([Issue("bookings", "no_target", "…")])
    ()
    """
    return tuple(issue for issue in issues if issue.code not in ADVICE)


def keeping_from_use(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """The issues with which nobody activates a tree: those that block, and the facts that are not settled.

    >>> [issue.code for issue in keeping_from_use([Issue("a", "no_target", "…"), Issue("a", "no_reason", "…")])]
    ['no_target']
    """
    return tuple(issue for issue in issues if issue.code not in ADVICE - FACTS)


def severity(issue: Issue) -> str:
    """How much an issue matters: it `blocks`, a `fact` is missing, or it is `advice`.

    >>> [severity(Issue("", code, "…")) for code in ("no_reason", "no_target", "no_kgi")]
    ['advice', 'fact', 'blocks']
    """
    if issue.code in FACTS:
        return "fact"
    return "advice" if issue.code in ADVICE else "blocks"


def _issue(node: TreeNode, code: str, template: str, **params: object) -> Issue:
    return Issue(node.code, code, template, (("node", node.name or node.code), *params.items()))


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
                parent=parent.name or parent.code,
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


def _reach_issues(node: TreeNode, known: Mapping[str, TreeNode]) -> list[Issue]:
    """A node that is placed well itself, but below one from which no way leads to the KGI."""
    at, steps = node, 0
    while at.parent and at.parent in known and steps < len(known):
        at, steps = known[at.parent], steps + 1
    if at.level == "kgi":
        return []
    return [
        _issue(
            node,
            "unreachable",
            gettext_noop("No way leads from %(node)s up to the KGI. Give %(top)s a place below it."),
            top=at.name or at.code,
        )
    ]


def _link_issues(node: TreeNode, known: Mapping[str, TreeNode], tree: TreeInput) -> list[Issue]:
    """Whether "part of the formula" is said of the parts of the parent's formula, and of nothing else."""
    parent = known.get(node.parent or "")
    parts = tree.references.get(parent.metric or "") if parent else None
    if parent is None or node.metric is None or not parts:
        return []
    is_part = node.metric in needed(tree.references, parts)
    if node.link == "formula" and not is_part:
        return [
            _issue(
                node,
                "not_in_formula",
                gettext_noop(
                    "%(node)s is no part of the formula of %(parent)s. Link it as an influence, or correct the formula."
                ),
                parent=parent.name or parent.code,
            )
        ]
    if node.link != "formula" and is_part:
        return [
            _issue(
                node,
                "not_linked_by_formula",
                gettext_noop("%(node)s is part of the formula of %(parent)s. Link it as a formula."),
                parent=parent.name or parent.code,
            )
        ]
    return []


def _load_issues(nodes: Sequence[TreeNode]) -> tuple[Issue, ...]:
    load = Counter(node.person for node in nodes if node.level == "kpi" and node.person)
    return tuple(
        Issue(
            "",
            "too_many_kpis",
            gettext_noop(
                "%(person)s answers for %(count)s KPIs; at most %(most)s can be watched. Hand some of them over."
            ),
            (("person", person), ("count", count), ("most", MOST_KPIS_PER_PERSON)),
        )
        for person, count in load.items()
        if count > MOST_KPIS_PER_PERSON
    )


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
    if not node.has_source:
        issues.append(
            _issue(
                node,
                "no_source",
                gettext_noop("No data arrives for %(node)s. Connect its source, or let a person enter it."),
            )
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


def _needed(tree: TreeInput) -> frozenset[str]:
    """The metrics that this tree needs, directly or by formula; the company's other metrics are not its fault."""
    return needed(tree.references, [node.metric for node in tree.nodes if node.metric is not None])


def graph_issues(tree: TreeInput) -> tuple[Issue, ...]:
    """What is wrong with the formulas that the tree's metrics need: circles, unknown codes, units that do not fit.

    The issue stands at the node that measures the faulty formula, else at the nodes that need it.

    >>> node = TreeNode("goal", "kgi", metric="rate")
    >>> [(each.field, each.code) for each in graph_issues(TreeInput([node], {"rate": ["gone"]}))]
    [('goal', 'unknown_code')]
    """
    found = (*_formula_issues(tree), *_unit_issues(tree))
    return tuple(replace(issue, field=code) for issue in found for code in _places_of(issue.field, tree))


def _places_of(metric: str, tree: TreeInput) -> list[str]:
    measuring = [node.code for node in tree.nodes if node.metric == metric]
    return measuring or [
        node.code for node in tree.nodes if node.metric is not None and metric in needed(tree.references, [node.metric])
    ]


def _unit_issues(tree: TreeInput) -> tuple[Issue, ...]:
    return tuple(
        Issue(
            code,
            "unit_mismatch",
            gettext_noop(
                "The formula of %(code)s joins %(left)s and %(right)s, which cannot be added. Correct the formula."
            ),
            (("code", code), ("left", clash.left), ("right", clash.right)),
        )
        for code in sorted(_needed(tree) & set(tree.formulas))
        for clash in unit_clashes(parse_formula(tree.formulas[code]).expression, tree.units)
    )


def _formula_issues(tree: TreeInput) -> tuple[Issue, ...]:
    codes = _needed(tree)
    used = {code: tree.references[code] for code in tree.references if code in codes}
    return calculation_order(used).issues
