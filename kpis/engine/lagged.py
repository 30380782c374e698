"""What earlier numbers of the funnel do to a number later on, through the company's own lags.

A start that was not made is missing not in its own month but in the months in which it would have ended. So the starts
of each month count with the share of them that ends in the period looked at (kpis.engine.close_profile).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine.close_profile import CloseProfile
from kpis.engine.contribution import Numbers

ZERO = Decimal(0)
STAGES: Mapping[str, int] = {
    "leads.created_on": 1,
    "leads.mql_on": 2,
    "leads.sql_on": 3,
    "activities.happened_on": 3,
    "deals.created_on": 4,
    "deals.closed_on": 5,
    "orders.ordered_on": 5,
    "revenues.recognized_on": 5,
}


@dataclass(frozen=True, slots=True)
class Start:
    """One number of the start of the funnel.

    `starts` are its numbers by month, counted from the first month of the period looked at (0; −1 is the month before);
    `per_start` is how much of what is driven comes out of one start, whenever it ends.
    """

    code: str
    profile: CloseProfile
    per_start: Decimal
    starts: Mapping[int, Numbers]


@dataclass(frozen=True, slots=True)
class LaggedEffect:
    """What the starts of one month did to the driven number, in its units."""

    code: str
    month: int
    amount: Decimal


def lagged_effects(starts: Sequence[Start], months: int) -> tuple[LaggedEffect, ...]:
    """The effects on a period of `months` months, the period's own starts first, then month by month back.

    Several numbers of one funnel (earliest first: leads, MQL, SQL) hold the same thing: the first has the whole effect
    of its starts, each further one what it adds to that of the one before. A month without actual or target has none.

    >>> profile = CloseProfile((Decimal("0.3"), Decimal("0.7")), Decimal(100))
    >>> few = Numbers(Decimal(60), Decimal(100))
    >>> for each in lagged_effects([Start("new_deals", profile, Decimal("0.5"), {0: few, -1: few})], 1):
    ...     print(each.code, each.month, each.amount)
    new_deals 0 -6.00
    new_deals -1 -14.00
    """
    effects: list[LaggedEffect] = []
    before: dict[int, Decimal] = {}
    for start in starts:
        own = {
            month: numbers.gap * start.per_start * arriving(start.profile, month, months)
            for month, numbers in start.starts.items()
            if numbers.is_told
        }
        effects += [
            LaggedEffect(start.code, month, own[month] - before.get(month, ZERO))
            for month in sorted(own, reverse=True)
            if month < months
        ]
        before |= own
    return tuple(effects)


def arriving(profile: CloseProfile, month: int, months: int) -> Decimal:
    """The share of a month's starts that ends in the period of `months` months which begins with month 0.

    >>> arriving(CloseProfile((Decimal("0.3"), Decimal("0.7")), Decimal(100)), -1, 1)
    Decimal('0.7')
    """
    return sum((profile.share(end - month) for end in range(months)), ZERO)


def is_earlier(axis: str, than: str) -> bool:
    """Whether things dated on one axis lie earlier in the funnel than those on another; unknown ones do not.

    >>> is_earlier("leads.created_on", "deals.closed_on"), is_earlier("deals.closed_on", "deals.closed_on")
    (True, False)
    """
    return STAGES.get(axis, 9) < STAGES.get(than, 0)
