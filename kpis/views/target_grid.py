"""The targets of a tree as a grid that is filled in like a spreadsheet."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.choices import DimensionCode, Grain, RequestStatus, SpreadMethod, TargetLine, TreeStatus
from kpis.models import Dimension, DimensionMember, KpiNode, KpiTree, TargetRequest
from kpis.permissions import reaches
from kpis.selectors.approvals import approval_steps
from kpis.selectors.details import read_dimensions
from kpis.selectors.target_grid import GridQuery, TargetGrid, grid_nodes, read_target_grid
from kpis.selectors.target_requests import read_own_business
from kpis.selectors.today import find_tree
from kpis.selectors.visibility import Sight, sight_of
from kpis.views.choices import Choice, address
from tenants.capabilities import Capability, require


@login_required
@require_GET
def targets(request: HttpRequest) -> HttpResponse:
    """Rows are the KPIs of a tree, or one KPI by segment; columns are the periods of its fiscal year."""
    scope = require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    if tree is None:
        return render(request, "kpis/target_grid.html", {"page": {"tree": None}})
    sight = sight_of(user=request.user, today=timezone.localdate())
    query = chosen_query(request, tree)
    grid = read_grid(request, query, scope, sight)
    nodes = grid_nodes(tree)
    dimensions = [row for row in read_dimensions() if row.code != DimensionCode.COMPANY]
    page = {
        "tree": tree,
        "trees": KpiTree.objects.exclude(status=TreeStatus.RETIRED),
        "grid": grid,
        "nodes": nodes,
        "lines": _lines(request, query),
        "dimensions": _dimensions(request, query, dimensions),
        "grains": _grains(request, query, nodes),
        "methods": [(method.value, method.label) for method in SpreadMethod],
        "is_draft": tree.status == TreeStatus.DRAFT,
        "steps": approval_steps(user=request.user, tree=tree, today=timezone.localdate()),
        "asks": len(read_own_business(user=request.user, today=timezone.localdate())),
        "answered": _answered(request),
        "words": grid_words(),
        "file_query": request.GET.urlencode(),
    }
    return render(request, "kpis/target_grid.html", {"page": page, "currency": grid.currency})


def read_grid(request: HttpRequest, query: GridQuery, scope: str, sight: Sight) -> TargetGrid:
    """The grid with the rows that the reader may write."""

    def may_write(node: KpiNode, member: DimensionMember | None) -> bool:
        dimension = query.dimension if member else DimensionCode.COMPANY
        return reaches(request.user, scope, sight, dimension, member, [node])

    return read_target_grid(query, sight=sight, may_write=may_write)


def chosen_tree(request: HttpRequest) -> KpiTree | None:
    """`?tree=`; without it the tree in force, else the newest. Raises Http404 for one that does not exist."""
    trees = KpiTree.objects.exclude(status=TreeStatus.RETIRED)
    asked = request.GET.get("tree")
    if asked:
        try:
            return get_object_or_404(trees, public_id=asked)
        except ValidationError:
            raise Http404(_("There is no such KPI tree.")) from None
    return find_tree(today=timezone.localdate()) or trees.first()


def chosen_query(request: HttpRequest, tree: KpiTree) -> GridQuery:
    """`?line=&by=&kpi=&grain=`; whatever is not there or not known is the tree's own line, the company, its months.

    A tree that has weekly KPIs only opens on its weeks.
    """
    line = request.GET.get("line", "")
    line = line if line in TargetLine.values else tree.official_line
    by = request.GET.get("by", "")
    if by in DimensionCode.values and by != DimensionCode.COMPANY:
        nodes = grid_nodes(tree)
        node = next((row for row in nodes if row.code == request.GET.get("kpi")), nodes[0] if nodes else None)
        if node is not None:
            return GridQuery(tree, line, node.frequency, by, node)
    grains = used_grains(grid_nodes(tree))
    grain = next((each for each in grains if each == request.GET.get("grain")), grains[0])
    return GridQuery(tree, line, grain)


def used_grains(nodes: list[KpiNode]) -> list[Grain]:
    """The frequencies at which a tree has nodes, months first; months where it has none."""
    used = {node.frequency for node in nodes}
    return [grain for grain in (Grain.MONTH, Grain.WEEK) if grain in used] or [Grain.MONTH]


def _answered(request: HttpRequest) -> dict[str, Any] | None:
    """`?answers=`: the reader's own request that came back, to be proposed anew from what it said."""
    requests = TargetRequest.objects.filter(proposer=request.user, status=RequestStatus.RETURNED, answered_by=None)
    try:
        row = requests.filter(public_id=request.GET.get("answers") or None).first()
    except ValidationError:
        return None
    if row is None:
        return None
    cells = row.cells.select_related("node", "member")
    return {
        "id": str(row.public_id),
        "reason": row.reason,
        "comment": row.decisions.last().comment,
        "cells": [
            {
                "node": str(cell.node.public_id),
                "member": cell.member.code if cell.member else "",
                "period_start": cell.period_start.isoformat(),
                "value": "" if cell.value is None else f"{cell.value.normalize():f}",
                "upper": "" if cell.upper is None else f"{cell.upper.normalize():f}",
                "proration": cell.prorated,
            }
            for cell in cells
        ],
    }


