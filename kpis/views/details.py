"""The page of one KPI."""

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.models import KpiNode, Period
from kpis.selectors.details import (
    Segment,
    path_to,
    read_dimensions,
    read_segments,
    read_targets,
    read_trend,
)
from kpis.selectors.figures import Figure
from kpis.selectors.landings import read_landing
from kpis.selectors.records import find_version
from kpis.selectors.visibility import Sight, sight_of
from kpis.selectors.wording import controllable_words, definition_words
from kpis.views.choices import Choice, address, chosen_dimension, chosen_period, chosen_segment, period_switch
from tenants.capabilities import Capability, require
from tenants.registry import panels_of


@login_required
@require_GET
def detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Target beside actual, the trend, the segments, the records behind, the definition and the targets."""
    require(request.user, Capability.READ_RESULTS)
    now = timezone.now()
    today = timezone.localdate(now)
    node = find_node(public_id)
    sight = sight_of(user=request.user, today=today)
    segment = chosen_segment(request, sight)
    period = chosen_period(request, node.tree, today=today)
    trend = read_trend(node, segment, period, now=now)
    if not trend:
        raise Http404(_("The calendar does not reach this period."))
    figure = trend[-1].figure
    segments = _segments(request, node, segment, period, figure, sight)
    if request.htmx and request.htmx.target == "segment-table" and not request.htmx.history_restore_request:
        return render(request, "kpis/segments.html", {"page": segments, "currency": figure.currency})
    version = find_version(node.metric, day=period.start_date)
    page = {
        **segments,
        "node": node,
        "member": segment.member,
        "switch": period_switch(request, period),
        "trend": trend,
        "landing": read_landing(node, period, dimension=segment.dimension, member=segment.member, now=now),
        "path": path_to(node),
        "version": version,
        "definition": definition_words(version),
        "controllable_by": controllable_words(node),
        "targets": read_targets(node, period),
    }
    panels = panels_of("kpi", request, node=node, period=period, segment=segment)
    return render(request, "kpis/detail.html", {"page": page, "currency": figure.currency, "panels": panels})


def find_node(public_id: uuid.UUID) -> KpiNode:
    """A node that has a number. Raises Http404."""
    nodes = KpiNode.objects.select_related("tree", "metric", "responsible", "responsible_user")
    return get_object_or_404(nodes.exclude(metric=None), public_id=public_id)


def _segments(
    request: HttpRequest, node: KpiNode, segment: Segment, period: Period, figure: Figure, sight: Sight
) -> dict[str, Any]:
    """What the segment table needs; it is also loaded alone."""
    dimensions = read_dimensions()
    by = chosen_dimension(request, dimensions, segment)
    rows = read_segments(node, by, period, figure, sight, now=timezone.now()) if dimensions else []
    return {
        "figure": figure,
        "currency": figure.currency,
        "dimensions": [Choice(str(row), address(request, by=row.code), row.code == by) for row in dimensions],
        "dimension_label": next((str(row) for row in dimensions if row.code == by), ""),
        "segments": rows,
        "has_cases": any(row.figure.denominator is not None for row in rows),
        "has_shares": any(row.share is not None for row in rows),
        "has_targets": any(row.figure.has_target for row in rows),
    }
