"""The fiscal calendar: years, halves, quarters, months and weeks cut from effective-dated rules, and their names.

A month that closes on the 20th runs from the 21st to the 20th and is named by its last day (or its first). A fiscal
year is named by the calendar year of its first named month. Months, quarters, halves and weeks each tile their year.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Literal

from kpis.engine.issues import gettext_noop

MONTH_END = 31
GRAINS = ("week", "month", "quarter", "half", "year")
SATURDAY = 5
_MONTHS_OF = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_ENGLISH_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class CalendarRuleError(ValueError):
    """A rule that cannot cut a calendar; the message says what to write instead."""

    def __init__(self, template: str, **params: object) -> None:
        self.template = template
        self.params: dict[str, Any] = params
        super().__init__(template % params)


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """How periods are cut from `effective_from` on; the first of several rules also holds for all time before it.

    `closing_day` is 1-28, or 31 for the end of the month; `week_start` is 0 for Monday; weeks are cut at the month
    ("cut", so that they add up to it) or only at the fiscal year ("whole").
    """

    effective_from: date
    start_month: int = 4
    closing_day: int = MONTH_END
    named_by: Literal["last", "first"] = "last"
    weeks: Literal["cut", "whole"] = "cut"
    week_start: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.start_month <= 12:
            raise CalendarRuleError(
                gettext_noop("The first month is %(month)s. Write a month from 1 to 12."), month=self.start_month
            )
        if not (1 <= self.closing_day <= 28 or self.closing_day == MONTH_END):
            raise CalendarRuleError(
                gettext_noop("The closing day is %(day)s. Write 1 to 28, or 31 for the end of the month."),
                day=self.closing_day,
            )
        if not 0 <= self.week_start <= 6:
            raise CalendarRuleError(
                gettext_noop("The week starts on day %(day)s. Write 0 (Monday) to 6 (Sunday)."), day=self.week_start
            )


@dataclass(frozen=True, slots=True)
class FiscalYearSpan:
    """One fiscal year (end exclusive); shorter than twelve months only where the rule changed."""

    start_year: int
    start_date: date
    end_date: date
    rule: CalendarRule


@dataclass(frozen=True, slots=True)
class PeriodSpan:
    """One period (end exclusive).

    `ordinal` counts months, quarters and halves within the fiscal year and weeks within their month; `named_year` and
    `named_month` say by which calendar month a month or week is known (of longer periods: their first month).
    """

    grain: str
    start_date: date
    end_date: date
    fiscal_year: int
    ordinal: int
    named_year: int
    named_month: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day with the starts of its periods; `business_day_number` counts the month's business days so far."""

    day: date
    week: date
    month: date
    quarter: date
    half: date
    year: date
    is_business_day: bool
    business_day_number: int
    holiday: str


@dataclass(frozen=True, slots=True)
class Naming:
    """How years are called: 2026年度 (fiscal_year), 第15期 (term, counted from `first_term_year`) or FY26 (fy).

    `closing_day` decides between 2026年11月 and 2026年11月度.
    """

    closing_day: int = MONTH_END
    year_style: str = "fiscal_year"
    first_term_year: int | None = None


def fiscal_years(rules: Sequence[CalendarRule], first_day: date, last_day: date) -> tuple[FiscalYearSpan, ...]:
    """The fiscal years that cover first_day to last_day (both inclusive), without gap or overlap.

    A rule ends the year of its predecessor early, which gives one short year.

    >>> year, = fiscal_years([CalendarRule(date(2000, 1, 1), 4, 20)], date(2026, 4, 1), date(2026, 4, 1))
    >>> year.start_year, str(year.start_date), str(year.end_date)
    (2026, '2026-03-21', '2027-03-21')
    """
    if not rules:
        raise CalendarRuleError(
            gettext_noop("There is no calendar rule. Write one with the first month and the closing day.")
        )
    ordered = sorted(rules, key=lambda rule: rule.effective_from)
    starts = [date.min, *(rule.effective_from for rule in ordered[1:]), date.max]
    years: list[FiscalYearSpan] = []
    for rule, (begin, end) in zip(ordered, pairwise(starts), strict=True):
        since, until = max(begin, first_day), min(end, last_day + timedelta(days=1))
        for number in range(since.year - 2, until.year + 2) if since < until else ():
            start, stop = _natural_year(rule, number)
            if start < until and stop > since:
                years.append(FiscalYearSpan(number, max(start, begin), min(stop, end), rule))
    return tuple(years)


