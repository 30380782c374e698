"""KPI trees and their nodes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from django.utils import timezone
from django.utils.text import slugify

from kpis.choices import DEGREES, DEPARTMENTS, Level, TreeStatus
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.moves import Destination, Place, depth_first, destination, moved
from kpis.engine.status_rules import read_rules
from kpis.engine.tree import blocking, keeping_from_use
from kpis.models import KpiNode, KpiTree, LockedCell, Metric, Person
from kpis.selectors.trees import places_of, tree_issues
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.fitness import check_tree
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class TreeError(RefusedError):
    """A tree or node that cannot be made, changed or activated."""

    code = "invalid_tree"


class NodeFields(TypedDict, total=False):
    """What a caller may say about a node; left out means default, or unchanged."""

    parent: KpiNode | None
    level: str
    code: str
    name: str
    metric: Metric | None
    responsible: Any
    frequency: str
    link: str
    position: int
    controllable_by: Mapping[str, str]
    reason: str
    status_rules: Sequence[Mapping[str, object]]


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


def update_tree(
    *,
    tree: KpiTree,
    name: str | None = None,
    fiscal_year: int | None = None,
    style: str | None = None,
    official_line: str | None = None,
    actor: Any,
    now: datetime,
) -> KpiTree:
    """Change a tree. Its year stays once it has targets: they belong to that year."""
    if fiscal_year is not None and fiscal_year != tree.fiscal_year:
        if tree.nodes.filter(targets__isnull=False).exists():
            raise TreeError(
                gettext_noop("The tree has targets of fiscal year %(year)s. Make a new tree for another year."),
                year=tree.fiscal_year,
            )
        ensure_fiscal_year(start_year=fiscal_year)
    given = {"name": name, "fiscal_year": fiscal_year, "style": style, "official_line": official_line}
    changes = {field: value for field, value in given.items() if value is not None}
    for field, value in changes.items():
        setattr(tree, field, value)
    tree.save(update_fields=list(changes))
    return tree


def activate_tree(*, tree: KpiTree, actor: Any, now: datetime, needs_facts: bool = False) -> KpiTree:
    """Put a tree in force, and note what is open about its KPIs. Raises TreeError with what keeps it from it.

    With `needs_facts` every KPI needs its five facts: definition, unit, person, first target, and a data source or a
    person who enters it. Without, people, targets and data may follow, as in a tree that a template makes.
    """
    issues = (keeping_from_use if needs_facts else blocking)(tree_issues(tree))
    if issues:
        raise TreeError(issues=issues)
    with transaction.atomic():
        tree.status = TreeStatus.ACTIVE
        tree.save(update_fields=["status"])
        check_tree(tree=tree, today=timezone.localdate(now))
        emit(topic="values.changed", company_id=current_company().pk)
    return tree


def retire_tree(*, tree: KpiTree, actor: Any, now: datetime) -> KpiTree:
    """Take a tree out of force; its closed numbers stay."""
    tree.status = TreeStatus.RETIRED
    tree.save(update_fields=["status"])
    return tree


def create_node(*, tree: KpiTree, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """A new place in a tree, last among its siblings; code and name default to the metric's.

    The code of a KSF defaults to a slug of its name. Raises TreeError.
    """
    node = KpiNode(tree=tree)
    metric = fields.get("metric")
    if metric is not None:
        fields.setdefault("code", metric.code)
        fields.setdefault("name", metric.name)
    elif "code" not in fields:
        fields["code"] = _free_slug(tree, fields["name"])
    if "position" in fields:
        return _save_node(node, fields)
    last = tree.nodes.aggregate(last=Max("position"))["last"]
    with transaction.atomic():
        node = _save_node(node, {**fields, "position": 0 if last is None else last + 1})
        _number(tree, depth_first(places_of(tree)))
    node.refresh_from_db(fields=["position"])
    return node


def update_node(*, node: KpiNode, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """Change a node. Raises TreeError; another metric is refused where closed numbers hang on the node."""
    if "metric" in fields and fields["metric"] != node.metric and _has_closed_numbers(node):
        raise _closed_numbers(node)
    return _save_node(node, fields)


def move_node(*, node: KpiNode, parent: KpiNode | None, position: int, actor: Any, now: datetime) -> KpiNode:
    """Hang a node below `parent`, with `position` siblings before it.

    Raises TreeError for a parent in another tree or below the node itself, and where a tree in force would no longer
    make sense. Moves of one tree wait for each other.
    """
    with transaction.atomic():
        tree = KpiTree.objects.select_for_update().get(pk=node.tree_id)
        before = _blocking_codes(tree)
        node = KpiNode.objects.select_related("tree", "metric", "parent").get(pk=node.pk)
        node.parent = parent
        issues = _node_issues(node)
        if issues:
            raise TreeError(issues=issues)
        target = Destination(parent.code if parent else None, position)
        order = moved(places_of(tree), node.code, target)
        node.save(update_fields=["parent"])
        _number(tree, order)
        node.refresh_from_db(fields=["position"])
        if tree.status == TreeStatus.ACTIVE:
            broken = [issue for issue in blocking(tree_issues(tree)) if (issue.field, issue.code) not in before]
            if broken:
                raise TreeError(issues=broken)
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

    Raises TreeError where closed numbers, misses, actions or points of an agenda hang on one of them.
    """
    below = _subtree(node)
    for each in below:
        if _has_closed_numbers(each):
            raise _closed_numbers(each)
    try:
        with transaction.atomic():
            LockedCell.objects.filter(node__in=below).delete()
            KpiNode.objects.filter(pk__in=[each.pk for each in below]).delete()
    except ProtectedError as error:  # what upper floors have written about a node keeps it
        raise TreeError(
            gettext_noop(
                "Misses, improvement actions or meetings refer to %(node)s or a node below it. "
                "Retire the tree and make a new one instead."
            ),
            node=node.name,
        ) from error


