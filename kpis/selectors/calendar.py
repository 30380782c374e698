"""Reads of the fiscal calendar: its rules, its periods and their names."""

from collections.abc import Callable
from datetime import date

from django.utils.translation import get_language

from kpis.choices import Grain
from kpis.engine import calendar as engine
from kpis.models import CalendarDay, CalendarRule, Period
from tenants.settings.selectors import company_settings


def calendar_rules() -> tuple[engine.CalendarRule, ...]:
    """The company's rules in order, as the engine takes them."""
    return tuple(
        engine.CalendarRule(
            effective_from=row.effective_from,
            start_month=row.start_month,
            closing_day=row.closing_day,
            named_by="first" if row.named_by == "first" else "last",
            weeks="whole" if row.weeks == "whole" else "cut",
            week_start=row.week_start,
        )
        for row in CalendarRule.objects.order_by("effective_from")
    )


def period_namer(language: str | None = None, *, short: bool = False) -> Callable[[Period], str]:
    """A function that names periods in a language (default: the caller's); two queries, whatever it names.

    `short` names leave out the fiscal year, for the head of a column.
    Each period is named by the rule in force at its start; reads `period.fiscal_year`, so select it with the rows.
    """
    settings = company_settings()
    rules = calendar_rules()
    spoken = language or get_language() or settings.language

    def name(period: Period) -> str:
        in_force = [rule for rule in rules if rule.effective_from <= period.start_date] or list(rules[:1])
        naming = engine.Naming(
            closing_day=in_force[-1].closing_day if in_force else engine.MONTH_END,
            year_style=settings.year_name_style,
            first_term_year=settings.first_term_year,
        )
        span = engine.PeriodSpan(
            period.grain,
            period.start_date,
            period.end_date,
            period.fiscal_year.start_year,
            period.ordinal,
            period.named_year,
            period.named_month,
        )
        return (engine.short_label if short else engine.label)(span, spoken, naming)

    return name


def find_period(grain: str, day: date) -> Period | None:
    """The period of a grain in which a day lies."""
    periods = Period.objects.select_related("fiscal_year").filter(grain=grain)
    return periods.filter(start_date__lte=day, end_date__gt=day).first()


def business_day(first_day: date, number: int) -> date | None:
    """The business day number `number` (from 1) on or after a day, None beyond the calendar."""
    days = CalendarDay.objects.filter(day__gte=first_day, is_business_day=True).order_by("day")
    return days.values_list("day", flat=True)[number - 1 : number].first()


def months_of_year(start_year: int) -> list[Period]:
    """The months of a fiscal year in order."""
    return list(
        Period.objects.select_related("fiscal_year")
        .filter(grain=Grain.MONTH, fiscal_year__start_year=start_year)
        .order_by("start_date")
    )
