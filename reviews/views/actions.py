"""The list of improvement actions, an action with its history, and a new one."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kpis.choices import TreeStatus
from kpis.models import KpiNode, Person
from reviews.choices import DecisionKind
from reviews.forms import ActionForm, ChangeActionForm, NewActionForm
from reviews.models import Action, AgendaItem
from reviews.models.actions import ActionQuerySet
from reviews.selectors.history import described_changes
from reviews.selectors.numbers import from_json
from reviews.selectors.periods import period_labels
from reviews.selectors.sight import changeable_actions, possible_owners, visible_actions
from reviews.selectors.suggestions import first_values, suggestions_for
from reviews.services.actions import log_action, update_action
from reviews.services.errors import ReviewError
from reviews.services.meetings import record_decision
from reviews.views.answers import add_fault, done, page
from tenants.capabilities import Capability, require

PAGE_SIZE = 50
VIEWS = {
    "open": gettext_lazy("Unfinished"),
    "mine": gettext_lazy("Mine"),
    "overdue": gettext_lazy("Overdue"),
    "all": gettext_lazy("All"),
}


@login_required
@require_safe
def action_list(request: HttpRequest) -> HttpResponse:
    """Improvement actions: unfinished, mine, overdue, or all."""
    require(request.user, Capability.LOG_ACTIONS)
    today = timezone.localdate()
    view = request.GET.get("view", "open")
    view = view if view in VIEWS else "open"
    actions = _of_view(visible_actions(request.user, today=today), view, request)
    rows = actions.select_related("owner", "owner_user", "node", "member", "effect_metric")
    shown = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": shown, "view": view, "views": VIEWS.items(), "today": today}
    return page(request, "reviews/actions.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def action_new(request: HttpRequest) -> HttpResponse:
    """An improvement action about a KPI, with or without a point of a meeting's agenda."""
    require(request.user, Capability.LOG_ACTIONS)
    today, now = timezone.localdate(), timezone.now()
    nodes = KpiNode.objects.filter(metric__isnull=False, tree__status=TreeStatus.ACTIVE).select_related("metric")
    item = _item(request)
    node = _subject_node(item) or nodes.filter(public_id=_uuid(request.GET.get("node"))).first()
    if node is None:
        return page(request, "reviews/action_which.html", {"nodes": nodes.order_by("tree", "position")})
    form = NewActionForm(
        request.POST or None,
        initial=first_values(node, item.miss.member if item and item.miss else None, user=request.user, now=now),
        people=possible_owners(request.user, today=today),
        metric=node.metric,
        today=today,
    )
    if request.method == "POST" and form.is_valid():
        try:
            action = log_action(
                node=node,
                miss=item.miss if item else None,
                owner_user=None if form.cleaned_data["owner"] else request.user,
                actor=request.user,
                now=now,
                **form.cleaned_data,
            )
            if item is not None:
                record_decision(
                    item=item, kind=DecisionKind.IMPROVEMENT_ACTION, action=action, actor=request.user, now=now
                )
        except ReviewError as error:
            add_fault(form, error)
        else:
            messages.success(request, _("The improvement action was saved."))
            return done(request, reverse("meeting", args=[item.meeting.public_id]) if item else reverse("actions"))
    context = {"form": form, "node": node, "item": item, "suggestions": suggestions_for(node.metric)}
    return page(request, "reviews/action_new.html", context, form=form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def action_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """An action: what it is about, its numbers at the start, its form, and what changed."""
    require(request.user, Capability.LOG_ACTIONS)
    today, now = timezone.localdate(), timezone.now()
    action: Action = get_object_or_404(
        visible_actions(request.user, today=today).select_related(
            "node__metric", "node__tree", "member", "owner", "owner_user", "miss", "effect_metric"
        ),
        public_id=public_id,
    )
    may_change = changeable_actions(request.user, today=today).filter(pk=action.pk).exists()
    people = possible_owners(request.user, today=today) | Person.objects.filter(pk=action.owner_id)
    form = ChangeActionForm(
        request.POST or None,
        initial=ActionForm.initial_of(action),
        people=people,
        metric=action.effect_metric or action.node.metric,
    )
    if request.method == "POST" and may_change and form.is_valid():
        values = form.cleaned_data
        owner_user = None if values["owner"] else action.owner_user or request.user
        try:
            update_action(logged=action, owner_user=owner_user, actor=request.user, now=now, **values)
        except ReviewError as error:
            add_fault(form, error)
        else:
            messages.success(request, _("The improvement action was saved."))
            return done(request, reverse("action", args=[action.public_id]))
    context = {
        "action": action,
        "form": form,
        "may_change": may_change,
        "today": today,
        "history": described_changes(action),
        **_baseline(action),
    }
    return page(request, "reviews/action.html", context, form=form)


def _of_view(actions: ActionQuerySet, view: str, request: HttpRequest) -> ActionQuerySet:
    match view:
        case "open":
            return actions.unfinished()
        case "mine":
            return actions.unfinished().filter(Q(owner__user=request.user) | Q(owner_user=request.user))
        case "overdue":
            return actions.overdue(timezone.localdate())
    return actions.order_by("-created_at")


def _baseline(action: Action) -> dict[str, Any]:
    if action.baseline is None:
        return {}
    key, numbers = from_json(action.baseline)
    labels = period_labels([(key.grain, key.period_start)])
    return {"baseline": numbers, "baseline_period": labels.get((key.grain, key.period_start), str(key.period_start))}


def _item(request: HttpRequest) -> AgendaItem | None:
    wanted = _uuid(request.GET.get("item"))
    if wanted is None:
        return None
    require(request.user, Capability.RUN_MEETINGS)
    items = AgendaItem.objects.select_related("meeting", "miss__node__metric", "miss__member", "action__node__metric")
    item: AgendaItem = get_object_or_404(items.select_related("node__metric"), public_id=wanted)
    return item


def _subject_node(item: AgendaItem | None) -> KpiNode | None:
    if item is None:
        return None
    about = item.miss or item.action
    return about.node if about else item.node


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
