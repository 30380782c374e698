"""When a number is needed: as far before the order as the company's own orders were begun."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from enum import StrEnum

from kpis.engine.back_calculation.funnel import kept, whole_up
from kpis.engine.close_profile import CloseProfile, fixed_lag, spread_back

DAYS_OF_A_MONTH = Decimal("30.4375")  # the mean month: 365.25 ÷ 12


class LeadSource(StrEnum):
    """Where a lead time comes from."""

    TYPED = "typed"
    PROFILE = "profile"  # the company's own close profile
    MEDIAN = "median"  # the company's own median days, where too few cases stand behind a profile


@dataclass(frozen=True, slots=True)
class LeadTime:
    """How long before the order something begins: the share of it that begins 0, 1, 2 … months before.

    `days` are the typed or the median ones, None where they are not known; `source` is None for what is counted in the
    month of the order by its definition.
    """

    profile: CloseProfile
    days: int | None = None
    source: LeadSource | None = None


@dataclass(frozen=True, slots=True)
class MonthSpan:
    """One month of the company's calendar; `end` is exclusive."""

    start: date
    end: date
    business_days: int


@dataclass(frozen=True, slots=True)
class Need:
    """How much of something is needed in one month."""

    month: MonthSpan
    value: Decimal


def days_before(days: int, source: LeadSource | None = None) -> LeadTime:
    """A lead time of so many days, in whole months.

    >>> days_before(60).profile.most
    2
    """
    return LeadTime(fixed_lag(months_before(days)), days, source)


def months_before(days: int) -> int:
    """A lead time in whole months, the nearest number of them.

    >>> months_before(60), months_before(14)
    (2, 0)
    """
    return int((Decimal(days) / DAYS_OF_A_MONTH).to_integral_value(ROUND_HALF_UP))


def divide(
    total: Decimal, weights: Sequence[Decimal], *, is_whole: bool = True, rounding: str = ROUND_CEILING
) -> tuple[Decimal, ...]:
    """A total in parts as large as the weights ask for, which add up to it; whole parts add up to the whole number
    that is enough. Equal parts where the weights are all zero.

    Parts are rounded as a running sum: up, so that at every moment at least what is due by then has been asked for.

    >>> [str(part) for part in divide(Decimal("33.5"), [Decimal(1)] * 3)]
    ['12', '11', '11']
    """
    if not weights:
        return ()
    due = weights if any(weights) else [Decimal(1)] * len(weights)
    whole = sum(due, Decimal(0))
    parts: list[Decimal] = []
    reached = seen = Decimal(0)
    last = whole_up(total) if is_whole else kept(total)
    for index, weight in enumerate(due):
        seen += weight
        step = kept(total * seen / whole)
        upto = last if index == len(due) - 1 else min(step.to_integral_value(rounding) if is_whole else step, last)
        parts.append(upto - reached)
        reached = upto
    return tuple(parts)


def needed_in(
    total: Decimal, goal: Mapping[date, Decimal], months: Sequence[MonthSpan], profile: CloseProfile
) -> tuple[Need, ...]:
    """The months in which `total` is needed, for orders that are due as `goal` (month start → part) says.

    What would be needed in a month that `months` does not reach back to is left out, and so is a month of which
    nothing whole is needed.

    >>> year = [MonthSpan(date(2026, n, 1), date(2026, n + 1, 1), 20) for n in range(1, 6)]
    >>> half = CloseProfile((Decimal(0), Decimal("0.5"), Decimal("0.5")), Decimal(40))
    >>> for need in needed_in(Decimal(170), {date(2026, 3, 1): Decimal(1)}, year, half):
    ...     print(need.month.start, need.value)
    2026-01-01 85
    2026-02-01 85
    """
    places = {month.start: place for place, month in enumerate(months)}
    weights: dict[int, Decimal] = defaultdict(Decimal)
    for start, weight in _due(goal).items():
        for lag, part in enumerate(spread_back(weight, profile)):
            weights[places[start] - lag] += part
    begun = sorted(place for place, weight in weights.items() if weight)
    parts = zip(begun, _spread(total, [weights[place] for place in begun], profile), strict=True)
    return tuple(Need(months[place], part) for place, part in parts if place >= 0 and part)


def needed_within(
    total: Decimal, goal: Mapping[date, Decimal], months: Sequence[MonthSpan], profile: CloseProfile
) -> tuple[Need, ...]:
    """The same inside the goal's own months, as targets of a year: what its last months prepare is the next year's
    goal, taken to be like this one, so that the year's targets add up to its total.

    >>> year = [MonthSpan(date(2026, n, 1), date(2026, n + 1, 1), 20) for n in range(1, 4)]
    >>> goal = {month.start: Decimal(n) for n, month in enumerate(year, 1)}
    >>> [str(need.value) for need in needed_within(Decimal(60), goal, year, fixed_lag(1))]
    ['20', '30', '10']
    """
    due = list(_due(goal).values())
    weights = [Decimal(0)] * len(due)
    for place, weight in enumerate(due):
        for lag, part in enumerate(spread_back(weight, profile)):
            weights[(place - lag) % len(due)] += part
    spans = {month.start: month for month in months}
    return tuple(Need(spans[start], part) for start, part in zip(goal, _spread(total, weights, profile), strict=True))


def mostly_in(
    goal: Mapping[date, Decimal], months: Sequence[MonthSpan], profile: CloseProfile
) -> tuple[MonthSpan, ...]:
    """The months in which most of what the goal's months need begins, as far as `months` reaches back.

    >>> year = [MonthSpan(date(2026, n, 1), date(2026, n + 1, 1), 20) for n in range(1, 6)]
    >>> [str(month.start) for month in mostly_in({date(2026, 3, 1): Decimal(1)}, year, fixed_lag(2))]
    ['2026-01-01']
    """
    places = {month.start: place for place, month in enumerate(months)}
    return tuple(months[at] for start in goal if (at := places[start] - profile.most) >= 0)


def _spread(total: Decimal, weights: Sequence[Decimal], profile: CloseProfile) -> tuple[Decimal, ...]:
    """The parts of the months. A habit is told to the nearest one: rounded up, its rare first month had a whole one."""
    is_habit = profile.share(profile.most) < 1
    return divide(total, weights, rounding=ROUND_HALF_UP if is_habit else ROUND_CEILING)


def _due(goal: Mapping[date, Decimal]) -> Mapping[date, Decimal]:
    """The parts of the goal's months, alike where none is said."""
    return goal if any(goal.values()) else dict.fromkeys(goal, Decimal(1))
