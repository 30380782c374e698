"""What somebody asks of a back-calculation, made into a question that the engine can answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count, Q

from kpis.choices import Grain
from kpis.engine.back_calculation import (
    AMOUNT,
    BENCHMARK,
    DEAL_SIZE,
    FRACTION,
    GOAL,
    LEAD_SHARE,
    MULTIPLE,
    OPPORTUNITY_RATE,
    OWN,
    PER_DEAL,
    TYPED,
    Assumption,
    Band,
    Capacity,
    MonthSpan,
    Question,
)
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.templates import BENCHMARKS
from kpis.models import CalendarDay, KpiTree, Period, Target
from kpis.selectors.back_calculation.history import History
from kpis.selectors.back_calculation.places import Places

LOOK_BACK = timedelta(days=366 * 3)
FIRST_CHOICE = "mean"  # the kind of benchmark that stands for a rate where there are several


@dataclass(frozen=True, slots=True)
class BackCalculationRequest:
    """The goal and what is taken for granted.

    `metric` is the code of the KGI's metric, or of a stage. `rates` holds, by code, a number, "own" (the company's last
    twelve months) or "benchmark"; what is left out is "own" where that is known, and never the benchmark. The lead
    share counts only where it is asked for. `lead_days` are days before the order, by stage; `has_mql` None = as the
    tree says.
    """

    tree: KpiTree
    metric: str
    value: Decimal
    period: Period
    rates: Mapping[str, Decimal | str] = field(default_factory=dict)
    lead_days: Mapping[str, int] = field(default_factory=dict)
    capacities: Mapping[str, Capacity] = field(default_factory=dict)
    has_mql: bool | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkRate:
    """The industry's figure for a rate: one value to calculate with, and the band of all its records."""

    value: Decimal
    band: Band


def benchmarks_of(places: Places) -> dict[str, BenchmarkRate]:
    """Rate → its benchmark, for rates that are defined as the benchmark is."""
    found = {}
    for code in places.rates():
        if code == OPPORTUNITY_RATE and not places.has_mql:
            continue
        bands = [
            (each.kind, Band(each.low, each.low if each.high is None else each.high))
            for each in BENCHMARKS
            if each.metric == code and each.low is not None
        ]
        if bands:
            first = next((band for kind, band in bands if kind == FIRST_CHOICE), bands[0][1])
            whole = Band(min(band.low for _kind, band in bands), max(band.high for _kind, band in bands))
            found[code] = BenchmarkRate((first.low + first.high) / 2, whole)
    return found


def find_issues(request: BackCalculationRequest, places: Places, history: History) -> tuple[Issue, ...]:
    """What keeps the question from being asked; fields as in the API."""
    issues: list[Issue] = []
    if _start(request, places) is None:
        template = gettext_noop("%(metric)s is neither the KGI of this tree nor a step towards it.")
        issues.append(Issue("goal.metric", "invalid", template, (("metric", request.metric),)))
    benchmarks, known = benchmarks_of(places), places.rates()
    for code, given in request.rates.items():
        place = code if code == DEAL_SIZE else f"rates.{code}"
        params = (("code", code),)
        if code not in known:
            template = gettext_noop("%(code)s is not on the way from the goal. There are: %(known)s.")
            issues.append(Issue(place, "unknown", template, (*params, ("known", ", ".join(known)))))
        elif given == OWN and code not in history.rates:
            template = gettext_noop("The company has no own %(code)s of the last twelve months. Type one.")
            issues.append(Issue(place, "no_history", template, params))
        elif given == BENCHMARK and code not in benchmarks:
            template = gettext_noop("There is no benchmark for %(code)s. Type a rate.")
            issues.append(Issue(place, "no_benchmark", template, params))
    return (*issues, *_time_issues(request, places))


def _time_issues(request: BackCalculationRequest, places: Places) -> list[Issue]:
    """An earlier stage cannot lie nearer to the order than a later one."""
    issues = []
    for link in places.links(has_lead_share=True):
        days, after = request.lead_days.get(link.stage), request.lead_days.get(link.after)
        if days is not None and after is not None and days < after and not link.is_activity:
            template = gettext_noop("%(stage)s come before %(after)s, so they need at least %(days)s days.")
            params = (("stage", link.stage), ("after", link.after), ("days", after))
            issues.append(Issue(f"lead_times_days.{link.stage}", "order", template, params))
    return issues


