"""Meetings: the list, the page on which one is held, its printable form, and the series."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kpis.choices import TreeStatus
from kpis.models import KpiNode
from reviews.choices import MeetingStatus
from reviews.forms import DecisionForm, NodeForm, ScheduleForm, SeriesForm
from reviews.models import Action, AgendaItem, Meeting, MeetingSeries
from reviews.selectors.meetings import AgendaRow, agenda_of, goals_of
from reviews.selectors.sight import may_read_meetings
from reviews.services.errors import ReviewError
from reviews.services.meetings import add_kpi, close_meeting, open_meeting, record_decision, save_minutes
from reviews.services.schedule import ensure_next_meeting, reschedule_meeting, save_series
from reviews.views.answers import add_fault, done, page
from tenants.capabilities import Capability, has_capability, require

PAGE_SIZE = 30
USUAL_TIME = datetime.time(10)


@login_required
@require_safe
def meeting_list(request: HttpRequest) -> HttpResponse:
    """What is coming, which series there are, and what was held."""
    _may_read(request)
    meetings = Meeting.objects.select_related("series").annotate(
        item_count=Count("agenda_items", distinct=True), decision_count=Count("agenda_items__decisions", distinct=True)
    )
    held = meetings.filter(status=MeetingStatus.CLOSED).order_by("-scheduled_at")
    context = {
        "coming": meetings.exclude(status=MeetingStatus.CLOSED).order_by("scheduled_at"),
        "series": MeetingSeries.objects.all(),
        "page": Paginator(held, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_run": has_capability(request.user, Capability.RUN_MEETINGS),
    }
    return page(request, "reviews/meetings.html", context)


@login_required
@require_safe
def meeting_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Two columns: the agenda, and the current point with its numbers and the decision bar."""
    _may_read(request)
    return _show(request, _find(public_id))


