"""The page of one KPI."""

import uuid
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import Level, PeriodState
from kpis.engine.contribution import Method
from kpis.forms.trees import BenchmarkReviewForm
from kpis.models import KpiNode, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.contributions import read_contributions
from kpis.selectors.details import (
    PeriodFigure,
    Segment,
    SegmentTable,
    drawn,
    path_to,
    read_dimensions,
    read_segments,
    read_targets,
    read_trend,
)
from kpis.selectors.figures import Figure
from kpis.selectors.fitness import open_findings, read_guidance
from kpis.selectors.landings import read_landing
from kpis.selectors.movements import judge_trend, read_connection
from kpis.selectors.open_restatements import LateNumber, find_late_number
from kpis.selectors.records import find_version
from kpis.selectors.visibility import Sight, sight_of
from kpis.selectors.wording import controllable_words, definition_words
from kpis.services.fitness import review_benchmark
from kpis.services.refusal import RefusedError
from kpis.views.causes import cause_rows
from kpis.views.choices import (
    Choice,
    address,
    chosen_dimension,
    chosen_org,
    chosen_period,
    chosen_segment,
    org_choices,
    period_switch,
)
from kpis.views.refreshing import refreshing
from tenants.capabilities import Capability, has_capability, require
from tenants.registry import panels_of


@login_required
@require_GET
@refreshing
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
    targets = read_targets(node, period)
    page = {
        **segments,
        "node": node,
        "member": segment.member,
        "late": _late(figure, segment),
        "may_step": has_capability(request.user, Capability.PROVISIONAL_PERIODS),
        "org": segment.org,
        "switch": period_switch(request, period),
        "trend": drawn(trend, period.grain),
        "landing": read_landing(
            node, period, dimension=segment.dimension, member=segment.member, org=segment.org, now=now
        ),
        "path": path_to(node),
        "version": version,
        "definition": definition_words(version),
        "can_define": has_capability(request.user, Capability.MANAGE_DEFINITIONS),
        "controllable_by": controllable_words(node),
        "targets": targets,
        "has_target_history": any(target.revisions for target in targets),
        **_causes(request, node, segment, period, now=now),
        **_movement(node, segment, period, trend, now=now),
        **_fitness(request, node, today=today),
    }
    panels = panels_of("kpi", request, node=node, period=period, segment=segment)
    return render(request, "kpis/detail.html", {"page": page, "currency": figure.currency, "panels": panels})


def _late(figure: Figure, segment: Segment) -> LateNumber | None:
    """What the locked number would be today; None of one that is live or waits for no decision."""
    if figure.state != PeriodState.CLOSED or segment.org == "now":
        return None
    return find_late_number(
        node=figure.node_id,
        grain=figure.grain,
        start=figure.period_start,
        dimension=segment.dimension,
        member=segment.member.pk if segment.member else None,
    )


def _causes(request: HttpRequest, node: KpiNode, segment: Segment, period: Period, *, now: datetime) -> dict[str, Any]:
    """Of the KGI the table of what holds it back, of a KPI its own part in that."""
    found = read_contributions(node.tree, period, segment, now=now, to_date=True)
    if found is None:
        return {}
    if found.goal.pk != node.pk:
        return {"impact": found.amount_of(node.pk), "explained": found, "goal_name": found.goal.name}
    return {
        "contributions": found,
        "cause_rows": cause_rows(found, period_namer()(period)),
        "has_shapley": any(cause.method == Method.SHAPLEY for cause in found.causes),
        "period_query": address(request, by=None),
    }


def _movement(
    node: KpiNode, segment: Segment, period: Period, trend: list[PeriodFigure], *, now: datetime
) -> dict[str, Any]:
    """Whether the number moves as it always does, and whether it runs ahead of the KGI."""
    judged = judge_trend(trend, period, today=timezone.localdate(now))
    goal = KpiNode.objects.filter(tree=node.tree_id, level=Level.KGI).first()
    return {
        "variation": judged[1] if judged else None,
        "judged_label": judged[0].label if judged else "",
        "connection": read_connection(node, segment, period, now=now),
        "goal_name": goal.name if goal else "",
    }


@login_required
@require_POST
def benchmark(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Keep that the benchmark was consulted, or the own history preferred, with a note."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    node = find_node(public_id)
    form = BenchmarkReviewForm(request.POST)
    try:
        if form.is_valid():
            review_benchmark(node=node, **form.cleaned_data, actor=request.user, now=timezone.now())
            messages.success(
                request, _("It is noted that the benchmark of %(name)s was looked at.") % {"name": node.name}
            )
        else:
            messages.error(request, _("Choose one of the two, and write what follows for the target."))
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    return redirect("kpi", node.public_id)


def find_node(public_id: uuid.UUID) -> KpiNode:
    """A node that has a number. Raises Http404."""
    nodes = KpiNode.objects.select_related("tree", "metric", "responsible", "responsible_user")
    return get_object_or_404(nodes.exclude(metric=None), public_id=public_id)


def _fitness(request: HttpRequest, node: KpiNode, *, today: date) -> dict[str, Any]:
    """The guidance beside a KPI, and, for who may mend it, what is open about it."""
    if node.level != Level.KPI:
        return {}
    manages = has_capability(request.user, Capability.MANAGE_DEFINITIONS)
    return {
        "guidance": read_guidance(node, today=today),
        "findings": open_findings(node.tree, today=today, codes=[node.code]) if manages else None,
        "review_form": BenchmarkReviewForm() if manages else None,
    }


def _segments(
    request: HttpRequest, node: KpiNode, segment: Segment, period: Period, figure: Figure, sight: Sight
) -> dict[str, Any]:
    """What the segment table needs; it is also loaded alone."""
    dimensions = read_dimensions()
    by = chosen_dimension(request, dimensions, segment)
    table = (
        read_segments(node, by, period, figure, sight, org=chosen_org(request, by), now=timezone.now())
        if dimensions
        else SegmentTable()
    )
    rows = table.rows
    return {
        "figure": figure,
        "currency": figure.currency,
        "dimensions": [Choice(str(row), address(request, by=row.code), row.code == by) for row in dimensions],
        "orgs": org_choices(request, by) or org_choices(request, segment.dimension),
        "dimension_label": next((str(row) for row in dimensions if row.code == by), ""),
        "segments": rows,
        "has_cases": any(row.figure.denominator is not None for row in rows),
        "effects": table.effects,
        "has_shares": any(row.share is not None for row in rows),
        "has_targets": any(row.figure.has_target for row in rows),
    }