def read_question(request: BackCalculationRequest, places: Places, history: History, *, today: date) -> Question:
    """The question; four queries. `find_issues` has found nothing."""
    links = places.links(has_lead_share=LEAD_SHARE in request.rates)
    benchmarks = benchmarks_of(places)
    used = [link.rate for link in links if link.rate]
    assumptions = {code: _assumption(code, request.rates.get(code, OWN), history, benchmarks) for code in used}
    goal = _goal(request, places)
    return Question(
        start=_start(request, places) or GOAL,
        value=request.value,
        links=links,
        assumptions={code: each for code, each in assumptions.items() if each is not None},
        goal=goal,
        months=_months(min(goal) - LOOK_BACK, request.period.end_date),
        today=today,
        lead_days=_lead_days(request, places, history),
        capacities=request.capacities,
        is_year=request.period.grain == Grain.YEAR,
    )


def unit_of(code: str) -> str:
    """The unit of an assumption: amount, percent, or count (so many for each).

    >>> unit_of("win_rate"), unit_of("calls_per_deal")
    ('percent', 'count')
    """
    if code == DEAL_SIZE:
        return AMOUNT
    return MULTIPLE if code.endswith(PER_DEAL) else FRACTION


def _start(request: BackCalculationRequest, places: Places) -> str | None:
    goal = places.goal
    if goal is not None and goal.metric is not None and request.metric in (goal.metric.code, goal.code):
        return places.stage_of(goal.metric.code) or GOAL
    return places.stage_of(request.metric)


def _assumption(
    code: str, given: Decimal | str, history: History, benchmarks: Mapping[str, BenchmarkRate]
) -> Assumption | None:
    own, benchmark = history.rates.get(code), benchmarks.get(code)
    if isinstance(given, Decimal):
        value, source = given, TYPED
    elif given == BENCHMARK and benchmark is not None:
        value, source = benchmark.value, BENCHMARK
    elif own is not None:
        value, source = own.value, OWN
    else:
        return None
    return Assumption(
        code, value, source, unit_of(code), own.band if own else None, benchmark.band if benchmark else None
    )


def _goal(request: BackCalculationRequest, places: Places) -> Mapping[date, Decimal]:
    """The months of the goal's period with their weight: the KGI's targets where all have one, else alike."""
    months = Period.objects.filter(
        grain=Grain.MONTH, start_date__gte=request.period.start_date, start_date__lt=request.period.end_date
    )
    starts = list(months.order_by("start_date").values_list("start_date", flat=True))
    if places.goal is not None and _is_goal(request, places):
        rows = Target.objects.filter(
            node=places.goal, line=request.tree.official_line, member=None, period_start__in=starts
        )
        known = dict(rows.values_list("period_start", "value"))
        if len(known) == len(starts) and all(value > 0 for value in known.values()):
            return {start: known[start] for start in starts}
    return dict.fromkeys(starts, Decimal(1))


def _is_goal(request: BackCalculationRequest, places: Places) -> bool:
    goal = places.goal
    return goal is not None and goal.metric is not None and request.metric in (goal.metric.code, goal.code)


def _months(first: date, end: date) -> Sequence[MonthSpan]:
    rows = Period.objects.filter(grain=Grain.MONTH, start_date__gte=first, start_date__lt=end).order_by("start_date")
    days = CalendarDay.objects.filter(day__gte=first, day__lt=end).values("month")
    counted = dict(days.annotate(n=Count("day", filter=Q(is_business_day=True))).values_list("month", "n").order_by())
    return [MonthSpan(row.start_date, row.end_date, counted.get(row.start_date, 0)) for row in rows]


def _lead_days(request: BackCalculationRequest, places: Places, history: History) -> dict[str, int]:
    """Typed days, and the company's own for the rest: from a typed stage back its own lags are added."""
    found: dict[str, int] = {GOAL: 0}
    own = {GOAL: 0, **history.lead_days}
    for link in places.links(has_lead_share=True):
        if link.stage in request.lead_days:
            found[link.stage] = request.lead_days[link.stage]
        elif link.is_activity and link.stage in own:
            found[link.stage] = own[link.stage]
        elif not link.is_activity and link.stage in own and link.after in own and link.after in found:
            found[link.stage] = found[link.after] + own[link.stage] - own[link.after]
    return found
