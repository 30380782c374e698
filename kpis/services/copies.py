"""Next year's tree: a copy of this year's, as a draft to be changed."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import transaction

from kpis.choices import Accumulation, DimensionCode, Grain, Unit
from kpis.models import KpiNode, KpiTree, Target
from kpis.selectors.calendar import months_of_year
from kpis.services.targets import TargetEntry, set_targets
from kpis.services.template_use import copy_use
from kpis.services.trees import create_tree

WHOLE = {Unit.COUNT, Unit.AMOUNT}
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

    With `growth` (1.1 = ten percent more) the company's monthly targets of the official line are taken along, month by
    month: sums grow by it, rates, averages and stocks stay. Without, the copy has no targets.
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
            set_targets(entries=_grown(tree, copies, fiscal_year, growth), actor=actor, now=now)
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


def _grown(tree: KpiTree, copies: dict[int, KpiNode], fiscal_year: int, growth: Decimal) -> list[TargetEntry]:
    starts = (period.start_date for period in months_of_year(tree.fiscal_year))
    later = dict(zip(starts, (period.start_date for period in months_of_year(fiscal_year)), strict=False))
    targets = Target.objects.select_related("node__metric").filter(
        node__tree=tree,
        node__frequency=Grain.MONTH,
        node__metric__isnull=False,
        dimension=DimensionCode.COMPANY,
        line=tree.official_line,
        period_start__in=later,
    )
    return [
        TargetEntry(
            node=copies[target.node_id],
            period_start=later[target.period_start],
            value=_times(target.node, target.value, growth),
            upper=target.upper,
            line=tree.official_line,
        )
        for target in targets
    ]


def _times(node: KpiNode, value: Decimal, growth: Decimal) -> Decimal:
    metric = node.metric
    if metric is None or metric.accumulation != Accumulation.SUM:
        return value
    grown = value * growth
    return grown.to_integral_value(ROUND_HALF_UP) if metric.unit in WHOLE else grown
