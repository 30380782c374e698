"""By when periods are to be provisional and closed: business days after their end, as the company set them."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from kpis.choices import Grain, PeriodState
from kpis.models import CalendarDay, Period
from tenants.settings.selectors import company_settings

WEEK_PROVISIONAL_BUSINESS_DAY = 1
LONGEST_WAIT = timedelta(days=90)  # in which the last business day that can be set has come for certain


@dataclass(frozen=True)
class ClosingDue:
    """The last days on which a month or week becomes provisional and is closed in time.

    `closing_date` is None of a week, which is closed with its month; either is None where the calendar ends before.
    `overdue`: the state that the period should have by now and has not, "" where it is in time.
    """

    provisional_date: date | None
    closing_date: date | None
    overdue: str = ""

    @property
    def overdue_date(self) -> date | None:
        """The day that has passed."""
        return self.closing_date if self.overdue == PeriodState.CLOSED else self.provisional_date


@dataclass(frozen=True)
class WaitingMonth:
    """The earliest month that is over and not closed, and how many more there are."""

    row: Period
    due: ClosingDue
    more_count: int


def read_dues(periods: Sequence[Period], *, today: date) -> Mapping[int, ClosingDue]:
    """Primary key → dues of the months and weeks among these periods; two queries."""
    rows = [row for row in periods if row.grain in {Grain.MONTH, Grain.WEEK}]
    if not rows:
        return {}
    settings = company_settings()
    ends = [row.end_date for row in rows]
    days = CalendarDay.objects.filter(day__gte=min(ends), day__lt=max(ends) + LONGEST_WAIT, is_business_day=True)
    business_days = list(days.order_by("day").values_list("day", flat=True))

    def due(row: Period) -> ClosingDue:
        is_month = row.grain == Grain.MONTH
        first = settings.provisional_business_day if is_month else WEEK_PROVISIONAL_BUSINESS_DAY
        provisional = _nth(business_days, row.end_date, first)
        closing = _nth(business_days, row.end_date, settings.closing_business_day) if is_month else None
        # Of what ended before the company began with this nobody is asked to close anything.
        is_asked = row.end_date > settings.start_date
        return ClosingDue(provisional, closing, _overdue(row, provisional, closing, today) if is_asked else "")

    return {row.pk: due(row) for row in rows}


def find_waiting_month(*, today: date) -> WaitingMonth | None:
    """The month that is to be closed next; None where all that are over are closed. At most four queries."""
    begun = company_settings().start_date
    over = Period.objects.select_related("fiscal_year").filter(
        grain=Grain.MONTH, end_date__lte=today, end_date__gt=begun
    )
    rows = list(over.exclude(state=PeriodState.CLOSED).order_by("start_date"))
    if not rows:
        return None
    return WaitingMonth(rows[0], read_dues(rows[:1], today=today)[rows[0].pk], len(rows) - 1)


def _nth(business_days: Sequence[date], end: date, number: int) -> date | None:
    """The business day `number` (from 1) on or after a day."""
    place = bisect_left(business_days, end) + number - 1
    return business_days[place] if place < len(business_days) else None


def _overdue(row: Period, provisional: date | None, closing: date | None, today: date) -> str:
    if closing is not None and closing < today and row.state != PeriodState.CLOSED:
        return PeriodState.CLOSED.value
    is_late = provisional is not None and provisional < today and row.state == PeriodState.OPEN
    return PeriodState.PROVISIONAL.value if is_late else ""