def periods(year: FiscalYearSpan, grain: str) -> tuple[PeriodSpan, ...]:
    """The periods of one grain that tile a fiscal year.

    >>> year, = fiscal_years([CalendarRule(date(2000, 1, 1), 4, 20)], date(2026, 4, 1), date(2026, 4, 1))
    >>> april = periods(year, "month")[0]
    >>> str(april.start_date), str(april.end_date), april.named_month
    ('2026-03-21', '2026-04-21', 4)
    >>> [week.start_date.isoformat() for week in periods(year, "week")[:3]]
    ['2026-03-21', '2026-03-23', '2026-03-30']
    """
    if grain == "week":
        return tuple(_weeks(year))
    length = _MONTHS_OF[grain]
    spans = []
    for index in range(0, 12, length):
        start = _month_start(year.rule, year.start_year, index)
        end = _month_start(year.rule, year.start_year, index + length)
        if start < year.end_date and end > year.start_date:
            named_year, named_month = _named(year.rule, year.start_year, index)
            spans.append(
                PeriodSpan(
                    grain,
                    max(start, year.start_date),
                    min(end, year.end_date),
                    year.start_year,
                    index // length + 1,
                    named_year,
                    named_month,
                )
            )
    return tuple(spans)


def calendar_days(
    year: FiscalYearSpan,
    holiday_name: Callable[[date], str | None],
    exceptions: Mapping[date, tuple[str, bool]],
) -> tuple[DayRow, ...]:
    """Every day of a fiscal year with its periods and its place among the business days of its month.

    `holiday_name` names national holidays; `exceptions` are the company's own days: name and whether it is a business
    day (a working Saturday) or not.

    >>> year, = fiscal_years([CalendarRule(date(2000, 1, 1))], date(2026, 4, 1), date(2026, 4, 1))
    >>> days = calendar_days(year, lambda day: None, {date(2026, 4, 2): ("Foundation day", False)})
    >>> [(row.day.day, row.is_business_day, row.business_day_number) for row in days[:4]]
    [(1, True, 1), (2, False, 1), (3, True, 2), (4, False, 2)]
    """
    starts = {grain: _start_of_each_day(periods(year, grain)) for grain in GRAINS}
    rows: list[DayRow] = []
    number = 0
    for day in _days(year.start_date, year.end_date):
        national = holiday_name(day) or ""
        name, is_business_day = exceptions.get(day, (national, day.weekday() < SATURDAY and not national))
        number = (0 if starts["month"][day] == day else number) + is_business_day
        rows.append(
            DayRow(
                day,
                starts["week"][day],
                starts["month"][day],
                starts["quarter"][day],
                starts["half"][day],
                starts["year"][day],
                is_business_day,
                number,
                name,
            )
        )
    return tuple(rows)


def label(period: PeriodSpan, language: str, naming: Naming = Naming()) -> str:
    """The name of a period in Japanese ("ja") or English (any other language).

    >>> november = PeriodSpan("month", date(2026, 10, 21), date(2026, 11, 21), 2026, 8, 2026, 11)
    >>> label(november, "ja", Naming(closing_day=20)), label(november, "en")
    ('2026年11月度', 'Nov 2026')
    >>> quarter = PeriodSpan("quarter", date(2026, 10, 1), date(2027, 1, 1), 2026, 3, 2026, 10)
    >>> label(quarter, "ja"), label(quarter, "en")
    ('2026年度 第3四半期', 'FY2026 Q3')
    """
    is_japanese = language.startswith("ja")
    year = year_label(period.fiscal_year, language, naming)
    month = f"{_ENGLISH_MONTHS[period.named_month - 1]} {period.named_year}"
    if is_japanese:
        month = f"{period.named_year}年{period.named_month}月{'' if naming.closing_day == MONTH_END else '度'}"
    match period.grain:
        case "week":
            return f"{month} 第{period.ordinal}週" if is_japanese else f"{month} W{period.ordinal}"
        case "month":
            return month
        case "quarter":
            return f"{year} 第{period.ordinal}四半期" if is_japanese else f"{year} Q{period.ordinal}"
        case "half":
            return f"{year} {'上期' if period.ordinal == 1 else '下期'}" if is_japanese else f"{year} H{period.ordinal}"
        case _:
            return year


