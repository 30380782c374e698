"""The deal forecast table (ヨミ表), its files, and the manager's call."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from kpis.choices import DimensionCode, Grain, Level, TreeStatus
from kpis.engine.landing import Fault
from kpis.forms.forecasts import CallForm
from kpis.models import ForecastCall, KpiNode, KpiTree, Period
from kpis.permissions import check_reach
from kpis.renderings.files import CSV_ENCODINGS, write_csv
from kpis.renderings.pdf import PageHead
from kpis.selectors.calendar import find_period, period_namer
from kpis.selectors.details import Segment, read_groups
from kpis.selectors.forecast_annex import ForecastAnnex, read_forecast_annex
from kpis.selectors.forecast_table import BY_OWNER, BY_RANK, ForecastTable, read_forecast_table
from kpis.selectors.landings import Landing, read_landing
from kpis.selectors.matrix.freshness import FRESH, Freshness, read_freshness
from kpis.selectors.visibility import Sight, sight_of
from kpis.services.calls import CallError, make_call
from kpis.templatetags.kpi import STATE_WORDS, language_code, stale_text, unit_word
from kpis.views.choices import Choice, address, chosen_period, chosen_segment, period_switch
from kpis.views.downloads import PDF_TYPE, XLSX_TYPE, attachment, data_as_of
from kpis.views.forecast_lines import PARTS, postponed_text, since_text
from kpis.views.forecast_pdf import forecast_pdf
from kpis.views.forecast_workbook import forecast_workbook
from kpis.views.refreshing import refreshing
from kpis.views.target_grid import chosen_tree
from tenants.capabilities import Capability, require, scope_of
from tenants.settings.selectors import company_settings

LOSSES, CHANGES, CALLS = 15, 20, 5
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
@refreshing
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
    title = " · ".join(filter(None, [_("Deal forecast table"), label, str(place.segment.member or "")]))
    target = landing.target if landing and _is_whole(place) else None
    content = forecast_workbook(found, _annex(place, found), title=title, notes=_notes(place), target=target)
    return attachment(content, name=f"{_('Deal forecast table')}_{label}.xlsx", content_type=XLSX_TYPE)


@login_required
@require_safe
def export_csv(request: HttpRequest, part: str) -> HttpResponse:
    """One list in full as CSV: the table, changes, losses, to-check; UTF-8 with BOM, or `?encoding=cp932`.

    A note stands below it where a source is late. Raises Http404 for another list, and where there is no table.
    """
    require(request.user, Capability.READ_RESULTS)
    place = _place(request) if part in PARTS else None
    found = _table(request, place, limit=None) if place else None
    if place is None or found is None:
        raise Http404(_("There is no deal forecast table for this period."))
    lines = PARTS[part](found, _annex(place, found))
    encoding = request.GET.get("encoding", "")
    encoding = encoding if encoding in CSV_ENCODINGS else "utf-8-sig"
    return attachment(
        write_csv(
            [[column.heading for column in lines.columns], *lines.rows, *([note] for note in _notes(place))],
            encoding=encoding,
        ),
        name=f"{_('Deal forecast table')}_{period_namer()(place.period)}_{part}.csv",
        content_type=f"text/csv; charset={encoding}",
    )


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
    metric_unit = place.goal.metric.unit if place.goal.metric else ""
    content = forecast_pdf(
        found,
        _annex(place, found),
        head=head,
        unit=metric_unit,
        currency=settings.currency,
        target=target,
        notes=_notes(place),
    )
    return attachment(content, name=f"{_('Deal forecast table')}_{label}.pdf", content_type=PDF_TYPE)


def _place(request: HttpRequest) -> Place | None:
    """None without a tree or a KGI with a number. Raises Http404 for a tree or a period that does not exist."""
    today = timezone.localdate()
    tree = chosen_tree(request)
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
    segment, period = place.segment, place.period
    by = _chosen_by(request)
    found = _table(request, place)
    annex = _annex(place, found, changes=CHANGES, losses=LOSSES) if found else None
    return {
        "goal": place.goal,
        "trees": _trees(place.goal.tree),
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
        "table": found,
        "annex": annex,
        "has_unknown_phase": any(not loss.phase for loss in annex.losses.rows) if annex else False,
        "postponed_help": postponed_text(found) if found else "",
        "unexplained": annex.to_check.by_fault.get(Fault.NO_REASON, 0) if annex else 0,
        "since": since_text(annex.since) if annex else "",
        "landing": _landing(place),
        "freshness": _freshness(place),
        "is_whole": _is_whole(place),
        "calls": _calls(place),
        "currency": company_settings().currency,
        "export_url": address(request),
    }


def _freshness(place: Place) -> Freshness:
    metric = place.goal.metric.code if place.goal.metric else ""
    return read_freshness([metric], now=timezone.now()).get(metric, FRESH)


def _notes(place: Place) -> list[str]:
    """What stands on every list in a file: that the numbers depend on a source that is late."""
    fresh = _freshness(place)
    return [f"{stale_text(fresh.as_of)}: {place.goal.name}"] if fresh.is_stale else []


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


def _annex(place: Place, found: ForecastTable, **limits: int) -> ForecastAnnex:
    return read_forecast_annex(
        place.goal,
        place.period,
        found,
        member=place.segment.member,
        sight=place.sight,
        now=timezone.now(),
        language=language_code(),
        **limits,
    )


def _trees(current: KpiTree) -> list[tuple[KpiTree, bool]]:
    """The trees whose KGI has a number, where there is a choice, and which is shown."""
    with_goal = KpiNode.objects.filter(level=Level.KGI).exclude(metric=None).values("tree")
    trees = list(KpiTree.objects.filter(pk__in=with_goal).exclude(status=TreeStatus.RETIRED))
    return [(tree, tree == current) for tree in trees] if len(trees) > 1 else []


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
