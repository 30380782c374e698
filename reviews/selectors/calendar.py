"""Days on which nobody works, from the company's calendar."""

import datetime

from kpis.models import CalendarDay


def days_off(*, start_date: datetime.date, end_date: datetime.date) -> frozenset[datetime.date]:
    """The days of [start_date, end_date) that are no business days; weekends where the calendar has no row."""
    known = dict(
        CalendarDay.objects.filter(day__gte=start_date, day__lt=end_date).values_list("day", "is_business_day")
    )
    days = (start_date + datetime.timedelta(days=offset) for offset in range((end_date - start_date).days))
    return frozenset(day for day in days if not known.get(day, day.weekday() < 5))