def short_label(period: PeriodSpan, language: str, naming: Naming = Naming()) -> str:
    """The name of a period within its fiscal year, for the head of a column; of a year its whole name.

    >>> november = PeriodSpan("month", date(2026, 10, 21), date(2026, 11, 21), 2026, 8, 2026, 11)
    >>> short_label(november, "ja", Naming(closing_day=20)), short_label(november, "en")
    ('11月度', 'Nov')
    >>> short_label(PeriodSpan("quarter", date(2026, 10, 1), date(2027, 1, 1), 2026, 3, 2026, 10), "ja")
    '第3四半期'
    """
    is_japanese = language.startswith("ja")
    month = _ENGLISH_MONTHS[period.named_month - 1]
    if is_japanese:
        month = f"{period.named_month}月{'' if naming.closing_day == MONTH_END else '度'}"
    match period.grain:
        case "week":
            return f"{month} 第{period.ordinal}週" if is_japanese else f"{month} W{period.ordinal}"
        case "month":
            return month
        case "quarter":
            return f"第{period.ordinal}四半期" if is_japanese else f"Q{period.ordinal}"
        case "half":
            return ("上期" if period.ordinal == 1 else "下期") if is_japanese else f"H{period.ordinal}"
        case _:
            return year_label(period.fiscal_year, language, naming)


def year_label(start_year: int, language: str, naming: Naming = Naming()) -> str:
    """The name of a fiscal year.

    >>> year_label(2026, "ja"), year_label(2026, "ja", Naming(year_style="fy"))
    ('2026年度', 'FY26')
    >>> year_label(2026, "ja", Naming(year_style="term", first_term_year=2012))
    '第15期'
    """
    is_japanese = language.startswith("ja")
    if naming.year_style == "term" and naming.first_term_year is not None:
        term = start_year - naming.first_term_year + 1
        return f"第{term}期" if is_japanese else f"Term {term}"
    if naming.year_style == "fy":
        return f"FY{start_year % 100:02d}"
    return f"{start_year}年度" if is_japanese else f"FY{start_year}"


def _named(rule: CalendarRule, start_year: int, index: int) -> tuple[int, int]:
    """Year and month by which the month number `index` (0-based, may pass 12) of a fiscal year is known."""
    months = start_year * 12 + rule.start_month - 1 + index
    return months // 12, months % 12 + 1


def _month_start(rule: CalendarRule, start_year: int, index: int) -> date:
    year, month = _named(rule, start_year, index)
    if rule.closing_day == MONTH_END:
        return date(year, month, 1)
    if rule.named_by == "last":
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return date(year, month, rule.closing_day) + timedelta(days=1)


def _natural_year(rule: CalendarRule, start_year: int) -> tuple[date, date]:
    return _month_start(rule, start_year, 0), _month_start(rule, start_year, 12)


def _weeks(year: FiscalYearSpan) -> Iterator[PeriodSpan]:
    """Weeks in order; a whole week belongs to the month in which it starts."""
    months = periods(year, "month")
    start = year.start_date
    for month in months:
        limit = month.end_date if year.rule.weeks == "cut" else year.end_date
        ordinal = 0
        while start < month.end_date:
            ordinal += 1
            to_next = 7 - (start.weekday() - year.rule.week_start) % 7
            end = min(start + timedelta(days=to_next), limit)
            yield PeriodSpan("week", start, end, year.start_year, ordinal, month.named_year, month.named_month)
            start = end


def _start_of_each_day(spans: Sequence[PeriodSpan]) -> dict[date, date]:
    return {day: span.start_date for span in spans for day in _days(span.start_date, span.end_date)}


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=offset) for offset in range((end - start).days))
