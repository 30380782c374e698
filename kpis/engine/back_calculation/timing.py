"""When a number is needed: months that lie as far before the order as leads take to become orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from kpis.engine.back_calculation.funnel import kept, whole_up

DAYS_OF_A_MONTH = Decimal("30.4375")  # the mean month: 365.25 ÷ 12


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


def months_before(days: int) -> int:
    """A lead time in whole months, the nearest number of them.

    >>> months_before(60), months_before(14)
    (2, 0)
    """
    return int((Decimal(days) / DAYS_OF_A_MONTH).to_integral_value(ROUND_HALF_UP))


def divide(total: Decimal, weights: Sequence[Decimal], *, is_whole: bool = True) -> tuple[Decimal, ...]:
    """A total in parts as large as the weights ask for, which add up to it; whole parts add up to the whole number
    that is enough. Equal parts where the weights are all zero.

    Parts are rounded up as a running sum, so that at every moment at least what is due by then has been asked for.

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
        upto = last if index == len(due) - 1 else min(step.to_integral_value(ROUND_CEILING) if is_whole else step, last)
        parts.append(upto - reached)
        reached = upto
    return tuple(parts)


def needed_in(total: Decimal, goal: Mapping[date, Decimal], months: Sequence[MonthSpan], days: int) -> tuple[Need, ...]:
    """The months in which `total` is needed, for orders that are due as `goal` (month start → part) says.

    A month that `months` does not reach back to is left out.

    >>> year = [MonthSpan(date(2026, n, 1), date(2026, n + 1, 1), 20) for n in range(1, 6)]
    >>> [str(need.month.start) for need in needed_in(Decimal(170), {date(2026, 3, 1): Decimal(1)}, year, 60)]
    ['2026-01-01']
    """
    places = {month.start: place for place, month in enumerate(months)}
    parts = zip(goal, divide(total, list(goal.values())), strict=True)
    shifted = [(places[start] - months_before(days), part) for start, part in parts]
    return tuple(Need(months[place], part) for place, part in shifted if place >= 0)


def needed_within(
    total: Decimal, goal: Mapping[date, Decimal], months: Sequence[MonthSpan], days: int
) -> tuple[Need, ...]:
    """The same inside the goal's own months, as targets of a year: what its last months prepare is the next year's
    goal, taken to be like this one, so that the year's targets add up to its total.

    >>> year = [MonthSpan(date(2026, n, 1), date(2026, n + 1, 1), 20) for n in range(1, 4)]
    >>> goal = {month.start: Decimal(n) for n, month in enumerate(year, 1)}
    >>> [str(need.value) for need in needed_within(Decimal(60), goal, year, 31)]
    ['20', '30', '10']
    """
    weights = list(goal.values())
    back = months_before(days) % len(weights) if weights else 0
    spans = {month.start: month for month in months}
    parts = divide(total, [*weights[back:], *weights[:back]])
    return tuple(Need(spans[start], part) for start, part in zip(goal, parts, strict=True))
