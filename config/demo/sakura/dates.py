"""Closing months, business days and reorganisation dates of the demo company, all relative to `today`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

import jpholiday

CLOSING_DAY = 20
FISCAL_START_MONTH = 4
HISTORY_MONTHS = 24


def month_start(day: date) -> date:
    """First day of the closing month that holds `day`; it is named after the month of its last day.

    >>> month_start(date(2026, 11, 20)), month_start(date(2026, 11, 21))
    (datetime.date(2026, 10, 21), datetime.date(2026, 11, 21))
    """
    if day.day > CLOSING_DAY:
        return day.replace(day=CLOSING_DAY + 1)
    return add_months(day.replace(day=CLOSING_DAY + 1), -1)


def add_months(day: date, months: int) -> date:
    """The same day of the month, for days that every month has."""
    index = day.year * 12 + day.month - 1 + months
    return day.replace(year=index // 12, month=index % 12 + 1)


def month_number(start: date) -> int:
    """The number a closing month goes by: 11 for the one from 10/21 to 11/20."""
    return start.month % 12 + 1


def history_start(today: date) -> date:
    """The data reaches back 24 whole closing months before the running one."""
    return add_months(month_start(today), -HISTORY_MONTHS)


def closing_months(first: date, today: date) -> Iterator[tuple[date, date]]:
    """(start, exclusive end) of each closing month from the one that starts on `first` to the running one."""
    start = first
    while start <= today:
        following = add_months(start, 1)
        yield start, following
        start = following


def fiscal_year(day: date) -> int:
    """The calendar year in which the fiscal year of `day` starts (on 21 March)."""
    start = month_start(day)
    return start.year if start.month >= FISCAL_START_MONTH - 1 else start.year - 1


def first_day_of_year(year: int) -> date:
    """The fiscal year starts with its first closing month, on 21 March."""
    return date(year, FISCAL_START_MONTH - 1, CLOSING_DAY + 1)


def latest(month: int, today: date) -> date:
    """The last first-of-`month` that lies at least two weeks back: a reorganisation one can already see."""
    candidate = date(today.year, month, 1)
    return candidate if candidate <= today - timedelta(days=14) else date(today.year - 1, month, 1)


@lru_cache(maxsize=4096)
def is_business_day(day: date) -> bool:
    return day.weekday() < 5 and not jpholiday.is_holiday(day)


def business_day_from(day: date) -> date:
    """`day` or the next business day."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def business_day_until(day: date) -> date:
    """`day` or the business day before it."""
    while not is_business_day(day):
        day -= timedelta(days=1)
    return day