def grid_words() -> dict[str, str]:
    """The sentences that the page's script speaks."""
    return {
        "notANumber": _("“%(text)s” is not a number."),
        "percentOrFraction": _("“%(text)s” could be a percentage or a fraction. Add the percent sign."),
        "notARate": _("“%(text)s” is a percentage, but this KPI is not a rate."),
        "range": _("Write a range as low〜high."),
        "removed": _("To be removed: %(count)s (no target is not 0)"),
        "emptied": _("Emptied by the pasted blank cells: %(count)s. Ctrl+Z takes it back."),
        "noTarget": _("No target"),
        "unsaved": _("Unsaved: %(count)s"),
        "faults": _("To be corrected: %(count)s"),
        "skipped": _("Left as they are: %(count)s (closed, or not yours to write)"),
        "outside": _("Outside the grid: %(count)s"),
        "saved": _("Saved: %(count)s"),
        "requested": _("Proposed for approval: %(count)s. Until it is approved the current targets stay in force."),
        "waiting": _("Waits for approval: %(value)s"),
        "reason": _("These targets are in force. Write why they change."),
        "failed": _("The server could not be reached. Nothing was lost; please try again."),
        "remainder": _("The rounding remainder of %(value)s is in the last period."),
        "proposed": _("Proposed: %(count)s. Look at them, then save."),
        "nothingNew": _("Nothing to change: the targets are as they would be proposed."),
        "chooseRow": _("Choose a row of the grid first."),
    }


def _lines(request: HttpRequest, query: GridQuery) -> list[Choice]:
    official = query.tree.official_line
    return [
        Choice(
            _("%(line)s (official)") % {"line": line.label} if line == official else str(line.label),
            address(request, line=line),
            line == query.line,
        )
        for line in TargetLine
    ]


def _dimensions(request: HttpRequest, query: GridQuery, dimensions: list[Dimension]) -> list[Choice]:
    whole = Choice(_("Whole company"), address(request, by=None, kpi=None), query.node is None)
    return [
        whole,
        *(Choice(str(row), address(request, by=row.code), row.code == query.dimension) for row in dimensions),
    ]


def _grains(request: HttpRequest, query: GridQuery, nodes: list[KpiNode]) -> list[Choice]:
    """A choice only where the tree has weekly KPIs beside monthly ones."""
    grains = used_grains(nodes)
    if query.node is not None or len(grains) < 2:
        return []
    return [Choice(str(grain.label), address(request, grain=grain), grain == query.grain) for grain in grains]
