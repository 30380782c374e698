"""When review meetings are held, and whether they have been held regularly. No clock: dates are passed in."""

import calendar
import datetime
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

GRACE_BUSINESS_DAYS = 3


@dataclass(frozen=True)
class Rhythm:
    """Every week on a weekday (0 = Monday), or every month on the n-th such weekday."""

    monthly: bool
    weekday: int
    week_of_month: int = 1


def next_business_day(day: datetime.date, holidays: Collection[datetime.date]) -> datetime.date:
    """`day` itself, or the first day after it that is no holiday.

    >>> monday = datetime.date(2026, 11, 23)
    >>> next_business_day(monday, {monday})
    datetime.date(2026, 11, 24)
    """
    while day in holidays:
        day += datetime.timedelta(days=1)
    return day


def next_date(rhythm: Rhythm, *, after: datetime.date, holidays: Collection[datetime.date]) -> datetime.date:
    """The first meeting day later than `after`; one that falls on a holiday moves to the next business day.

    >>> next_date(Rhythm(monthly=False, weekday=0), after=datetime.date(2026, 11, 20), holidays=())
    datetime.date(2026, 11, 23)
    >>> next_date(Rhythm(monthly=True, weekday=1, week_of_month=2), after=datetime.date(2026, 11, 20), holidays=())
    datetime.date(2026, 12, 8)
    """
    days = _monthly_days(rhythm, after) if rhythm.monthly else _weekly_days(rhythm, after)
    return next(day for nominal in days if (day := next_business_day(nominal, holidays)) > after)


def _weekly_days(rhythm: Rhythm, after: datetime.date) -> Iterator[datetime.date]:
    day = after - datetime.timedelta(days=after.weekday() + 7) + datetime.timedelta(days=rhythm.weekday)
    while True:
        yield day
        day += datetime.timedelta(days=7)


def _monthly_days(rhythm: Rhythm, after: datetime.date) -> Iterator[datetime.date]:
    year, month = after.year, after.month
    while True:
        first_weekday, _length = calendar.monthrange(year, month)
        day = 1 + (rhythm.weekday - first_weekday) % 7 + 7 * (rhythm.week_of_month - 1)
        yield datetime.date(year, month, day)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


@dataclass(frozen=True)
class HeldMeeting:
    """A meeting that was closed: the day it was opened and how many decisions it took."""

    day: datetime.date
    decision_count: int


def latest_day(rhythm: Rhythm, *, held_on: datetime.date, holidays: Collection[datetime.date]) -> datetime.date:
    """Until when the meeting after the one of `held_on` counts as regular: one interval and three business days.

    >>> latest_day(Rhythm(monthly=False, weekday=0), held_on=datetime.date(2026, 11, 2),
    ...            holidays={datetime.date(2026, 11, 14), datetime.date(2026, 11, 15)})
    datetime.date(2026, 11, 12)
    """
    if rhythm.monthly:
        year, month = (held_on.year + 1, 1) if held_on.month == 12 else (held_on.year, held_on.month + 1)
        day = datetime.date(year, month, min(held_on.day, calendar.monthrange(year, month)[1]))
    else:
        day = held_on + datetime.timedelta(days=7)
    for _business_day in range(GRACE_BUSINESS_DAYS):
        day = next_business_day(day + datetime.timedelta(days=1), holidays)
    return day


def is_regular(
    rhythm: Rhythm, last_two: Sequence[HeldMeeting], *, today: datetime.date, holidays: Collection[datetime.date]
) -> bool:
    """Whether the last two meetings (newest first) came in time, each with a decision, and none is late now.

    >>> weekly = Rhythm(monthly=False, weekday=0)
    >>> held = [HeldMeeting(datetime.date(2026, 11, 9), 2), HeldMeeting(datetime.date(2026, 11, 2), 1)]
    >>> is_regular(weekly, held, today=datetime.date(2026, 11, 16), holidays=())
    True
    >>> is_regular(weekly, held, today=datetime.date(2026, 11, 30), holidays=())
    False
    """
    if len(last_two) < 2 or not all(meeting.decision_count for meeting in last_two[:2]):
        return False
    newest, before = last_two[0], last_two[1]
    return newest.day <= latest_day(rhythm, held_on=before.day, holidays=holidays) and today <= latest_day(
        rhythm, held_on=newest.day, holidays=holidays
    )
