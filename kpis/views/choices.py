"""What a reader chose in the address: the period, and the part of the company."""

from dataclasses import dataclass
from datetime import date

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from kpis.choices import DimensionCode, Grain
from kpis.models import Dimension, DimensionMember, KpiTree, Period
from kpis.selectors.calendar import find_period, period_namer
from kpis.selectors.details import Segment
from kpis.selectors.matrix.axes import has_successors
from kpis.selectors.today import find_spoken_period
from kpis.selectors.visibility import Sight

GRAINS = (Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.HALF, Grain.YEAR)


@dataclass(frozen=True)
class Choice:
    """One entry of a switch."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class PeriodSwitch:
    """The period's name, its neighbours and the other grains."""

    label: str
    previous_url: str
    next_url: str
    grains: list[Choice]


def address(request: HttpRequest, **changes: str | None) -> str:
    """The same page with other parameters; None takes one out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return f"?{query.urlencode()}"


def chosen_period(request: HttpRequest, tree: KpiTree, *, today: date) -> Period:
    """`?grain=&start=`; without them the month to speak of. Raises Http404 for a day outside the calendar."""
    grain = request.GET.get("grain", "")
    grain = grain if grain in GRAINS else Grain.MONTH
    try:
        day = date.fromisoformat(request.GET.get("start", ""))
    except ValueError:
        period = find_spoken_period(tree, grain, today=today)
    else:
        period = find_period(grain, day)
    if period is None:
        raise Http404(_("The calendar does not reach this period."))
    return period


def period_switch(request: HttpRequest, period: Period) -> PeriodSwitch:
    """The switch around a period."""
    rows = Period.objects.filter(grain=period.grain)
    before = rows.filter(start_date__lt=period.start_date).order_by("-start_date").first()
    after = rows.filter(start_date__gt=period.start_date).order_by("start_date").first()
    return PeriodSwitch(
        label=period_namer()(period),
        previous_url=address(request, start=before.start_date.isoformat()) if before else "",
        next_url=address(request, start=after.start_date.isoformat()) if after else "",
        grains=[Choice(str(grain.label), address(request, grain=grain), grain == period.grain) for grain in GRAINS],
    )


def chosen_segment(request: HttpRequest, sight: Sight) -> Segment:
    """`?segment=dimension:member&org=now`; the whole company without it. Raises Http404, PermissionDenied out of sight.

    `org` says how teams are organised: as they were, or with those that they replaced.
    """
    dimension, colon, code = request.GET.get("segment", "").partition(":")
    if not colon:
        return Segment()
    member = DimensionMember.objects.filter(dimension__code=dimension, code=code).first()
    if member is None:
        raise Http404(_("This part of the company does not exist."))
    if not sight.allows(dimension, member.pk):
        raise PermissionDenied(_("You may see your own results and the company's totals."))
    return Segment(dimension, member, chosen_org(request, dimension))


def chosen_org(request: HttpRequest, dimension: str) -> str:
    """`?org=now` of teams; else "then"."""
    return "now" if dimension == DimensionCode.TEAM and request.GET.get("org") == "now" else "then"


def org_choices(request: HttpRequest, dimension: str) -> list[Choice]:
    """As it was, and as it is now; nothing to choose of other dimensions, and where no team was ever replaced."""
    if dimension != DimensionCode.TEAM or not has_successors():
        return []
    org = chosen_org(request, dimension)
    return [
        Choice(_("Organisation then"), address(request, org=None), org == "then"),
        Choice(_("Organisation now"), address(request, org="now"), org == "now"),
    ]


def chosen_dimension(request: HttpRequest, dimensions: list[Dimension], segment: Segment) -> str:
    """`?by=dimension`; the first one without it, and never the one the page is narrowed to by itself."""
    codes = [row.code for row in dimensions]
    asked = request.GET.get("by", "")
    if asked in codes:
        return asked
    return next((code for code in codes if code != segment.dimension), DimensionCode.COMPANY)
