"""What this floor adds to the floors below: navigation, panels, a checklist item, health, handlers."""

import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.models import KpiNode
from reviews.choices import MeetingStatus
from reviews.models import Meeting, MeetingSeries
from reviews.selectors.meetings import find_next_meeting, is_held_regularly
from reviews.selectors.misses import open_cases
from reviews.selectors.noted import read_last_meeting, read_noted_numbers
from reviews.selectors.periods import with_period_labels
from reviews.selectors.sight import answerable_misses, visible_actions, visible_misses
from reviews.tasks import record_late_misses, record_period_misses, record_told_misses
from tenants import registry
from tenants.capabilities import Capability, has_capability
from tenants.outbox.registry import on
from tenants.registry import (
    ChecklistItem,
    HealthSignal,
    ItemState,
    ItemStatus,
    NavigationEntry,
    NumberNotes,
    OccasionSource,
    PagePanel,
    Stage,
)

MISSES_ON_TODAY = 3
ACTIONS_ON_TODAY = 5


def register() -> None:
    """Called once, when the apps are ready."""
    for topic in ("period.provisional", "period.closed"):
        on(topic, record_period_misses)
    on("values.changed", record_late_misses)
    on("stream.read", record_told_misses)
    for entry in NAVIGATION:
        registry.navigation.register(entry)
    for panel in PANELS:
        registry.panels.register(panel)
    registry.checklist.register(
        ChecklistItem(18, Stage.IMPROVING, gettext_lazy("Weekly or monthly review meeting"), check_meetings)
    )
    registry.health_signals.register(HealthSignal("reviews", read_health, 40))
    registry.number_notes.register(NumberNotes("meetings", read_noted_numbers, 20))
    registry.occasions.register(OccasionSource("meetings", read_last_meeting, 10))
    registry.model_capabilities.update(
        {
            "reviews.miss": Capability.ANSWER_MISSES,
            "reviews.action": Capability.LOG_ACTIONS,
            "reviews.actionchange": Capability.LOG_ACTIONS,
            "reviews.meetingseries": Capability.RUN_MEETINGS,
            "reviews.meeting": Capability.RUN_MEETINGS,
            "reviews.agendaitem": Capability.RUN_MEETINGS,
            "reviews.decision": Capability.RUN_MEETINGS,
        }
    )


def check_meetings(today: datetime.date) -> ItemState:
    """Item 18: a series is active, and its last two meetings were held in time, each with a decision."""
    series = list(MeetingSeries.objects.filter(is_active=True))
    if not series:
        return ItemState(
            status=ItemStatus.NOT_STARTED,
            evidence=_("No meeting series is active."),
            next_step=_("Plan a review meeting"),
            next_step_url=reverse("series-new"),
        )
    held = Meeting.objects.filter(status=MeetingStatus.CLOSED, series__in=series).order_by("-opened_at")
    if any(is_held_regularly(one, today=today) for one in series):
        evidence = _("The last two meetings were held in time, each with a decision.")
        return ItemState(status=ItemStatus.DONE, evidence=evidence, evidence_url=reverse("meetings"))
    next_meeting = find_next_meeting()
    return ItemState(
        status=ItemStatus.REGRESSED if len(held[:2]) == 2 else ItemStatus.IN_PROGRESS,
        evidence=_("Two meetings in a row, in time and each with a decision, are needed."),
        evidence_url=reverse("meetings"),
        next_step=_("Hold the next meeting"),
        next_step_url=reverse("meeting", args=[next_meeting.public_id]) if next_meeting else reverse("meetings"),
    )


def read_health(now: datetime.datetime) -> dict[str, Any]:
    """What the console shows of reviews: unanswered misses, the last and the next meeting."""
    last = Meeting.objects.filter(opened_at__isnull=False).order_by("-opened_at").first()
    coming = find_next_meeting()
    return {
        "unanswered_miss_count": open_cases().count(),
        "last_meeting_at": last.opened_at if last else None,
        "next_meeting_at": coming.scheduled_at if coming else None,
    }


def today_panel(request: HttpRequest, **_objects: Any) -> dict[str, Any] | None:
    """What needs a response now: misses, actions due this week, and the next meeting in one line.

    None for who only reads: nobody waits for an answer of theirs.
    """
    if not has_capability(request.user, Capability.LOG_ACTIONS):
        return None
    today = timezone.localdate()
    week_end = today + datetime.timedelta(days=7 - today.weekday())
    cases = open_cases(answerable_misses(request.user, today=today))
    due = visible_actions(request.user, today=today).unfinished().filter(due_on__lt=week_end)
    misses = with_period_labels(list(cases[:MISSES_ON_TODAY]))
    return {
        "misses": misses,
        "more_misses": max(cases.count() - len(misses), 0) if len(misses) == MISSES_ON_TODAY else 0,
        "actions": due.select_related("owner", "owner_user", "node")[:ACTIONS_ON_TODAY],
        "meeting": find_next_meeting() if has_capability(request.user, Capability.RUN_MEETINGS) else None,
        "today": today,
    }


def node_panel(request: HttpRequest, *, node: KpiNode, **_objects: Any) -> dict[str, Any]:
    """A KPI's misses and improvement actions, newest first."""
    today = timezone.localdate()
    misses = visible_misses(request.user, today=today).filter(node=node).select_related("node__metric", "member")
    actions = visible_actions(request.user, today=today).filter(node=node).select_related("owner", "owner_user")
    answerable = answerable_misses(request.user, today=today).awaiting_answer().filter(node=node)
    return {
        "node": node,
        "misses": with_period_labels(
            list(misses.annotate(action_count=Count("actions")).order_by("-period_start", "pk")[:6])
        ),
        "answerable": set(answerable.values_list("pk", flat=True)),
        "actions": actions.order_by("-created_at")[:6],
        "can_log": has_capability(request.user, Capability.LOG_ACTIONS),
        "today": today,
    }


NAVIGATION = (
    NavigationEntry("misses", gettext_lazy("Miss response"), "misses", "miss", 50, Capability.ANSWER_MISSES),
    NavigationEntry("actions", gettext_lazy("Improvement actions"), "actions", "action", 60, Capability.LOG_ACTIONS),
    NavigationEntry("meetings", gettext_lazy("Meetings"), "meetings", "meeting", 65, Capability.RUN_MEETINGS),
)
PANELS = (
    PagePanel("today", "reviews", "reviews/panels/today.html", today_panel, 20),
    PagePanel("kpi", "reviews", "reviews/panels/kpi.html", node_panel, 30),
)
