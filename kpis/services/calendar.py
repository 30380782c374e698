"""The fiscal calendar as rows: made from the rules, extended when facts reach outside, corrected by people."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import jpholiday
from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils import timezone

from kpis.choices import PeriodState
from kpis.engine import calendar as engine
from kpis.engine.cells import WINDOW
from kpis.engine.issues import gettext_noop
from kpis.models import (
    CalendarDay,
    CalendarRule,
    CompanyHoliday,
    DirtyFact,
    FactChange,
    FiscalYear,
    Period,
)
from kpis.selectors.calendar import calendar_rules
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.registry import ProvisionRequest
from tenants.settings.selectors import company_settings

EARLIEST = date(1950, 1, 1)
LATEST = date(2199, 12, 31)


class CalendarError(RefusedError):
    """A change of the calendar that cannot be made."""

    code = "calendar"


def seed_calendar(request: ProvisionRequest) -> None:
    """Make the calendar of a new company by its settings, from a year ago to a year ahead. Harmless when repeated."""
    settings = company_settings()
    CalendarRule.objects.get_or_create(
        defaults={
            "effective_from": EARLIEST,
            "start_month": settings.fiscal_start_month,
            "closing_day": settings.closing_day,
            "named_by": "first" if settings.month_named_by == "first_day" else "last",
            "weeks": "whole" if settings.week_rule == "whole" else "cut",
            "week_start": settings.week_starts_on,
        }
    )
    today = timezone.localdate(request.now)
    ensure_calendar(first_day=today - timedelta(days=365), last_day=today + timedelta(days=365))


def ensure_calendar(*, first_day: date, last_day: date) -> bool:
    """Make sure that every day from first_day to last_day has its calendar row; True if rows were added.

    Fiscal years in between are made too, so that the calendar has no hole. Raises CalendarError for impossible dates.
    """
    if not EARLIEST <= first_day <= last_day <= LATEST:
        raise CalendarError(
            gettext_noop("A date from %(first)s to %(last)s is outside the calendar (1950 to 2199). Correct the date."),
            first=first_day,
            last=last_day,
        )
    with transaction.atomic():
        known = FiscalYear.objects.aggregate(first=Min("start_date"), last=Max("end_date"))
        if known["first"] and known["first"] <= first_day and known["last"] > last_day:
            return False
        _lock()
        known = FiscalYear.objects.aggregate(first=Min("start_date"), last=Max("end_date"))
        if known["first"]:
            first_day = min(first_day, known["first"])
            last_day = max(last_day, known["last"] - timedelta(days=1))
        years = engine.fiscal_years(calendar_rules(), first_day, last_day)
        present = set(FiscalYear.objects.values_list("start_date", flat=True))
        _write([year for year in years if year.start_date not in present])
        _mark_windows()
        emit(topic="calendar.changed", company_id=current_company().pk)
    return True


def cover_stretch(*, start: date, end: date) -> None:
    """Make sure that the calendar has the days from start to before end, as far as a calendar can reach."""
    first_day, last_day = max(start, EARLIEST), min(end - timedelta(days=1), LATEST)
    if first_day <= last_day:
        ensure_calendar(first_day=first_day, last_day=last_day)


def _mark_windows() -> None:
    """Windows are stored for every period there is, so new periods need theirs."""
    mark_groups(name for name in measured_terms() if WINDOW in name)


def ensure_fiscal_year(*, start_year: int) -> None:
    """Make sure that the calendar covers the fiscal year of this number."""
    rule = calendar_rules()[-1]
    middle = date(start_year, rule.start_month, 15) + timedelta(days=45)
    ensure_calendar(first_day=middle, last_day=middle)


def set_rule(
    *,
    effective_from: date,
    start_month: int,
    closing_day: int,
    named_by: str = "last",
    weeks: str = "cut",
    week_start: int = 0,
    actor: Any,
    now: datetime,
) -> CalendarRule:
    """Let a rule hold from a date on; the fiscal year in which it starts ends early.

    Raises CalendarError when the rule is impossible, does not start one of its own fiscal years, or would re-cut a
    closed period.
    """
    fields = {
        "start_month": start_month,
        "closing_day": closing_day,
        "named_by": named_by,
        "weeks": weeks,
        "week_start": week_start,
    }
    with transaction.atomic():
        _lock()
        rule, _ = CalendarRule.objects.update_or_create(effective_from=effective_from, defaults=fields)
        _check_rule(effective_from)
        _recut()
    return rule


def set_holiday(*, day: date, name: str, is_business_day: bool = False, actor: Any, now: datetime) -> CompanyHoliday:
    """Make a day a holiday of the company, or a business day in spite of the national calendar."""
    with transaction.atomic():
        _lock()
        holiday, _ = CompanyHoliday.objects.update_or_create(
            day=day, defaults={"name": name, "is_business_day": is_business_day}
        )
        _recount_days(day)
    return holiday


def remove_holiday(*, day: date, actor: Any, now: datetime) -> None:
    """Let a day follow the national calendar again."""
    with transaction.atomic():
        _lock()
        CompanyHoliday.objects.filter(day=day).delete()
        _recount_days(day)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':calendar'))")


def _check_rule(effective_from: date) -> None:
    try:
        rules = calendar_rules()
    except engine.CalendarRuleError as error:
        raise CalendarError(error.template, **error.params) from None
    rule = next(each for each in rules if each.effective_from == effective_from)
    (natural,) = engine.fiscal_years([rule], effective_from, effective_from)
    if len(rules) > 1 and rule != rules[0] and natural.start_date != effective_from:
        raise CalendarError(
            gettext_noop(
                "A rule starts with a fiscal year of its own. %(date)s is not one: choose %(before)s or %(after)s."
            ),
            date=effective_from,
            before=natural.start_date,
            after=natural.end_date,
        )


def _recut() -> None:
    """Cut the whole calendar anew; periods that stay the same keep their identity and state."""
    known = FiscalYear.objects.aggregate(first=Min("start_date"), last=Max("end_date"))
    if known["first"] is None:
        return
    years = engine.fiscal_years(calendar_rules(), known["first"], known["last"] - timedelta(days=1))
    wanted = {
        (grain, span.start_date): span.end_date
        for year in years
        for grain in engine.GRAINS
        for span in engine.periods(year, grain)
    }
    gone = [
        period for period in Period.objects.all() if wanted.get((period.grain, period.start_date)) != period.end_date
    ]
    closed = next((period for period in gone if period.state == PeriodState.CLOSED), None)
    if closed is not None:
        raise CalendarError(
            gettext_noop(
                "The rule would cut the closed period from %(start)s to %(end)s anew. "
                "Let it start later, or reopen that period first."
            ),
            start=closed.start_date,
            end=closed.end_date,
        )
    Period.objects.filter(pk__in=[period.pk for period in gone]).delete()
    _write(years)
    FiscalYear.objects.exclude(start_date__in=[year.start_date for year in years]).delete()
    CalendarDay.objects.filter(Q(day__lt=years[0].start_date) | Q(day__gte=years[-1].end_date)).delete()
    mark_groups(measured_terms())
    # Which contracts were due when a month began.
    moved = FactChange.objects.filter(fact="contracts", changes__has_key="renewal_due_on")
    DirtyFact.objects.bulk_create(
        DirtyFact(fact="contracts", fact_id=each) for each in moved.values_list("fact_id", flat=True).distinct()
    )
    emit(topic="calendar.changed", company_id=current_company().pk)


def _recount_days(day: date) -> None:
    year = FiscalYear.objects.filter(start_date__lte=day, end_date__gt=day).first()
    if year is None:
        return
    _write_days(engine.fiscal_years(calendar_rules(), day, day))
    emit(topic="calendar.changed", company_id=current_company().pk)


def _write(years: Iterable[engine.FiscalYearSpan]) -> None:
    spans = list(years)
    FiscalYear.objects.bulk_create(
        [FiscalYear(start_year=y.start_year, start_date=y.start_date, end_date=y.end_date) for y in spans],
        update_conflicts=True,
        unique_fields=["start_date"],
        update_fields=["start_year", "end_date"],
    )
    rows = {row.start_date: row for row in FiscalYear.objects.filter(start_date__in=[y.start_date for y in spans])}
    Period.objects.bulk_create(
        [
            Period(
                grain=span.grain,
                start_date=span.start_date,
                end_date=span.end_date,
                fiscal_year=rows[year.start_date],
                ordinal=span.ordinal,
                named_year=span.named_year,
                named_month=span.named_month,
            )
            for year in spans
            for grain in engine.GRAINS
            for span in engine.periods(year, grain)
        ],
        update_conflicts=True,
        unique_fields=["grain", "start_date"],
        update_fields=["end_date", "fiscal_year", "ordinal", "named_year", "named_month"],
        batch_size=2000,
    )
    _write_days(spans)


def _write_days(years: Iterable[engine.FiscalYearSpan]) -> None:
    holidays = CompanyHoliday.objects.values_list("day", "name", "is_business_day")
    exceptions = {day: (name, is_business_day) for day, name, is_business_day in holidays}
    national = _national_holidays()
    CalendarDay.objects.bulk_create(
        [
            CalendarDay(
                day=row.day,
                week=row.week,
                month=row.month,
                quarter=row.quarter,
                half=row.half,
                year=row.year,
                is_business_day=row.is_business_day,
                business_day_number=row.business_day_number,
                holiday=row.holiday,
            )
            for year in years
            for row in engine.calendar_days(year, national, exceptions)
        ],
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=[
            "week",
            "month",
            "quarter",
            "half",
            "year",
            "is_business_day",
            "business_day_number",
            "holiday",
        ],
        batch_size=2000,
    )


def _national_holidays() -> Callable[[date], str | None]:
    """Japanese holidays for a company that counts in yen; others enter their own."""
    if company_settings().currency == "JPY":
        return lambda day: _japanese_holidays(day.year).get(day)
    return lambda day: None


@lru_cache(maxsize=300)
def _japanese_holidays(year: int) -> Mapping[date, str]:
    """The national holidays of one year by day. Kept, since they are worked out rule by rule for every day."""
    return dict(jpholiday.year_holidays(year))
