"""「並行確認」: what people typed beside what a source says, month by month, and the switch to the source."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import Grain
from kpis.forms.parallel import CheckForm
from kpis.models import KpiNode, ParallelCheck, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.details import path_to
from kpis.selectors.parallel import candidates_for, find_check, is_typed, read_check
from kpis.services.parallel import ParallelError, start_check, stop_check, switch_to_automatic
from kpis.views.details import find_node
from tenants.capabilities import Capability, has_capability, require
from tenants.settings.selectors import company_settings

MONTHS_AHEAD = 3


@login_required
@require_GET
def check(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The check of a KPI that runs, else the last one; before the first, the form that starts it."""
    require(request.user, Capability.READ_RESULTS)
    return _page(request, find_node(public_id))


@login_required
@require_POST
def start(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Set an automatic metric beside the typed one."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    node = find_node(public_id)
    form = CheckForm(request.POST, metric=node.metric, candidates=candidates_for(node.metric))
    if form.is_valid():
        try:
            start_check(metric=node.metric, **form.cleaned_data, actor=request.user, now=timezone.now())
        except ParallelError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("From now on both values stand side by side. People go on typing."))
            return redirect("kpi-parallel", node.public_id)
    return _page(request, node, form)


@login_required
@require_POST
def end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Switch to the automatic values from a month on, or end the check without that."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    node = find_node(public_id)
    found = get_object_or_404(ParallelCheck, public_id=_uuid(request.POST.get("check", "")), metric=node.metric)
    reason = request.POST.get("reason", "")
    try:
        if request.POST.get("act") == "stop":
            stop_check(check=found, reason=reason, actor=request.user, now=timezone.now())
            messages.success(request, _("The check has ended. People go on typing."))
        else:
            switch_to_automatic(
                check=found,
                effective_from=_date(request.POST.get("effective_from", "")),
                reason=reason,
                actor=request.user,
                now=timezone.now(),
            )
            messages.success(request, _("Switched. Months before it stay as they were typed."))
    except ParallelError as refusal:
        return _page(request, node, refused={"text": str(refusal), "reason": reason})
    return redirect("kpi-parallel", node.public_id)


def _page(
    request: HttpRequest, node: KpiNode, form: CheckForm | None = None, refused: dict[str, str] | None = None
) -> HttpResponse:
    assert node.metric is not None
    today = timezone.localdate()
    found = find_check(node.metric)
    manages = has_capability(request.user, Capability.MANAGE_DEFINITIONS)
    may_start = manages and not (found and found.is_running) and is_typed(node.metric, day=today)
    page: dict[str, Any] = {
        "node": node,
        "path": path_to(node),
        "table": read_check(found, node.tree, now=timezone.now()) if found else None,
        "tolerance": None if found is None or found.tolerance == Decimal(0) else found.tolerance,
        "manages": manages,
        "starts": _starts(today) if manages and found and found.is_running else [],
        "form": form or (CheckForm(metric=node.metric, candidates=candidates_for(node.metric)) if may_start else None),
        "refused": refused,
    }
    context = {"page": page, "currency": company_settings().currency}
    return render(request, "kpis/parallel.html", context, status=422 if refused or (form and form.errors) else 200)


def _starts(today: date) -> list[tuple[date, str]]:
    """The months from which a switch may hold: the running one and those after it."""
    rows = Period.objects.select_related("fiscal_year").filter(grain=Grain.MONTH, end_date__gt=today)
    name = period_namer()
    return [(row.start_date, name(row)) for row in rows.order_by("start_date")[:MONTHS_AHEAD]]


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404(_("There is no such check.")) from None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
