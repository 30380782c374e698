"""What somebody asks of a back-calculation, made into a question that the engine can answer."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
    LEAD_RATE,
    LEAD_SHARE,
    MULTIPLE,
    OPPORTUNITY_RATE,
    OWN,
    PER_DEAL,
    TYPED,
    WIN_RATE,
    Assumption,
    Band,
    Capacity,
    LeadSource,
    LeadTime,
    MonthSpan,
    Question,
    Stage,
    days_before,
)
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.templates import Benchmark
from kpis.models import CalendarDay, KpiTree, Period, Target
from kpis.selectors.back_calculation.history import History
from kpis.selectors.back_calculation.places import Places
from kpis.selectors.template_use import benchmark_lookup

LOOK_BACK = timedelta(days=366 * 3)
FIRST_CHOICE = "mean"  # the kind of benchmark that stands for a rate where there are several
SURVEYED: Mapping[str, str] = {  # rate → the code under which the shipped templates and surveys speak of it
    WIN_RATE: "win_rate",
    OPPORTUNITY_RATE: "opportunity_rate",
    LEAD_RATE: "opportunity_rate_leads",
}


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
    """Rate → its benchmark, for rates that are defined as the benchmark is; one query.

    The records are those that hold for the tree: of the consultancy's template that it follows, else the shipped ones
    of its sales style.
    """
    look_up = benchmark_lookup([places.tree])
    rates = {code: _records(look_up, code, places) for code in places.rates()}
    return {code: _benchmark(bands) for code, bands in rates.items() if bands}


def _records(
    look_up: Callable[[KpiTree, str], tuple[Benchmark, ...]], rate: str, places: Places
) -> list[tuple[str, Band]]:
    """Kind and band of each figure about a rate, under the code of its KPI, else under the one that surveys use."""
    is_of_leads = rate == OPPORTUNITY_RATE and not places.has_mql
    surveyed = SURVEYED.get(LEAD_RATE if is_of_leads else rate, rate)
    own = places.code_of(rate)
    codes = [surveyed] if own in SURVEYED.values() else [own, surveyed]  # another rate's code tells of that rate
    told = ([(each.kind, band) for each in look_up(places.tree, code) if (band := _band(each))] for code in codes)
    return next((each for each in told if each), [])


def _band(benchmark: Benchmark) -> Band | None:
    """The band of a figure; None where it says no more than that the rate varies."""
    low, high = benchmark.low, benchmark.high
    return None if low is None else Band(low, low if high is None else high)


def _benchmark(bands: Sequence[tuple[str, Band]]) -> BenchmarkRate:
    first = next((band for kind, band in bands if kind == FIRST_CHOICE), bands[0][1])
    whole = Band(min(band.low for _kind, band in bands), max(band.high for _kind, band in bands))
    return BenchmarkRate((first.low + first.high) / 2, whole)


def find_issues(
    request: BackCalculationRequest, places: Places, history: History, benchmarks: Mapping[str, BenchmarkRate]
) -> tuple[Issue, ...]:
    """What keeps the question from being asked; fields as in the API."""
    issues: list[Issue] = []
    if _start(request, places) is None:
        template = gettext_noop("%(metric)s is neither the KGI of this tree nor a step towards it.")
        issues.append(Issue("goal.metric", "invalid", template, (("metric", request.metric),)))
    known = places.rates()
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


def read_question(
    request: BackCalculationRequest,
    places: Places,
    history: History,
    benchmarks: Mapping[str, BenchmarkRate],
    *,
    today: date,
) -> Question:
    """The question; three queries. `find_issues` has found nothing."""
    links = places.links(has_lead_share=LEAD_SHARE in request.rates)
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
        lead_times=dict(_lead_times(request, places, history)),
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
        known = {row.period_start: row.standing for row in rows}
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


def _lead_times(request: BackCalculationRequest, places: Places, history: History) -> Iterator[tuple[str, LeadTime]]:
    """Stage → how long before the order it lies: typed, as the company's own close profile, or its median days.

    From a typed stage back the company's own days between the stages are added.
    """
    days, typed = {GOAL: 0}, set(request.lead_days)
    own = {GOAL: 0, **history.lead_days}
    for link in places.links(has_lead_share=True):
        if not link.is_activity and link.after in typed:
            typed.add(link.stage)
        if link.stage in request.lead_days:
            days[link.stage] = request.lead_days[link.stage]
        elif link.stage in own and link.is_activity:
            days[link.stage] = own[link.stage]
        elif link.stage in own and link.after in own and link.after in days:
            days[link.stage] = days[link.after] + own[link.stage] - own[link.after]
        known = days.get(link.stage)
        if link.stage in history.profiles and link.stage not in typed:
            yield link.stage, LeadTime(history.profiles[link.stage], known, LeadSource.PROFILE)
        elif known is not None:
            yield link.stage, days_before(known, _source(link.stage, typed))


def _source(stage: str, typed: Collection[str]) -> LeadSource | None:
    if stage in typed:
        return LeadSource.TYPED
    return None if stage in (Stage.WON, Stage.CLOSED) else LeadSource.MEDIAN
