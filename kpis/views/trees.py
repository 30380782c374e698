"""The KPI tree, as branches or as a list."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from kpis.choices import TreeStatus
from kpis.models import KpiTree
from kpis.selectors.branches import read_branches, rows_of
from kpis.selectors.contributions import explain_matrix
from kpis.selectors.details import Segment, read_groups
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.today import find_tree
from kpis.selectors.visibility import Sight, sight_of
from kpis.views.choices import chosen_period, chosen_segment, org_choices, period_switch
from kpis.views.refreshing import refreshing
from tenants.capabilities import Capability, has_capability, require


@dataclass(frozen=True)
class Option:
    """One entry of the choice of a segment."""

    value: str
    name: str
    is_current: bool


@login_required
@require_GET
@refreshing
def tree(request: HttpRequest) -> HttpResponse:
    """KGI → KSF → KPI with values, targets and verdicts of one period."""
    require(request.user, Capability.READ_RESULTS)
    now = timezone.now()
    today = timezone.localdate(now)
    trees = KpiTree.objects.exclude(status=TreeStatus.RETIRED)
    asked = request.GET.get("tree")
    found = get_object_or_404(trees, public_id=asked) if asked else find_tree(today=today)
    can_edit = has_capability(request.user, Capability.MANAGE_DEFINITIONS)
    if found is None:
        return render(request, "kpis/tree.html", {"page": {"tree": None, "can_make": can_edit}})
    sight = sight_of(user=request.user, today=today)
    segment = chosen_segment(request, sight)
    period = chosen_period(request, found, today=today)
    query = MatrixQuery(
        tree=found,
        grain=period.grain,
        start=period.start_date,
        end=period.end_date,
        dimension=segment.dimension,
        org=segment.org,
        member_ids=segment.member_ids,
    )
    matrix = build_matrix(query, now=now)
    contributions = explain_matrix(matrix, segment, now=now, to_date=True)
    roots = read_branches(matrix, dimension=segment.dimension, contributions=contributions)
    page = {
        "tree": found,
        "trees": trees,
        "can_edit": can_edit,
        "state": matrix.periods[0].state if matrix.periods else "",
        "switch": period_switch(request, period),
        "kept": {name: request.GET[name] for name in ("grain", "start", "view", "org") if name in request.GET},
        "segments": _segments(sight, segment),
        "orgs": org_choices(request, segment.dimension),
        "org": segment.org,
        "view": "list" if request.GET.get("view") == "list" else "tree",
        "roots": roots,
        "contributions": contributions,
        "rows": rows_of(roots),
        "currency": matrix.currency,
        "may_set_targets": has_capability(request.user, Capability.SET_TARGETS),
    }
    return render(request, "kpis/tree.html", {"page": page, "currency": matrix.currency})


def _segments(sight: Sight, current: Segment) -> list[dict[str, Any]]:
    return [
        {
            "label": str(dimension),
            "members": [
                Option(f"{dimension.code}:{member.code}", member.name, member == current.member) for member in members
            ],
        }
        for dimension, members in read_groups(sight)
    ]
