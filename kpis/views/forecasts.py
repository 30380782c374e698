"""The deal forecast table (ヨミ表), its files, and the manager's call."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from kpis.choices import DimensionCode, Grain, Level
from kpis.forms.forecasts import CallForm
from kpis.models import ForecastCall, KpiNode, Period
from kpis.permissions import check_reach
from kpis.renderings.pdf import PageHead
from kpis.selectors.calendar import find_period, period_namer
from kpis.selectors.details import Segment, read_groups
from kpis.selectors.forecast_table import (
    BY_OWNER,
    BY_RANK,
    ForecastTable,
    read_deal_changes,
    read_forecast_table,
    read_losses,
)
from kpis.selectors.landings import Landing, read_landing
from kpis.selectors.today import find_tree
from kpis.selectors.visibility import Sight, sight_of
from kpis.services.calls import CallError, make_call
from kpis.templatetags.kpi import STATE_WORDS, unit_word
from kpis.views.choices import Choice, address, chosen_period, chosen_segment, period_switch
from kpis.views.downloads import PDF_TYPE, attachment, data_as_of
from kpis.views.forecast_pdf import forecast_pdf
from kpis.views.forecast_workbook import forecast_workbook
from tenants.capabilities import Capability, require, scope_of
from tenants.settings.selectors import company_settings

LOSSES, CHANGES, CALLS = 15, 20, 5
SINCE = timedelta(days=7)
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Place:
    """Which KGI, period and part of the company the page is about, and for whom."""

    goal: KpiNode
    period: Period
    segment: Segment
    sight: Sight


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def table(request: HttpRequest) -> HttpResponse:
    """Won and open deals of the period with foot and landing; POST makes the manager's call."""
    require(request.user, Capability.READ_RESULTS)
    place = _place(request)
    if place is None:
        return render(request, "kpis/forecast.html", {"page": {"goal": None}})
    may_call = _may_call(request, place)
    form = CallForm(request.POST or None, unit=_unit(place.goal), initial=_last_call(place))
    if request.method == "POST":
        if not may_call:
            raise PermissionDenied(_("This is not yours to write: your role reaches your own people and KPIs."))
        if form.is_valid() and _call(request, place, form):
            messages.success(request, _("The call is noted. Earlier calls stay in the history."))
            return redirect(request.get_full_path())
    page = _page(request, place)
    context = {"page": {**page, "form": form if may_call and page["landing"] else None}, "currency": page["currency"]}
    return render(request, "kpis/forecast.html", context, status=UNPROCESSABLE if form.errors else None)


@login_required
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """All deals of the table as an Excel file. Raises Http404 where there is no table."""
    require(request.user, Capability.READ_RESULTS)
    place = _place(request)
    found = _table(request, place, limit=None) if place else None
    if place is None or found is None:
        raise Http404(_("There is no deal forecast table for this period."))
    label = period_namer()(place.period)
    landing = _landing(place)
    name = _("Deal forecast table") + f"_{label}.xlsx"
    title = " · ".join(filter(None, [_("Deal forecast table"), label, str(place.segment.member or "")]))
    target = landing.target if landing and _is_whole(place) else None
    response = HttpResponse(forecast_workbook(found, title=title, target=target), content_type=EXCEL)
    response["Content-Disposition"] = f"attachment; filename=\"forecast.xlsx\"; filename*=UTF-8''{quote(name)}"
    return response


@login_required
@require_safe
def export_pdf(request: HttpRequest) -> HttpResponse:
    """All deals of the table as a PDF. Raises Http404 where there is no table."""
    require(request.user, Capability.READ_RESULTS)
    place = _place(request)
    found = _table(request, place, limit=None) if place else None
    if place is None or found is None:
        raise Http404(_("There is no deal forecast table for this period."))
    label = period_namer()(place.period)
    settings = company_settings()
    landing = _landing(place)
    unit = _("Unit: %(unit)s") % {"unit": _unit(place.goal)} if _unit(place.goal) else ""
    head = PageHead(
        settings.name,
        _("Deal forecast table"),
        " · ".join(filter(None, [label, str(place.segment.member or ""), unit])),
        data_as_of(timezone.now()),
        str(STATE_WORDS.get(place.period.state, "")),
    )
    target = landing.target if landing and _is_whole(place) else None
    content = forecast_pdf(found, head=head, currency=settings.currency, target=target)
    return attachment(content, name=f"{_('Deal forecast table')}_{label}.pdf", content_type=PDF_TYPE)


