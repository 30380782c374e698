"""How past periods filled up, day by day: the company's own curve within a month, a quarter or a year."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from kpis.choices import Grain
from kpis.engine import specs
from kpis.engine.pace import Due, PastPeriod, past_period, usual_share
from kpis.engine.specs import Simple
from kpis.models import CalendarDay, Period
from kpis.models.resources import MODELS
from kpis.selectors.measures import measure
from kpis.selectors.pipeline import Place
from kpis.selectors.streams import Deliveries, read_deliveries, term_coverage
from tenants.cache import find, find_many, keep, keep_many

HISTORY = {Grain.WEEK: 13, Grain.MONTH: 12, Grain.QUARTER: 8, Grain.HALF: 4, Grain.YEAR: 3}
KEPT_FOR = 3600  # seconds: ended periods hardly change
USUAL_KEPT_FOR = 1800  # seconds: an answer that shows it may be kept for as long again (kpis.selectors.kept)
ZERO = Decimal(0)

Curves = Mapping[int | None, Sequence[PastPeriod]]


def read_curves(term: Simple, *, period: Period, place: Place) -> Curves:
    """Member (None = the company) → its ended periods before `period`, latest last; at most four queries.

    Only periods that the fact's sources cover from their first day to their last. A restated past period shows within
    the hour.
    """
    key = f"curves:{specs.measure_key(term)}:{period.grain}:{period.start_date}:{place.dimension}:{place.today}"
    curves: Curves | None = find(key)
    if curves is None:
        curves = _read(term, period, place)
        keep(key, curves, KEPT_FOR)
    return curves


def read_usual(
    terms: Mapping[str, Simple], *, period: Period, elapsed: int, total: int, today: date, deliveries: Deliveries
) -> Mapping[str, Due]:
    """Code → how much of what a term counts is usually there after `elapsed` of `total` business days.

    By the company's own curve, as `read_curves` reads it, else by business days; `deliveries` say which past periods
    are known. At most one query for all terms together; what was read is kept for half an hour.
    """
    place = f"{period.grain}:{period.start_date}:{today}:{elapsed}/{total}"
    keys = {code: f"usual:{specs.measure_key(term)}:{place}" for code, term in terms.items()}
    known: dict[str, Due] = find_many(keys.values())
    unknown = {keys[code]: term for code, term in terms.items() if keys[code] not in known}
    if unknown:
        past = _read_past(unknown, period, today, deliveries)
        read = {key: usual_share(elapsed, total, past.get(key, ())) for key in unknown}
        keep_many(read, USUAL_KEPT_FOR)
        known |= read
    return {code: known[key] for code, key in keys.items()}


def _read_past(
    terms: Mapping[str, Simple], period: Period, today: date, deliveries: Deliveries
) -> Mapping[str, Sequence[PastPeriod]]:
    """Key of a term → the company's ended periods before `period`, latest last; one query.

    Terms that count the same events are added up in one pass over them. Rows are (what, day, numbers): "past" a period
    with its length, "day" a day with 1 for a business day, and the number of a pass with what each of its terms counts
    on the day.
    """
    passes: dict[tuple[str, str], list[tuple[str, Simple]]] = defaultdict(list)
    for key, term in terms.items():
        passes[specs.event_kind(term), term.credit].append((key, term))
    params: dict[str, Any] = {
        "grain": period.grain,
        "until": min(period.start_date, today),
        "most": HISTORY[Grain(period.grain)],
    }
    parts = [
        "SELECT 'past', start_date, ARRAY[end_date - start_date]::numeric[] FROM past",
        "SELECT 'day', day, ARRAY[is_business_day::int]::numeric[] FROM kpis_calendarday, span"
        " WHERE day >= span.start AND day < span.until",
    ]
    for number, ((kind, credit), counted) in enumerate(passes.items()):
        sql, more = _pass_sql(number, kind, credit, [term for _key, term in counted])
        parts.append(sql)
        params |= more
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH past AS (SELECT start_date, end_date FROM kpis_period WHERE grain = %(grain)s"
            " AND end_date <= %(until)s ORDER BY start_date DESC LIMIT %(most)s),"
            " span AS (SELECT min(start_date) AS start, max(end_date) AS until FROM past) " + " UNION ALL ".join(parts),
            params,
        )
        rows = cursor.fetchall()
    return _past_of(passes.values(), rows, deliveries)


def _pass_sql(number: int, kind: str, credit: str, terms: Sequence[Simple]) -> tuple[str, dict[str, Any]]:
    """One pass over the events of a kind, and the parameters it names."""
    measures = [measure(term) for term in terms]
    needs_fact = any(each.needs_fact for each in measures)
    fact = f"JOIN {MODELS[terms[0].fact]._meta.db_table} f ON f.id = e.fact_id" if needs_fact else ""
    params: dict[str, Any] = {f"kind_{number}": kind, f"credit_{number}": credit}
    for each in measures:
        params |= each.params
    columns = ", ".join(each.columns[""] for each in measures)
    return (
        f"SELECT '{number}', e.date, ARRAY[{columns}]::numeric[] FROM span, kpis_kpievent e {fact}"
        f" WHERE e.kind = %(kind_{number})s AND e.credit = %(credit_{number})s"
        " AND e.date >= span.start AND e.date < span.until GROUP BY e.date",
        params,
    )


def _past_of(
    passes: Iterable[Sequence[tuple[str, Simple]]],
    rows: Sequence[tuple[str, date, list[Decimal | None]]],
    deliveries: Deliveries,
) -> Mapping[str, Sequence[PastPeriod]]:
    by_tag: dict[str, dict[date, list[Decimal | None]]] = defaultdict(dict)
    for tag, day, numbers in rows:
        by_tag[tag][day] = numbers
    days = {day: bool(numbers[0]) for day, numbers in sorted(by_tag["day"].items())}
    spans = [(start, start + timedelta(days=int(numbers[0] or 0))) for start, numbers in sorted(by_tag["past"].items())]
    found = {}
    for number, counted in enumerate(passes):
        for n, (key, term) in enumerate(counted):
            covered = term_coverage(term, deliveries)
            amounts = {day: numbers[n] for day, numbers in by_tag[str(number)].items()}
            found[key] = [
                past_period([(days[day], amounts.get(day) or ZERO) for day in days if start <= day < end])
                for start, end in spans
                if covered.is_whole(start, end)
            ]
    return found


def _read(term: Simple, period: Period, place: Place) -> Curves:
    covered = term_coverage(term, read_deliveries(specs.facts_behind(term)))
    ended = Period.objects.filter(grain=period.grain, end_date__lte=min(period.start_date, place.today))
    latest = ended.order_by("-start_date")[: HISTORY[Grain(period.grain)]]
    past = [each for each in latest if covered.is_whole(each.start_date, each.end_date)]
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
    return past_period([(days[day], amounts.get(day, ZERO)) for day in inside])


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
