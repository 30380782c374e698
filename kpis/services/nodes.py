"""The places of a tree as they are written: what can be stored, and what closed numbers keep.

Whether the tree still makes sense afterwards is asked by who changes it (`kpis.services.trees.kept_sound`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from django.utils.text import slugify

from kpis.choices import DEGREES, DEPARTMENTS, Level, TreeStatus
from kpis.engine.inputs import LATEST_DUE_DAY
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.moves import Place, depth_first
from kpis.engine.status_rules import read_rules
from kpis.models import KpiNode, KpiTree, LockedCell, Metric, Person
from kpis.selectors.trees import places_of
from kpis.services.refusal import RefusedError


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
    entered_for: str
    due_business_day: int | None
    deputy: Person | None
    link: str
    position: int
    controllable_by: Mapping[str, str]
    reason: str
    status_rules: Sequence[Mapping[str, object]]


def add_node(*, tree: KpiTree, **fields: Unpack[NodeFields]) -> KpiNode:
    """A new place in a tree, last among its siblings; code and name default to the metric's.

    The code of a KSF defaults to a slug of its name. Raises TreeError for what cannot be stored.
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
        number_nodes(tree, depth_first(places_of(tree)))
    node.refresh_from_db(fields=["position"])
    return node


def change_node(*, node: KpiNode, **fields: Unpack[NodeFields]) -> KpiNode:
    """Change a node. Raises TreeError; another metric is refused where closed numbers hang on the node."""
    if "metric" in fields and fields["metric"] != node.metric and _has_closed_numbers(node):
        raise _closed_numbers(node)
    return _save_node(node, fields)


def remove_node(*, node: KpiNode) -> None:
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


def number_nodes(tree: KpiTree, order: Sequence[Place]) -> None:
    """Number all nodes in this order: siblings keep theirs, and a plain list reads from the top down."""
    nodes = {node.code: node for node in tree.nodes.all()}
    changed = []
    for number, place in enumerate(order):
        node = nodes[place.code]
        if node.position != number:
            node.position = number
            changed.append(node)
    KpiNode.objects.bulk_update(changed, ["position"])


def node_issues(node: KpiNode) -> list[Issue]:
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
    if node.due_business_day is not None and not 1 <= node.due_business_day <= LATEST_DUE_DAY:
        issues.append(
            Issue(
                "due_business_day",
                "invalid",
                gettext_noop("Values are due by a business day from 1 to %(last)s after the period."),
                (("last", LATEST_DUE_DAY),),
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
    issues = node_issues(node)
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
