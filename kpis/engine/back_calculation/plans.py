"""A whole back-calculation: what is needed, when, by how many people, and what is doubtful about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal

from kpis.engine.back_calculation.funnel import LEAD_SHARE, Link, kept, whole_up, work_back
from kpis.engine.back_calculation.timing import (
    LeadTime,
    MonthSpan,
    Need,
    days_before,
    divide,
    mostly_in,
    needed_in,
    needed_within,
)
from kpis.engine.formats import grouped
from kpis.engine.issues import Issue, gettext_noop

TYPED, OWN, BENCHMARK = "typed", "own", "benchmark"
AMOUNT, FRACTION, MULTIPLE = "amount", "percent", "count"  # the units of assumptions


@dataclass(frozen=True, slots=True)
class Band:
    """The least and the greatest value seen; equal for a single one."""

    low: Decimal
    high: Decimal

    def holds(self, value: Decimal) -> bool:
        """
        >>> Band(Decimal(1), Decimal(2)).holds(Decimal(2))
        True
        """
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that the way back divides by (or multiplies with), and where it comes from.

    `unit` is percent (a fraction up to 1), amount, or count (so many for each). `history` is the band of the company's
    own quarters, `benchmark` that of the industry; None where there is none.
    """

    code: str
    value: Decimal
    source: str
    unit: str = FRACTION
    history: Band | None = None
    benchmark: Band | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many people there are for a stage, and how many of it one of them can do in a month."""

    per_person: Decimal
    people: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: how much of `start` (GOAL or a stage) by which months, and what is taken for granted.

    `goal` maps the months of the goal's period, in order, to their part of it; `months` are the calendar from well
    before them, in order. `lead_times` says how long before the order a stage lies (absent: not known, taken as the
    same month). `is_year`: the goal's period is a fiscal year, whose end prepares the next one.
    """

    start: str
    value: Decimal
    links: Sequence[Link]
    assumptions: Mapping[str, Assumption]
    goal: Mapping[date, Decimal]
    months: Sequence[MonthSpan]
    today: date
    lead_times: Mapping[str, LeadTime] = field(default_factory=dict)
    capacities: Mapping[str, Capacity] = field(default_factory=dict)
    is_year: bool = False

    @property
    def rates(self) -> Mapping[str, Decimal]:
        """The bare numbers of the assumptions."""
        return {code: each.value for code, each in self.assumptions.items()}


@dataclass(frozen=True, slots=True)
class Step:
    """What is needed of one stage.

    `exact` is before and `needed` after rounding up; `assumption` leads here from the stage before (None: one to one).
    `lead_time` is None where it is not known. `needs` are the months in which it is needed, `targets` the same as
    targets of the goal's own months, `months` those in which most of it is needed: one for each month of the goal.
    """

    stage: str
    exact: Decimal
    needed: Decimal
    assumption: Assumption | None
    lead_time: LeadTime | None
    needs: tuple[Need, ...]
    targets: tuple[Need, ...]
    months: tuple[MonthSpan, ...]
    warnings: tuple[Issue, ...] = ()

    @property
    def per_month(self) -> Decimal:
        """The mean of the busiest months, as many as the goal has, unrounded."""
        return _sum(self.busiest) / len(self.busiest) if self.busiest else self.needed

    @property
    def per_business_day(self) -> Decimal | None:
        """The mean of a business day of the same months, unrounded; None where they have none."""
        days = sum(need.month.business_days for need in self.busiest)
        return _sum(self.busiest) / days if days else None

    @property
    def busiest(self) -> tuple[Need, ...]:
        """The months that carry most of it. The months around them, into which it is spread, would dilute a mean."""
        return tuple(sorted(self.targets, key=lambda need: -need.value)[: len(self.months)])


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: a step for every stage that can be reached, and the codes of the rates that stop it (`missing`).

    `is_feasible` is False where a capacity does not suffice. `goal` is the goal in its months.
    """

    goal: tuple[Need, ...]
    steps: tuple[Step, ...]
    missing: tuple[str, ...]
    is_feasible: bool


def work_out(question: Question) -> Plan:
    """Everything that the goal asks for."""
    needed = work_back(question.links, question.start, question.value, question.rates)
    spans = {month.start: month for month in question.months}
    is_whole = question.value == question.value.to_integral_value()
    parts = zip(question.goal, divide(question.value, list(question.goal.values()), is_whole=is_whole), strict=True)
    steps = tuple(_step(question, link, needed[link.stage]) for link in question.links if _is_reached(link, needed))
    return Plan(
        goal=tuple(Need(spans[start], part) for start, part in parts),
        steps=steps,
        missing=tuple(link.rate for link in question.links if link.rate and _is_stopped(link, needed)),
        is_feasible=not any(issue.code == "over_capacity" for step in steps for issue in step.warnings),
    )


def _is_reached(link: Link, needed: Mapping[str, Decimal]) -> bool:
    """A stage between the start and the order is not worked back to."""
    return link.stage in needed and link.after in needed


def _is_stopped(link: Link, needed: Mapping[str, Decimal]) -> bool:
    return link.after in needed and link.stage not in needed


def _step(question: Question, link: Link, exact: Decimal) -> Step:
    lead_time = question.lead_times.get(link.stage)
    profile = (lead_time or days_before(0)).profile
    total = kept(exact)
    needs = needed_in(total, question.goal, question.months, profile)
    step = Step(
        stage=link.stage,
        exact=total,
        needed=whole_up(total),
        assumption=question.assumptions.get(link.rate) if link.rate else None,
        lead_time=lead_time,
        needs=needs,
        targets=needed_within(total, question.goal, question.months, profile) if question.is_year else needs,
        months=mostly_in(question.goal, question.months, profile),
    )
    return replace(step, warnings=(*_of_assumption(step), *_of_time(question, step), *_of_capacity(question, step)))


def _sum(needs: Sequence[Need]) -> Decimal:
    return sum((need.value for need in needs), Decimal(0))


def _of_assumption(step: Step) -> Iterator[Issue]:
    """A rate that the company never had, or that lies outside the industry's band."""
    given = step.assumption
    if given is None:
        return
    said = {"value": written(given.value, given.unit)}
    if given.history is not None and not given.history.holds(given.value):
        template = gettext_noop("%(value)s lies outside your own quarters of the last year (%(low)s to %(high)s).")
        yield _issue(step, "outside_history", template, **said, **_limits(given.history, given.unit))
    if given.benchmark is not None and not given.benchmark.holds(given.value):
        template = gettext_noop("%(value)s lies outside the benchmark (%(low)s to %(high)s).")
        yield _issue(step, "outside_benchmark", template, **said, **_limits(given.benchmark, given.unit))


