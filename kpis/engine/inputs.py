"""Values that people type: what several of them say together, and when one is due."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from kpis.engine.values import Absence, Value

LATEST_DUE_DAY = 25  # a business day that every month has


def typed_together(values: Iterable[Value], accumulation: str) -> Value:
    """What the typed values of a period's months say of the period: flows add up, stocks take the last.

    A month that a person called not applicable does not count. A flow with a month without a value has none, for the
    sum of the others would read low. Rates and averages cannot be put together from their months.

    >>> typed_together([Decimal(2), Absence.NOT_APPLICABLE, Decimal(3)], "sum")
    Decimal('5')
    >>> str(typed_together([Decimal(2), Absence.MISSING], "sum"))
    'missing'
    >>> typed_together([Decimal(2), Decimal(3)], "stock")
    Decimal('3')
    """
    counted = [each for each in values if each is not Absence.NOT_APPLICABLE]
    if not counted:
        return Absence.NOT_APPLICABLE
    if accumulation == "stock":
        return counted[-1]
    if accumulation != "sum":
        return Absence.NOT_APPLICABLE
    total = Decimal(0)
    for each in counted:
        if isinstance(each, Absence):
            return each
        total += each
    return total


def due_day(business_days: Sequence[date], end: date, number: int) -> date | None:
    """The business day `number` (from 1) on or after `end`, the first day after a period; None beyond the calendar.

    `business_days` are in order and begin no later than `end`.

    >>> days = [date(2026, 11, day) for day in (2, 4, 5, 6)]
    >>> due_day(days, date(2026, 11, 1), 2)
    datetime.date(2026, 11, 4)
    >>> due_day(days, date(2026, 11, 1), 5) is None
    True
    """
    place = bisect_left(business_days, end) + number - 1
    return business_days[place] if place < len(business_days) else None


def business_days_late(business_days: Sequence[date], due: date, today: date) -> int:
    """How many business days have begun since the due day: 0 on it, negative before it.

    A weekend is as late as the Friday before it: nobody is asked to type on it.

    >>> days = [date(2026, 11, day) for day in (4, 5, 6, 9)]
    >>> [business_days_late(days, date(2026, 11, 5), date(2026, 11, day)) for day in (4, 5, 7, 9)]
    [-1, 0, 1, 2]
    """
    return bisect_right(business_days, today) - bisect_right(business_days, due)