@login_required
@require_safe
def meeting_print(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The whole meeting on paper: numbers then and now, decisions, minutes."""
    _may_read(request)
    meeting = _find(public_id)
    now = timezone.now()
    context = {"meeting": meeting, "rows": agenda_of(meeting, now=now), "goals": goals_of(meeting, now=now)}
    return page(request, "reviews/meeting_print.html", context)


@login_required
@require_POST
def meeting_open(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Begin: the numbers are frozen."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    try:
        open_meeting(meeting=meeting, actor=request.user, now=timezone.now())
    except ReviewError as error:
        messages.error(request, str(error))
    return redirect("meeting", public_id)


@login_required
@require_POST
def meeting_close(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """End: what was not decided goes to the next meeting."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    try:
        close_meeting(meeting=meeting, actor=request.user, now=timezone.now())
    except ReviewError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The meeting is closed. Undecided items go to the next meeting."))
    return redirect("meeting", public_id)


@login_required
@require_POST
def meeting_minutes(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Autosave; answers with the small line under the minutes."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    version = request.POST.get("version", "")
    context: dict[str, Any] = {"meeting": meeting}
    try:
        context["meeting"] = save_minutes(
            meeting=meeting,
            text=request.POST.get("minutes", ""),
            base_version=int(version) if version.isdigit() else None,
            now=timezone.now(),
        )
    except ReviewError as error:
        context["fault"] = str(error)
    if request.htmx:
        return render(request, "reviews/parts/minutes_state.html", context)
    if "fault" in context:
        messages.error(request, context["fault"])
    return redirect("meeting", public_id)


@login_required
@require_POST
def meeting_decide(request: HttpRequest, public_id: uuid.UUID, item_id: uuid.UUID) -> HttpResponse:
    """Write down a decision and go on to the next undecided point."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    item: AgendaItem = get_object_or_404(
        meeting.agenda_items.select_related("miss__node", "action", "node"), public_id=item_id
    )
    form = DecisionForm(request.POST, actions=_actions_for(item))
    if form.is_valid():
        try:
            record_decision(item=item, actor=request.user, now=timezone.now(), **form.cleaned_data)
        except ReviewError as error:
            add_fault(form, error)
        else:
            following = meeting.agenda_items.undecided().first() or item
            return redirect(f"{reverse('meeting', args=[public_id])}?item={following.public_id}")
    return _show(request, meeting, item_id=item_id, form=form)


@login_required
@require_POST
def meeting_add_kpi(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Put a KPI on the agenda by hand."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    form = NodeForm(request.POST, nodes=_nodes())
    if form.is_valid():
        try:
            item = add_kpi(meeting=meeting, node=form.cleaned_data["node"], now=timezone.now())
        except ReviewError as error:
            messages.error(request, str(error))
        else:
            return redirect(f"{reverse('meeting', args=[public_id])}?item={item.public_id}")
    return redirect("meeting", public_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def meeting_schedule(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Another time for a planned meeting."""
    require(request.user, Capability.RUN_MEETINGS)
    meeting = _find(public_id)
    form = ScheduleForm(request.POST or None, initial={"scheduled_at": timezone.localtime(meeting.scheduled_at)})
    if request.method == "POST" and form.is_valid():
        try:
            reschedule_meeting(meeting=meeting, scheduled_at=form.cleaned_data["scheduled_at"])
        except ReviewError as error:
            add_fault(form, error)
        else:
            messages.success(request, _("The meeting was moved."))
            return done(request, reverse("meeting", args=[public_id]))
    return page(request, "reviews/meeting_schedule.html", {"meeting": meeting, "form": form}, form=form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def series_page(request: HttpRequest, public_id: uuid.UUID | None = None) -> HttpResponse:
    """A meeting series: new, or as it stands."""
    require(request.user, Capability.RUN_MEETINGS)
    series = get_object_or_404(MeetingSeries, public_id=public_id) if public_id else None
    form = SeriesForm(
        request.POST or None,
        instance=MeetingSeries.objects.get(pk=series.pk) if series else None,
        initial=None if series else {"name": _("Review meeting"), "starts_at": USUAL_TIME},
    )
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            saved = save_series(series=series, now=now, **form.cleaned_data)
        except ReviewError as error:
            add_fault(form, error)
        else:
            messages.success(request, _("The meeting series was saved."))
            if not saved.is_active:
                return done(request, reverse("meetings"))
            return done(request, reverse("meeting", args=[ensure_next_meeting(series=saved, now=now).public_id]))
    return page(request, "reviews/series.html", {"series": series, "form": form}, form=form)


def _show(
    request: HttpRequest, meeting: Meeting, *, item_id: uuid.UUID | None = None, form: DecisionForm | None = None
) -> HttpResponse:
    now = timezone.now()
    rows = agenda_of(meeting, now=now)
    current = _current(rows, str(item_id or request.GET.get("item", "")))
    may_run = has_capability(request.user, Capability.RUN_MEETINGS)
    if current is not None and form is None:
        form = DecisionForm(actions=_actions_for(current.item))
    context = {
        "meeting": meeting,
        "rows": rows,
        "current": current,
        "form": form,
        "has_actions": form is not None and form.fields["action"].queryset.exists(),
        "goals": goals_of(meeting, now=now),
        "may_run": may_run,
        "may_add": may_run and meeting.status != MeetingStatus.CLOSED,
        "node_form": NodeForm(nodes=_nodes()),
        "undecided_count": sum(not row.decisions for row in rows),
        "today": timezone.localdate(now),
    }
    return page(request, "reviews/meeting.html", context, form=form)


def _current(rows: list[AgendaRow], wanted: str) -> AgendaRow | None:
    chosen = next((row for row in rows if str(row.item.public_id) == wanted), None)
    undecided = next((row for row in rows if not row.decisions), None)
    return chosen or undecided or next(iter(rows), None)


def _actions_for(item: AgendaItem) -> Any:
    about = item.miss or item.action
    node = about.node if about else item.node
    return Action.objects.filter(node=node).order_by("-created_at")


def _nodes() -> Any:
    return KpiNode.objects.filter(metric__isnull=False, tree__status=TreeStatus.ACTIVE).order_by("tree", "position")


def _find(public_id: uuid.UUID) -> Meeting:
    meeting: Meeting = get_object_or_404(
        Meeting.objects.select_related("series", "opened_by", "closed_by"), public_id=public_id
    )
    return meeting


def _may_read(request: HttpRequest) -> None:
    if not may_read_meetings(request.user):
        raise PermissionDenied(_("Your role does not allow this. Ask an owner of your company."))
