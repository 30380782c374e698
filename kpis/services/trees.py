"""KPI trees and their nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from kpis.choices import TreeStatus
from kpis.engine.issues import gettext_noop
from kpis.engine.moves import Destination, destination, moved
from kpis.engine.tree import blocking, keeping_from_use
from kpis.models import KpiNode, KpiTree, Target
from kpis.selectors.trees import places_of, tree_issues
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.changed_values import announce_changed_values
from kpis.services.fitness import check_tree
from kpis.services.nodes import (
    NodeFields,
    TreeError,
    add_node,
    change_node,
    node_issues,
    number_nodes,
    remove_node,
)


class TreeFields(TypedDict, total=False):
    """What a caller may say about a tree; left out means unchanged. A style of None is none of the known ones."""

    name: str
    fiscal_year: int
    style: str | None
    official_line: str


def create_tree(
    *,
    name: str,
    fiscal_year: int,
    style: str | None = None,
    official_line: str = "target",
    actor: Any,
    now: datetime,
) -> KpiTree:
    """A new, empty tree as a draft; the calendar is made to cover its year."""
    ensure_fiscal_year(start_year=fiscal_year)
    return KpiTree.objects.create(name=name, fiscal_year=fiscal_year, style=style, official_line=official_line)


def update_tree(*, tree: KpiTree, actor: Any, now: datetime, **fields: Unpack[TreeFields]) -> KpiTree:
    """Change a tree. Its year stays once it has targets: they belong to that year. Raises TreeError.

    Another official line is judged by other targets: what is open about the KPIs of a tree in force is looked at again.
    """
    year = fields.get("fiscal_year", tree.fiscal_year)
    if year != tree.fiscal_year:
        if Target.objects.filter(node__tree=tree).exists():
            raise TreeError(
                gettext_noop("The tree has targets of fiscal year %(year)s. Make a new tree for another year."),
                year=tree.fiscal_year,
            )
        ensure_fiscal_year(start_year=year)
    is_judged_anew = fields.get("official_line", tree.official_line) != tree.official_line
    for field, value in fields.items():
        setattr(tree, field, value)
    with transaction.atomic():
        tree.save(update_fields=list(fields))
        if is_judged_anew and tree.status == TreeStatus.ACTIVE:
            _look_again(tree, now)
    return tree


def activate_tree(*, tree: KpiTree, actor: Any, now: datetime, facts_may_follow: bool = False) -> KpiTree:
    """Put a tree in force, and note what is open about its KPIs. Raises TreeError with what keeps it from it.

    Every KPI needs its five facts: definition, unit, person, first target, and a data source or a person who enters it.
    With `facts_may_follow` person, target and source may come later: in a company that is being made there are neither
    people nor data yet.
    """
    issues = (blocking if facts_may_follow else keeping_from_use)(tree_issues(tree))
    if issues:
        raise TreeError(issues=issues)
    with transaction.atomic():
        tree.status = TreeStatus.ACTIVE
        tree.save(update_fields=["status"])
        _look_again(tree, now)
    return tree


def retire_tree(*, tree: KpiTree, actor: Any, now: datetime) -> KpiTree:
    """Take a tree out of force; its closed numbers stay."""
    tree.status = TreeStatus.RETIRED
    tree.save(update_fields=["status"])
    return tree


@contextmanager
def kept_sound(tree: KpiTree) -> Iterator[set[tuple[str, str]]]:
    """A change of a tree's nodes, whole or not at all: raises TreeError where one in force would make less sense.

    Yields the (node's code, issue's code) that are not held against the change: what was wrong before it, and what the
    caller adds. Changes of one tree wait for each other.
    """
    with transaction.atomic():
        tree = KpiTree.objects.select_for_update().get(pk=tree.pk)
        is_in_force = tree.status == TreeStatus.ACTIVE
        known = {(issue.field, issue.code) for issue in blocking(tree_issues(tree))} if is_in_force else set()
        yield known
        if is_in_force:
            broken = [issue for issue in blocking(tree_issues(tree)) if (issue.field, issue.code) not in known]
            if broken:
                raise TreeError(issues=broken)


def create_node(*, tree: KpiTree, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """A new place in a tree, last among its siblings; code and name default to the metric's.

    The code of a KSF defaults to a slug of its name. Raises TreeError, also where a tree in force would no longer make
    sense; a new KSF may stand empty, the KPI that measures it comes next.
    """
    with kept_sound(tree) as known:
        node = add_node(tree=tree, **fields)
        known.add((node.code, "no_kpi"))
    return node


def update_node(*, node: KpiNode, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """Change a node. Raises TreeError, also where a tree in force would no longer make sense.

    Another metric is refused where closed numbers hang on the node.
    """
    with kept_sound(node.tree) as known:
        before = node.code
        node = change_node(node=node, **fields)
        known.update([(node.code, issue) for code, issue in known if code == before])
    return node


def move_node(*, node: KpiNode, parent: KpiNode | None, position: int, actor: Any, now: datetime) -> KpiNode:
    """Hang a node below `parent`, with `position` siblings before it.

    Raises TreeError for a parent in another tree or below the node itself, and where a tree in force would no longer
    make sense.
    """
    tree = node.tree
    with kept_sound(tree):
        node = KpiNode.objects.select_related("tree", "metric", "parent").get(pk=node.pk)
        node.parent = parent
        issues = node_issues(node)
        if issues:
            raise TreeError(issues=issues)
        target = Destination(parent.code if parent else None, position)
        order = moved(places_of(tree), node.code, target)
        node.save(update_fields=["parent"])
        number_nodes(tree, order)
        node.refresh_from_db(fields=["position"])
    return node


def step_node(*, node: KpiNode, step: str, actor: Any, now: datetime) -> KpiNode:
    """Move a node one step: up, down, in (below the sibling before) or out (behind its parent). Raises TreeError."""
    with transaction.atomic():
        tree = KpiTree.objects.select_for_update().get(pk=node.tree_id)
        target = destination(places_of(tree), node.code, step)
        if target is None:
            raise TreeError(gettext_noop("%(node)s cannot move any further there."), node=node.name)
        parent = tree.nodes.get(code=target.parent) if target.parent is not None else None
        return move_node(node=node, parent=parent, position=target.position, actor=actor, now=now)


def delete_node(*, node: KpiNode, actor: Any, now: datetime) -> None:
    """Remove a node and what hangs below it.

    Raises TreeError where closed numbers, misses, actions or points of an agenda hang on one of them, and where a tree
    in force would no longer make sense.
    """
    with kept_sound(node.tree):
        remove_node(node=node)


def _look_again(tree: KpiTree, now: datetime) -> None:
    check_tree(tree=tree, today=timezone.localdate(now))
    announce_changed_values()
