"""「入力」: the values that wait for the reader, typed as in a spreadsheet, and those of the last year."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.forms.inputs import InputForm
from kpis.models import KpiNode
from kpis.permissions import check_reach
from kpis.selectors.input_people import company_owners
from kpis.selectors.inputs import InputCell, open_inputs, read_inputs
from kpis.selectors.visibility import sight_of
from kpis.services.entries import EntryError, enter_value, withdraw_value
from kpis.views.choices import Choice, address
from tenants.capabilities import Capability, Scope, require
from tenants.settings.selectors import company_settings


@login_required
@require_GET
def inputs(request: HttpRequest) -> HttpResponse:
    """The reader's open values, overdue first; who types for all may look at everybody's with `?whose=all`."""
    scope = require(request.user, Capability.ENTER_VALUES)
    return _page(request, scope)


@login_required
@require_POST
def enter(request: HttpRequest) -> HttpResponse:
    """Store one value; an open one makes room for the next, with a way back."""
    scope = require(request.user, Capability.ENTER_VALUES)
    cell = _cell(request, scope)
    was_open = request.POST.get("was") == "open"
    form = InputForm(request.POST, metric=cell.node.metric)
    fault = ""
    if form.is_valid():
        place = {"grain": cell.period.grain, "dimension": cell.place.dimension, "member": cell.place.member}
        try:
            enter_value(
                metric=cell.node.metric,
                period_start=cell.period.start_date,
                **place,
                **form.entry(),
                actor=request.user,
                now=timezone.now(),
                is_first=was_open,
            )
        except EntryError as refusal:
            fault = str(refusal)
        else:
            return _answer(request, scope, cell, is_done=was_open)
    return _answer(request, scope, cell, fault=fault or form.fault)


@login_required
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what was typed just now: the value waits again."""
    scope = require(request.user, Capability.ENTER_VALUES)
    cell = _cell(request, scope)
    try:
        if cell.entry is not None:
            withdraw_value(entry=cell.entry, seen_at=_seen_at(request), actor=request.user, now=timezone.now())
    except EntryError as refusal:
        return _answer(request, scope, cell, fault=str(refusal), is_done=True)
    return _answer(request, scope, cell)


def _page(request: HttpRequest, scope: str, fault: dict[str, Any] | None = None) -> HttpResponse:
    everybody = scope == Scope.ALL and request.GET.get("whose") == "all"
    cells = read_inputs(today=timezone.localdate())
    waiting = open_inputs(cells, None if everybody else request.user)
    known = [cell for cell in cells if everybody or cell.may_be_typed_by(request.user)]
    past = [cell for cell in known if not cell.is_open]
    page = {
        "waiting": waiting,
        "late_count": sum(cell.is_late for cell in waiting),
        "histories": _histories(past),
        "whose": [
            Choice(_("Mine"), address(request, whose=None), not everybody),
            Choice(_("Everybody's"), address(request, whose="all"), everybody),
        ]
        if scope == Scope.ALL
        else [],
        "everybody": everybody,
        "reopeners": company_owners() if any(cell.is_closed for cell in known) else [],
        "fault": fault,
    }
    context = {"page": page, "currency": company_settings().currency}
    return render(request, "kpis/inputs.html", context, status=422 if fault else 200)


def _histories(cells: Iterable[InputCell]) -> list[dict[str, Any]]:
    """The cells of each KPI and member, latest first; without those that have nothing to show or to type."""
    rows: dict[tuple[int, int], list[InputCell]] = defaultdict(list)
    for cell in cells:
        rows[cell.node.metric_id or 0, cell.place.member.pk if cell.place.member else 0].append(cell)
    return [
        {"node": row[0].node, "member": row[0].place.member, "cells": row}
        for row in rows.values()
        if any(cell.entry or not cell.is_closed for cell in row)
    ]


def _answer(
    request: HttpRequest, scope: str, cell: InputCell, *, fault: str = "", is_done: bool = False
) -> HttpResponse:
    """The row as it stands now for htmx; without it the page again, with what was typed where it was refused."""
    if not request.htmx:
        if fault:
            return _page(request, scope, {"id": cell.id, "text": fault, "typed": request.POST})
        if is_done:
            messages.success(
                request,
                _("%(kpi)s of %(period)s is typed. Correct it below.") % {"kpi": cell.node.name, "period": cell.label},
            )
        return redirect("inputs")
    now = next(each for each in read_inputs(today=timezone.localdate(), nodes=[cell.node.pk]) if each.key == cell.key)
    is_past = request.POST.get("was") == "past"
    template = "past" if is_past else "done" if is_done else "row"
    context = {
        "cell": now,
        "fault": fault,
        "typed": request.POST if fault else None,
        "currency": company_settings().currency,
    }
    return render(request, f"kpis/inputs/{template}.html", context, status=422 if fault else 200)


def _cell(request: HttpRequest, scope: str) -> InputCell:
    """The cell that is named by node, start of the period and member. Raises Http404 and PermissionDenied."""
    try:
        node = get_object_or_404(KpiNode, public_id=uuid.UUID(request.POST.get("node", "")))
        start = date.fromisoformat(request.POST.get("start", ""))
    except ValueError:
        raise Http404(_("This value is not asked for.")) from None
    member = request.POST.get("member", "")
    for cell in read_inputs(today=timezone.localdate(), nodes=[node.pk]):
        code = cell.place.member.code if cell.place.member else ""
        if (cell.period.start_date, code) == (start, member):
            _check_typing(request, scope, cell)
            return cell
    raise Http404(_("This value is not asked for."))


def _check_typing(request: HttpRequest, scope: str, cell: InputCell) -> None:
    """Owner and deputy type it, and whoever's role reaches it."""
    if not cell.may_be_typed_by(request.user):
        sight = sight_of(user=request.user, today=timezone.localdate())
        check_reach(request.user, scope, sight, cell.place.dimension, cell.place.member, [cell.node])


def _seen_at(request: HttpRequest) -> datetime:
    """When the value was typed that is taken back. Raises Http404 for what is no moment."""
    try:
        moment = parse_datetime(request.POST.get("seen_at", ""))
    except ValueError:
        moment = None
    if moment is None:
        raise Http404(_("This value is not asked for."))
    return moment