def _of_time(question: Question, step: Step) -> Iterator[Issue]:
    if step.lead_time is None:
        yield _issue(
            step,
            "no_lead_time",
            gettext_noop("No lead time is known yet, so it is taken to be needed in the month of the order."),
        )
    lost = step.needed - _sum(step.needs)
    if lost:
        template = gettext_noop("%(count)s of them would be needed before your calendar begins.")
        yield _issue(step, "before_calendar", template, count=written(lost, "count"))
    begin = min(question.goal)
    over = [need for need in step.needs if need.month.end <= question.today]
    late = sum((need.value for need in over if not question.is_year or need.month.start < begin), Decimal(0))
    if late:
        template = (
            gettext_noop("%(count)s of them were needed before the year began, in months that are over.")
            if question.is_year
            else gettext_noop("%(count)s of them fall into months that are over.")
        )
        yield _issue(step, "past_months", template, count=written(late, "count"))


def _of_capacity(question: Question, step: Step) -> Iterator[Issue]:
    """The busiest month against what the people can do."""
    capacity = question.capacities.get(step.stage)
    if capacity is None:
        return
    busiest = max((need.value for need in step.targets), default=Decimal(0))
    can_do = capacity.per_person * capacity.people
    if busiest <= can_do:
        return
    template = gettext_noop(
        "The busiest month asks for %(needed)s a person, %(short)s more than the %(capacity)s that one can do: "
        "%(people)s people would be needed instead of %(given)s."
    )
    per_person = busiest / capacity.people
    yield _issue(
        step,
        "over_capacity",
        template,
        needed=written(per_person, "count"),
        short=written(per_person - capacity.per_person, "count"),
        capacity=written(capacity.per_person, "count"),
        people=written((busiest / capacity.per_person).to_integral_value(ROUND_CEILING), "count"),
        given=written(capacity.people, "count"),
    )


def _issue(step: Step, code: str, template: str, **params: object) -> Issue:
    return Issue(step.stage, code, template, tuple(params.items()))


def _limits(band: Band, unit: str) -> Mapping[str, str]:
    return {"low": written(band.low, unit), "high": written(band.high, unit)}


def written(value: Decimal, unit: str) -> str:
    """A number in a sentence: percents and amounts as both languages write them, at most one decimal.

    >>> written(Decimal("0.2"), "percent"), written(Decimal(1200000), "amount"), written(Decimal("3.25"), "count")
    ('20%', '1,200,000', '3.3')
    """
    number = value * 100 if unit == FRACTION else value
    places = 0 if unit == AMOUNT or kept(number) == kept(number).to_integral_value() else 1
    return grouped(number, places=places, language="en") + ("%" if unit == FRACTION else "")


def is_lever(assumption: Assumption) -> bool:
    """Whether a better rate is something to work on: not so the share of leads, nor what a deal takes in activities.

    >>> is_lever(Assumption("win_rate", Decimal("0.2"), "typed"))
    True
    """
    return assumption.unit != MULTIPLE and assumption.code != LEAD_SHARE


def as_target(assumption: Assumption) -> Decimal:
    """An assumption as the target of its own KPI: a rate to the hundredth of a percent, an amount to the whole unit.

    >>> str(as_target(Assumption("win_rate", Decimal(11) / Decimal(48), "own")))
    '0.2292'
    """
    if assumption.unit == AMOUNT and assumption.value >= 1:
        return assumption.value.quantize(Decimal(1))
    return assumption.value.quantize(Decimal("0.0001"))
