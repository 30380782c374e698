"""Values that people type: what several of them say together, when one is due, and when who is reminded."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kpis.engine.values import Absence, Value

LATEST_DUE_DAY = 25  # a business day that every month has
REMIND_AFTER = (0, 1, 3)  # business days after the due day on which who types is reminded
TELL_AFTER = 5  # business days after it on which the manager is told, once
TOLD = len(REMIND_AFTER) + 1  # the number of what the manager is told, after the reminders


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


@dataclass(frozen=True, slots=True)
class Reminded:
    """What was sent about one value: the highest number so far (0 = nothing), and the day of the last."""

    number: int = 0
    last_on: date | None = None


def next_reminder(
    reminded: Reminded, *, late_by: int, today: date, is_reachable: bool = True, tell_after: int = TELL_AFTER
) -> int | None:
    """The number of what is sent today about a value that is still to be typed; None where nothing is.

    1 to 3 go to who types, where a letter reaches him, on the due day, one business day later and three later; `TOLD`
    goes to the manager `tell_after` business days later, and that is the end of it. One a day at most: what a
    standstill has left out is not sent at once.

    >>> day = date(2026, 11, 5)
    >>> next_reminder(Reminded(), late_by=0, today=day)
    1
    >>> next_reminder(Reminded(1, day), late_by=1, today=day) is None
    True
    >>> [next_reminder(Reminded(3, date(2026, 11, 2)), late_by=late, today=day) for late in (4, 5)]
    [None, 4]
    >>> next_reminder(Reminded(), late_by=1, today=day, is_reachable=False, tell_after=1)
    4
    """
    if late_by < 0 or reminded.number >= TOLD or reminded.last_on == today:
        return None
    if is_reachable and reminded.number < sum(after <= late_by for after in REMIND_AFTER):
        return reminded.number + 1
    return TOLD if late_by >= tell_after else None
