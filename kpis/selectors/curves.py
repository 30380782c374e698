"""How past periods filled up, day by day: the company's own curve within a month, a quarter or a year."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.core.cache import cache
from django.db import connection
from django.db.models import Min

from kpis.choices import Grain
from kpis.engine import specs
from kpis.engine.pace import PastPeriod, past_period
from kpis.engine.specs import Simple
from kpis.models import CalendarDay, FactStream, Period
from kpis.models.resources import MODELS
from kpis.selectors.measures import measure
from kpis.selectors.pipeline import Place

HISTORY = {Grain.WEEK: 13, Grain.MONTH: 12, Grain.QUARTER: 8, Grain.HALF: 4, Grain.YEAR: 3}
KEPT_FOR = 3600  # seconds: ended periods hardly change

Curves = Mapping[int | None, Sequence[PastPeriod]]


def read_curves(term: Simple, *, period: Period, place: Place) -> Curves:
    """Member (None = the company) → its ended periods before `period`, latest last; at most four queries.

    Only periods that the fact's sources cover from their first day. A restated past period shows within the hour.
    """
    key = f"curves:{specs.measure_key(term)}:{period.grain}:{period.start_date}:{place.dimension}:{place.today}"
    curves: Curves | None = cache.get(key)
    if curves is None:
        curves = _read(term, period, place)
        cache.set(key, curves, KEPT_FOR)
    return curves


def _read(term: Simple, period: Period, place: Place) -> Curves:
    covered = FactStream.objects.filter(fact=term.fact).aggregate(day=Min("covered_from"))["day"]
    if covered is None:
        return {}
    ended = Period.objects.filter(grain=period.grain, end_date__lte=min(period.start_date, place.today))
    past = list(ended.filter(start_date__gte=covered).order_by("-start_date")[: HISTORY[Grain(period.grain)]])
    if not past:
        return {}
    past.reverse()
    days = dict(
        CalendarDay.objects.filter(day__gte=past[0].start_date, day__lt=past[-1].end_date)
        .order_by("day")
        .values_list("day", "is_business_day")
    )
    amounts = _read_amounts(term, past[0].start_date, past[-1].end_date, place)
    return {member: [_curve(each, days, by_day) for each in past] for member, by_day in amounts.items()}


def _curve(period: Period, days: Mapping[date, bool], amounts: Mapping[date, Decimal]) -> PastPeriod:
    inside = [day for day in days if period.start_date <= day < period.end_date]
    return past_period([(days[day], amounts.get(day, Decimal(0))) for day in inside])


def _read_amounts(term: Simple, start: date, end: date, place: Place) -> Mapping[int | None, Mapping[date, Decimal]]:
    """Member → day → what the term counts on it."""
    counted = measure(term)
    fact = f"JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id" if counted.needs_fact else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {place.member_column}, e.date, {counted.columns['']} FROM kpis_kpievent e {fact}"
            " WHERE e.kind = %(kind)s AND e.credit = %(credit)s AND e.date >= %(start)s AND e.date < %(end)s"
            " GROUP BY 1, 2",
            {
                **counted.params,
                "kind": specs.event_kind(term),
                "credit": term.credit,
                "start": start,
                "end": end,
            },
        )
        rows = cursor.fetchall()
    amounts: dict[int | None, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for leaf, day, value in rows:
        if value is not None:
            for each in place.line_of(leaf):
                amounts[each][day] += value
    return {member: dict(by_day) for member, by_day in amounts.items()}