def _free_slug(tree: KpiTree, name: str) -> str:
    """A code for a node without a metric: its name in plain letters, "ksf" where it has none, numbered when taken."""
    base = slugify(name)[:50].strip("-_") or "ksf"
    taken = set(tree.nodes.filter(code__startswith=base).values_list("code", flat=True))
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 2))
    return next(code for code in (base, *numbered) if code not in taken)


def _save_node(node: KpiNode, fields: NodeFields) -> KpiNode:
    if "responsible" in fields:
        responsible = fields.pop("responsible")
        node.responsible = responsible if isinstance(responsible, Person) else None
        node.responsible_user = None if isinstance(responsible, Person) else responsible
    for name, value in fields.items():
        setattr(node, name, value)
    issues = _node_issues(node)
    if issues:
        raise TreeError(issues=issues)
    try:
        with transaction.atomic():
            node.save()
    except IntegrityError:
        raise TreeError(
            issues=[
                Issue(
                    "code",
                    "unique",
                    gettext_noop("The tree has a node %(code)s already. Choose another code."),
                    (("code", node.code),),
                )
            ]
        ) from None
    return node


def _blocking_codes(tree: KpiTree) -> set[tuple[str, str]]:
    return {(issue.field, issue.code) for issue in blocking(tree_issues(tree))}


def _number(tree: KpiTree, order: Sequence[Place]) -> None:
    """Number all nodes in this order: siblings keep theirs, and a plain list reads from the top down."""
    nodes = {node.code: node for node in tree.nodes.all()}
    changed = []
    for number, place in enumerate(order):
        node = nodes[place.code]
        if node.position != number:
            node.position = number
            changed.append(node)
    KpiNode.objects.bulk_update(changed, ["position"])


def _node_issues(node: KpiNode) -> list[Issue]:
    """What cannot even be stored; whether a tree makes sense is asked when it is activated."""
    issues = []
    if not node.code:
        issues.append(Issue("code", "required", gettext_noop("Give the node a code.")))
    if node.level == Level.KSF and node.metric is not None:
        issues.append(
            Issue("metric", "not_allowed", gettext_noop("A KSF has no metric. Put the metric on a KPI below it."))
        )
    if not all(name in DEPARTMENTS and degree in DEGREES for name, degree in node.controllable_by.items()):
        issues.append(
            Issue(
                "controllable_by",
                "unknown",
                gettext_noop("controllable_by maps %(departments)s to %(degrees)s. Leave everything else out."),
                (("departments", ", ".join(DEPARTMENTS)), ("degrees", ", ".join(DEGREES))),
            )
        )
    issues += read_rules(node.status_rules)[1]
    parent = node.parent
    if parent is not None and parent.tree_id != node.tree_id:
        issues.append(
            Issue("parent", "invalid", gettext_noop("The parent is in another tree. Choose one of this tree."))
        )
    elif parent is not None and node.pk is not None and parent.pk in {each.pk for each in _subtree(node)}:
        issues.append(
            Issue("parent", "invalid", gettext_noop("A node cannot hang below itself. Choose another parent."))
        )
    return issues


def _subtree(node: KpiNode) -> list[KpiNode]:
    children: dict[int | None, list[KpiNode]] = {}
    for each in KpiNode.objects.filter(tree_id=node.tree_id):
        children.setdefault(each.parent_id, []).append(each)
    found = [node]
    for each in found:
        found.extend(children.get(each.pk, []))
    return found


def _has_closed_numbers(node: KpiNode) -> bool:
    """Whether somebody may have used a closed number of this node; those of a draft nobody has."""
    return node.tree.status != TreeStatus.DRAFT and LockedCell.objects.filter(node=node).exists()


def _closed_numbers(node: KpiNode) -> TreeError:
    return TreeError(
        gettext_noop("Closed periods hold numbers of %(node)s. Retire the tree and make a new one instead."),
        node=node.name,
    )
