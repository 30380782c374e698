"""Closing periods: 速報, 確定, opening again, and what is done about late changes."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import Grain, PeriodState, RestatementVerdict
from kpis.models import KpiNode, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.closing import (
    BASE_GRAINS,
    ClosingPeriod,
    LateChange,
    group_late_changes,
    preview_closing,
    read_closing_periods,
    read_transitions,
)
from kpis.selectors.closing_dues import read_dues
from kpis.selectors.grounds import CellAddress
from kpis.selectors.restatements import find_restatements_of, read_decisions
from kpis.selectors.visibility import sight_of
from kpis.services.evidence import Evidence, HistoryError, compare_all_with_past
from kpis.services.periods import close_period, make_provisional, reopen_period
from kpis.services.refusal import RefusedError
from kpis.services.restatements import decide_restatements
from kpis.views.choices import GRAINS, Choice, address
from tenants.capabilities import Capability, has_capability, require
from tenants.settings.selectors import company_settings

PERIODS, EXPLAINED, DECISIONS = 13, 12, 50
STEPS: dict[str, tuple[Callable[..., Period], str, Any]] = {
    "provisional": (
        make_provisional,
        Capability.PROVISIONAL_PERIODS,
        gettext_lazy("%(period)s is provisional now. Misses are opened from it."),
    ),
    "close": (
        close_period,
        Capability.CLOSE_PERIODS,
        gettext_lazy("%(period)s is closed. Its numbers are locked; later changes are listed below."),
    ),
    "reopen": (
        reopen_period,
        Capability.CLOSE_PERIODS,
        gettext_lazy("%(period)s is provisional again, and its numbers follow the facts."),
    ),
}


@login_required
@require_GET
def closing(request: HttpRequest) -> HttpResponse:
    """The recent periods, and of the chosen one its steps, what the next would lock, and its late changes."""
    require(request.user, Capability.PROVISIONAL_PERIODS)
    now = timezone.now()
    today = timezone.localdate(now)
    grain = request.GET.get("grain", "")
    grain = grain if grain in GRAINS else Grain.MONTH
    asked = _asked_start(request)
    periods = read_closing_periods(grain, today=today, limit=PERIODS, asked=asked)
    chosen = _chosen(asked, periods, today)
    dues = read_dues([each.row for each in periods], today=today)
    settings = company_settings()
    page: dict[str, Any] = {
        "periods": periods,
        "chosen": chosen,
        "grains": [Choice(str(each.label), f"?grain={each}", each == grain) for each in GRAINS],
        "overdue": {key for key, due in dues.items() if due.overdue},
        "provisional_day": settings.provisional_business_day,
        "closing_day": settings.closing_business_day,
        "may_close": has_capability(request.user, Capability.CLOSE_PERIODS),
        "may_set_days": request.user.has_perm("company_settings.change_companysettings"),
    }
    if chosen is not None:
        page |= {"due": dues.get(chosen.row.pk), **_page_of(request, chosen.row)}
    return render(request, "kpis/closing.html", {"page": page, "currency": settings.currency})


@login_required
@require_POST
def step(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Make a period provisional, close it, or open it again."""
    asked = STEPS.get(request.POST.get("step", ""))
    require(request.user, asked[1] if asked else Capability.PROVISIONAL_PERIODS)
    period = _find(public_id)
    if asked is None:
        raise Http404(_("There is no such step."))
    service, _capability, message = asked
    try:
        service(period=period, reason=request.POST.get("reason", ""), actor=request.user, now=timezone.now())
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, message % {"period": period_namer()(period)})
    return redirect(_url(period))


@login_required
@require_POST
def decide(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Approve or refuse the late changes of a closed period, of one node or of all."""
    require(request.user, Capability.CLOSE_PERIODS)
    period = _find(public_id)
    verdict, asked = request.POST.get("verdict", ""), request.POST.get("node", "")
    if verdict not in RestatementVerdict.values:
        raise Http404(_("There is no such decision."))
    try:
        decisions = decide_restatements(
            period=period,
            verdict=RestatementVerdict(verdict),
            reason=request.POST.get("reason", ""),
            nodes=[_find_node(asked)] if asked else None,
            actor=request.user,
            now=timezone.now(),
        )
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        words = {
            RestatementVerdict.APPROVED: _("Locked anew: %(count)s numbers. What they were before stays listed."),
            RestatementVerdict.REFUSED: _("Refused: %(count)s numbers stay as they were locked."),
        }
        messages.success(request, words[RestatementVerdict(verdict)] % {"count": len(decisions)})
    return redirect(_url(period))


def _page_of(request: HttpRequest, period: Period) -> dict[str, Any]:
    """What is said of the chosen period."""
    now = timezone.now()
    is_over = period.end_date <= timezone.localdate(now)
    is_base, is_closed = period.grain in BASE_GRAINS, period.state == PeriodState.CLOSED
    sight = sight_of(user=request.user, today=timezone.localdate(now))
    late = group_late_changes(find_restatements_of(period, sight=sight, now=now)) if is_closed else []
    told = len(late) if request.GET.get("causes") == "all" else EXPLAINED
    return {
        "is_over": is_over,
        "is_base": is_base,
        "is_closed": is_closed,
        "transitions": read_transitions(period),
        "preview": preview_closing(period, now=now) if is_over and is_base and not is_closed else None,
        "late": list(zip(late, _explained(late[:told], len(late), period), strict=True)),
        "unexplained": [change.node for change in late[told:] if change.company],
        "all_causes_url": address(request, causes="all"),
        "open_count": sum(not change.is_refused for change in late),
        "decisions": read_decisions(period, sight=sight, limit=DECISIONS) if is_base or is_closed else [],
    }


def _explained(late: list[LateChange], count: int, period: Period) -> list[Evidence | None]:
    """Why the company's number differs, with None up to `count`, and where its records do not tell."""
    cells = {number: change.company.cell for number, change in enumerate(late) if change.company}
    found: dict[int, Evidence | None] = {}
    for moment in {cell.locked_at for cell in cells.values()}:
        asked = [number for number, cell in cells.items() if cell.locked_at == moment and cell.node.metric]
        addresses = [CellAddress(late[number].node.metric, period) for number in asked]
        try:
            compared = compare_all_with_past(addresses, moment=moment, people=(), now=timezone.now())
        except HistoryError:
            continue
        found |= dict(zip(asked, compared, strict=True))
    return [found.get(number) for number in range(count)]


def _asked_start(request: HttpRequest) -> date | None:
    """`?start=`; None where that is no date."""
    try:
        return date.fromisoformat(request.GET.get("start", ""))
    except ValueError:
        return None


def _chosen(asked: date | None, periods: list[ClosingPeriod], today: date) -> ClosingPeriod | None:
    """The one asked for; else the latest period that is over."""
    over = [each for each in periods if each.row.end_date <= today]
    found = next((each for each in periods if each.row.start_date == asked), None)
    return found or next(iter(over), next(iter(periods), None))


def _find(public_id: uuid.UUID) -> Period:
    return get_object_or_404(Period.objects.select_related("fiscal_year"), public_id=public_id)


def _find_node(reference: str) -> int:
    try:
        return get_object_or_404(KpiNode, public_id=uuid.UUID(reference)).pk
    except ValueError:
        raise Http404(_("There is no such KPI.")) from None


def _url(period: Period) -> str:
    return f"{reverse('closing')}?grain={period.grain}&start={period.start_date.isoformat()}"
