"""Next year's tree: a copy of this year's, as a draft to be changed."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.models import KpiNode, KpiTree
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.copied_targets import moved_targets
from kpis.services.targets import set_targets
from kpis.services.template_use import copy_use
from kpis.services.trees import create_tree

KEPT = ("level", "code", "name", "metric", "responsible", "responsible_user", "frequency", "link", "position")
ASKED = ("entered_for", "due_business_day", "deputy")


def copy_tree(
    *,
    tree: KpiTree,
    fiscal_year: int,
    name: str,
    actor: Any,
    now: datetime,
    growth: Decimal | None = None,
) -> KpiTree:
    """A draft for another fiscal year with the same places, people and reasons; the original stays as it is.

    With `growth` (1.1 = ten percent more) its targets are taken along, a period for a period
    (`kpis.services.copied_targets`): sums grow by it, rates, averages and stocks stay. Without, the copy has none.
    """
    with transaction.atomic():
        copy = create_tree(
            name=name,
            fiscal_year=fiscal_year,
            style=tree.style,
            official_line=tree.official_line,
            actor=actor,
            now=now,
        )
        copies = _copy_nodes(tree, copy)
        copy_use(tree=tree, to=copy, now=now)
        if growth is not None:
            ensure_fiscal_year(start_year=fiscal_year)
            entries = moved_targets(tree=tree, copies=copies, fiscal_year=fiscal_year, growth=growth)
            set_targets(entries=entries, actor=actor, now=now)
    return copy


def _copy_nodes(tree: KpiTree, copy: KpiTree) -> dict[int, KpiNode]:
    """The copies by the key of their original; made flat first, then hung below each other."""
    originals = list(tree.nodes.all())
    copies = {
        node.pk: KpiNode(
            tree=copy,
            reason=node.reason,
            controllable_by=node.controllable_by,
            status_rules=node.status_rules,
            **{name: getattr(node, name) for name in (*KEPT, *ASKED)},
        )
        for node in originals
    }
    KpiNode.objects.bulk_create(copies.values())
    for node in originals:
        copies[node.pk].parent = copies[node.parent_id] if node.parent_id else None
    KpiNode.objects.bulk_update(copies.values(), ["parent"])
    return copies
