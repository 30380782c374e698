"""The list of misses, and a miss with its short form."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kpis.selectors.sources import read_sources, sources_to_attend
from reviews.choices import MissStatus
from reviews.forms import AnswerForm, NewActionForm
from reviews.models import Miss
from reviews.models.misses import MissQuerySet
from reviews.selectors.misses import open_cases, with_freshness
from reviews.selectors.periods import with_period_labels
from reviews.selectors.sight import answerable_misses, possible_owners, visible_misses
from reviews.selectors.suggestions import first_values, suggestions_for
from reviews.services.actions import log_action
from reviews.services.errors import ReviewError
from reviews.services.misses import answer_miss
from reviews.views.answers import add_fault, done, go, page
from tenants.capabilities import Capability, require

PAGE_SIZE = 50
VIEWS = {
    "open": gettext_lazy("Awaiting an answer"),
    "answered": gettext_lazy("Answered"),
    "recorded": gettext_lazy("Recorded only"),
}


@login_required
@require_safe
def miss_list(request: HttpRequest) -> HttpResponse:
    """Misses: one row per open case, the largest amount first; or those answered, or recorded without being asked."""
    require(request.user, Capability.READ_RESULTS)
    today = timezone.localdate()
    view = request.GET.get("view", "open")
    view = view if view in VIEWS else "open"
    misses = _of_view(visible_misses(request.user, today=today), view)
    shown = Paginator(misses, PAGE_SIZE).get_page(request.GET.get("page"))
    shown.object_list = with_period_labels(list(shown.object_list))
    answerable = answerable_misses(request.user, today=today).filter(pk__in=[miss.pk for miss in shown.object_list])
    now = timezone.now()
    with_freshness(shown.object_list, now=now)
    context = {
        "page": shown,
        "view": view,
        "views": VIEWS.items(),
        "late_sources": sources_to_attend(read_sources(now=now), user=request.user, now=now),
        "answerable": set(answerable.values_list("pk", flat=True)),
    }
    return page(request, "reviews/misses.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def miss_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What was missed, and the improvement action in one short form."""
    require(request.user, Capability.READ_RESULTS)
    today, now = timezone.localdate(), timezone.now()
    miss = _find(request, public_id)
    may_answer = answerable_misses(request.user, today=today).filter(pk=miss.pk).exists()
    form = NewActionForm(
        request.POST or None,
        initial=first_values(miss.node, miss.member, user=request.user, now=now),
        people=possible_owners(request.user, today=today),
        metric=miss.node.metric,
        today=today,
    )
    if request.method == "POST" and may_answer and form.is_valid():
        values = form.cleaned_data
        owner_user = None if values["owner"] else request.user
        try:
            log_action(miss=miss, owner_user=owner_user, actor=request.user, now=now, **values)
        except ReviewError as error:
            add_fault(form, error)
        else:
            messages.success(request, _("The improvement action was saved."))
            return _onward(request, miss)
    return page(request, "reviews/miss.html", _context(miss, form, AnswerForm(), may_answer), form=form)


@login_required
@require_POST
def miss_answer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Another answer than an improvement action."""
    today, now = timezone.localdate(), timezone.now()
    miss = get_object_or_404(
        answerable_misses(request.user, today=today).select_related("node__metric", "node__tree", "member"),
        public_id=public_id,
    )
    answer = AnswerForm(request.POST)
    if answer.is_valid():
        try:
            answer_miss(miss=miss, actor=request.user, now=now, **answer.cleaned_data)
        except ReviewError as error:
            add_fault(answer, error)
        else:
            messages.success(request, _("The answer was saved."))
            return _onward(request, miss)
    form = NewActionForm(
        initial=first_values(miss.node, miss.member, user=request.user, now=now),
        people=possible_owners(request.user, today=today),
        metric=miss.node.metric,
        today=today,
    )
    return page(request, "reviews/miss.html", _context(miss, form, answer, True), form=answer)


def _find(request: HttpRequest, public_id: uuid.UUID) -> Miss:
    misses = visible_misses(request.user, today=timezone.localdate())
    miss: Miss = get_object_or_404(
        misses.select_related("node__metric", "node__tree", "member", "answered_by"), public_id=public_id
    )
    return miss


def _of_view(misses: MissQuerySet, view: str) -> MissQuerySet:
    if view == "open":
        return open_cases(misses)
    chosen = misses.filter(status=MissStatus.ANSWERED) if view == "answered" else misses.filter(asked=False)
    return chosen.select_related("node__metric", "node__tree", "member").order_by(
        "-period_start", "node__position", "pk"
    )


def _context(miss: Miss, form: NewActionForm, answer: AnswerForm, may_answer: bool) -> dict[str, Any]:
    with_period_labels([miss])
    with_freshness([miss], now=timezone.now())
    in_case = Miss.objects.standing().filter(case=miss.case or miss) | Miss.objects.filter(pk=miss.case_id)
    return {
        "miss": miss,
        "form": form,
        "answer": answer,
        "may_answer": may_answer,
        "earlier": with_period_labels(
            list(in_case.filter(period_start__lt=miss.period_start).order_by("-period_start")[:5])
        ),
        "suggestions": suggestions_for(miss.node.metric, besides=miss),
        "actions": miss.actions.select_related("owner", "owner_user"),
    }


def _onward(request: HttpRequest, miss: Miss) -> HttpResponse:
    if "next" in request.POST:
        following = open_cases(answerable_misses(request.user, today=timezone.localdate())).first()
        if following is not None:
            return go(request, reverse("miss", args=[following.public_id]))
    return done(request, reverse("misses"))