def _place(request: HttpRequest) -> Place | None:
    """None without an active tree or a KGI with a number."""
    today = timezone.localdate()
    tree = find_tree(today=today)
    goals = KpiNode.objects.select_related("tree", "metric", "responsible").filter(tree=tree, level=Level.KGI)
    goal = goals.exclude(metric=None).first() if tree else None
    if goal is None:
        return None
    sight = sight_of(user=request.user, today=today)
    if "start" in request.GET:
        period: Period | None = chosen_period(request, goal.tree, today=today)
    else:
        grain = request.GET.get("grain", "")
        period = find_period(grain if grain in (Grain.MONTH, Grain.QUARTER) else Grain.MONTH, today)
    if period is None:
        raise Http404(_("The calendar does not reach this period."))
    return Place(goal, period, chosen_segment(request, sight), sight)


def _page(request: HttpRequest, place: Place) -> dict[str, Any]:
    now = timezone.now()
    segment, period, people = place.segment, place.period, place.sight.members.get(DimensionCode.PERSON)
    by = _chosen_by(request)
    return {
        "goal": place.goal,
        "period": period,
        "switch": period_switch(request, period),
        "member": segment.member,
        "segments": _segments(place),
        "kept": {name: request.GET[name] for name in ("grain", "start", "by") if name in request.GET},
        "by": by,
        "views": [
            Choice(_("By person in charge"), address(request, by=None), by == BY_OWNER),
            Choice(_("By confidence"), address(request, by=BY_RANK), by == BY_RANK),
        ],
        "table": _table(request, place),
        "landing": _landing(place),
        "is_whole": _is_whole(place),
        "calls": _calls(place),
        "losses": read_losses(period, member=segment.member, people=people, limit=LOSSES),
        "changes": read_deal_changes(period, since=now - SINCE, owners=place.sight.people, limit=CHANGES),
        "since": now - SINCE,
        "currency": company_settings().currency,
        "export_url": address(request),
    }


def _chosen_by(request: HttpRequest) -> str:
    return BY_RANK if request.GET.get("by") == BY_RANK else BY_OWNER


def _table(request: HttpRequest, place: Place, **options: Any) -> ForecastTable | None:
    return read_forecast_table(
        place.goal,
        place.period,
        member=place.segment.member,
        people=place.sight.members.get(DimensionCode.PERSON),
        by=_chosen_by(request),
        today=timezone.localdate(),
        **options,
    )


def _landing(place: Place) -> Landing | None:
    segment = place.segment
    return read_landing(
        place.goal, place.period, dimension=segment.dimension, member=segment.member, now=timezone.now()
    )


def _is_whole(place: Place) -> bool:
    """Whether the reader sees all deals of the number, so that they may be held against its target."""
    is_own = place.segment.dimension in (DimensionCode.TEAM, DimensionCode.PERSON)
    return is_own or DimensionCode.PERSON not in place.sight.members


def _may_call(request: HttpRequest, place: Place) -> bool:
    segment = place.segment
    scope = scope_of(request.user, Capability.SET_TARGETS)
    if scope == "none":
        return False
    try:
        check_reach(request.user, scope, place.sight, segment.dimension, segment.member, [place.goal])
    except PermissionDenied:
        return False
    return True


def _call(request: HttpRequest, place: Place, form: CallForm) -> bool:
    try:
        make_call(
            node=place.goal,
            grain=place.period.grain,
            period_start=place.period.start_date,
            dimension=place.segment.dimension,
            member=place.segment.member,
            value=form.cleaned_data["value"],
            note=form.cleaned_data["note"],
            actor=request.user,
            now=timezone.now(),
        )
    except CallError as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _calls(place: Place) -> list[ForecastCall]:
    """What was called for this period, latest first."""
    calls = ForecastCall.objects.filter(
        node=place.goal,
        grain=place.period.grain,
        period_start=place.period.start_date,
        dimension=place.segment.dimension,
        member=place.segment.member,
    )
    return list(calls.select_related("actor")[:CALLS])


def _last_call(place: Place) -> dict[str, Any]:
    last = next(iter(_calls(place)), None)
    return {"value": f"{last.value:.0f}" if last else None}


def _unit(goal: KpiNode) -> str:
    is_money = goal.metric is not None and goal.metric.unit == "amount"
    return unit_word(f"one {company_settings().currency}") if is_money else ""


def _segments(place: Place) -> list[dict[str, Any]]:
    """The teams and people in sight, for narrowing the table."""
    groups = [each for each in read_groups(place.sight) if each[0].code in (DimensionCode.TEAM, DimensionCode.PERSON)]
    current = place.segment.member
    return [
        {
            "label": str(dimension),
            "members": [
                {"value": f"{dimension.code}:{member.code}", "name": member.name, "is_current": member == current}
                for member in members
            ],
        }
        for dimension, members in groups
    ]
