"""From events to blocks: what is dirty is computed again, one grouped statement per measure group.

A block holds the additive measures of one group (event kind and credit) in one period for one member; what does not
add up (median, distinct) lives in the group's ":exact" twin, computed from facts at every grain and for every
ancestor. Incremental equals full: a full recompute marks everything dirty and takes the same path.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kpis.choices import DIMENSIONS
from kpis.engine.cells import EXACT, WINDOW
from kpis.engine.specs import Simple, Term, Window
from kpis.models import KpiEvent, MeasureBlock
from kpis.selectors.measures import Measure, measure
from kpis.services import dependents
from kpis.services.calendar import ensure_calendar
from kpis.services.events import derive_events, take_stale
from kpis.services.joining import join_leads
from kpis.services.measured import measured_terms
from kpis.services.windows import WINDOW_GRAINS, Dates, affected_windows, store_window
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.selectors import company_settings

# Grouping by many dimensions at once is several times quicker where nothing has to be spilled to disk.
WORK_MEM = "128MB"
BASE_GRAINS = ("month", "week")
ALL_GRAINS = ("month", "week", "quarter", "half", "year")


@dataclass(frozen=True, slots=True)
class RecomputeResult:
    """What a recompute touched: measure group → the months whose blocks were computed again (None = all)."""

    groups: Mapping[str, frozenset[date] | None]


def recompute(*, now: datetime) -> RecomputeResult:
    """Derive events and blocks from what is dirty; does nothing when nothing is.

    Concurrent calls for one company wait for one another, so when this returns everything that was dirty at the call
    is in the blocks. Emits values.changed when it touched anything.
    """
    settings = company_settings()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':recompute'))")
        cursor.execute("SELECT set_config('work_mem', %s, true)", [WORK_MEM])
        take_stale(cursor)
        join_leads(cursor, now=now)
        touched: dict[str, Dates] = dict(derive_events(cursor, currency=settings.currency))
        dates = set().union(*(each for each in touched.values() if each))
        if dates:
            ensure_calendar(first_day=min(dates), last_day=max(dates))
        _take_ranges(cursor, touched)
        if not touched:
            return RecomputeResult({})
        terms = measured_terms()
        windows = {name: term for name, of in terms.items() for term in of.values() if isinstance(term, Window)}
        touched |= affected_windows(cursor, touched, windows)
        for name in sorted(touched):
            _rebuild(cursor, name, touched[name], terms)
        emit(topic="values.changed", company_id=current_company().pk)
    return RecomputeResult({name: None if each is None else frozenset(each) for name, each in touched.items()})


def recompute_all(*, now: datetime) -> RecomputeResult:
    """Derive every event and block again from the facts alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':recompute'))")
        KpiEvent.objects.all().delete()
        MeasureBlock.objects.all().delete()
        dependents.mark_all(cursor)
        return recompute(now=now)


def _take_ranges(cursor: CursorWrapper, touched: dict[str, Dates]) -> None:
    """Add the noted ranges to what the events touched; an ":exact" twin is touched with its group."""
    cursor.execute('DELETE FROM kpis_dirtyrange RETURNING "group", start_date, end_date')
    for name, start, end in cursor.fetchall():
        if start is None or end is None:
            touched[name] = None
        elif touched.get(name, set()) is not None:
            days = {start + timedelta(days=n) for n in range((end - start).days)}
            touched[name] = (touched.get(name) or set()) | days
    for name in [name for name in touched if not name.endswith(EXACT)]:
        twin, dates = name + EXACT, touched[name]
        if twin in touched and (dates is None or touched[twin] is None):
            touched[twin] = None
        else:
            touched[twin] = (touched.get(twin) or set()) | (dates or set()) if dates is not None else None


def _rebuild(cursor: CursorWrapper, name: str, dates: Dates, terms: Mapping[str, Mapping[str, Term]]) -> None:
    """Exchange the blocks of one group in the periods that hold these dates."""
    is_exact = name.endswith(EXACT)
    grains = WINDOW_GRAINS if WINDOW in name else ALL_GRAINS if is_exact else BASE_GRAINS
    starts: dict[str, list[date]] | None = None
    if dates is None:
        cursor.execute('DELETE FROM kpis_measureblock WHERE "group" = %s', [name])
    else:
        starts = _periods(cursor, dates, grains)
        for grain, days in starts.items():
            cursor.execute(
                'DELETE FROM kpis_measureblock WHERE "group" = %s AND grain = %s AND period_start = ANY(%s)',
                [name, grain, days],
            )
    measured = terms.get(name)
    if not measured:
        return
    simple = {key: term for key, term in measured.items() if isinstance(term, Simple)}
    for window in measured.values():
        if isinstance(window, Window):
            store_window(cursor, name, window, starts)
    if not simple:
        return
    kind, credit = name.removesuffix(EXACT).rsplit(":", 1)
    measures = {key: measure(term) for key, term in simple.items()}
    dimensions = DIMENSIONS if credit == "revenue" else ("team", "person")
    if is_exact:
        _store_exact(cursor, name, kind, credit, measures, dimensions, starts)
    else:
        _store_additive(cursor, name, kind, credit, measures, dimensions, starts)


def _periods(cursor: CursorWrapper, dates: set[date], grains: Iterable[str]) -> dict[str, list[date]]:
    columns = ", ".join(f"array_agg(DISTINCT {grain})" for grain in grains)
    cursor.execute(f"SELECT {columns} FROM kpis_calendarday WHERE day = ANY(%s)", [list(dates)])
    return {grain: days or [] for grain, days in zip(grains, cursor.fetchone(), strict=True)}


def _within(starts: Mapping[str, list[date]] | None) -> tuple[str, str, dict[str, Any]]:
    """SQL that limits days to those periods, SQL that keeps only groups of those periods, and their parameters."""
    if starts is None:
        return "true", "true", {}
    where = " OR ".join(f"d.{grain} = ANY(%(starts_{grain})s)" for grain in starts)
    having = " OR ".join(f"(GROUPING(d.{grain}) = 0 AND d.{grain} = ANY(%(starts_{grain})s))" for grain in starts)
    return where, having, {f"starts_{grain}": days for grain, days in starts.items()}


def _store_additive(
    cursor: CursorWrapper,
    name: str,
    kind: str,
    credit: str,
    measures: Mapping[str, Measure],
    dimensions: Iterable[str],
    starts: Mapping[str, list[date]] | None,
) -> None:
    where, having, params = _within(starts)
    columns = [f"e.{dimension}_id" for dimension in dimensions]
    company = ["()"] if credit == "revenue" else []
    sets = ", ".join(
        f"({', '.join(filter(None, [f'd.{grain}', each.strip('()')]))})"
        for grain in BASE_GRAINS
        for each in [*company, *columns]
    )
    named = " ".join(
        f"WHEN GROUPING({column}) = 0 THEN '{dimension}'" for dimension, column in zip(dimensions, columns, strict=True)
    )
    fact = _fact_join(kind, measures.values())
    cursor.execute(
        f"""
        INSERT INTO kpis_measureblock ("group", grain, period_start, dimension, member_id, measures)
        SELECT * FROM (
            SELECT %(group)s, CASE WHEN GROUPING(d.month) = 0 THEN 'month' ELSE 'week' END, coalesce(d.month, d.week),
                   CASE {named} ELSE 'company' END, coalesce({", ".join(columns)}),
                   jsonb_strip_nulls(jsonb_build_object({_built(measures)})) AS measures
            FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date {fact}
            WHERE e.kind = %(kind)s AND e.credit = %(credit)s AND ({where})
            GROUP BY GROUPING SETS ({sets}) HAVING {having}
        ) AS blocks WHERE measures <> '{{}}'
        """,
        {"group": name, "kind": kind, "credit": credit, **params, **_params(measures)},
    )


def _store_exact(
    cursor: CursorWrapper,
    name: str,
    kind: str,
    credit: str,
    measures: Mapping[str, Measure],
    dimensions: Iterable[str],
    starts: Mapping[str, list[date]] | None,
) -> None:
    """One statement per dimension: a fact counts once for each ancestor, however many credits and lines it has."""
    where, having, params = _within(starts)
    grains = ", ".join(f"(d.{grain}, e.member_id)" for grain in ALL_GRAINS)
    fact = _fact_join(kind, measures.values())
    counts = " OR ".join(dict.fromkeys(each.where for each in measures.values()))
    of_fact = ", ".join(f'{value} AS "{name}"' for each in measures.values() for name, value in each.of_fact.items())
    for dimension in (*(["company"] if credit == "revenue" else []), *dimensions):
        member = "NULL::bigint" if dimension == "company" else "path.ancestor_id"
        path = "" if dimension == "company" else f"JOIN path ON path.id = e.{dimension}_id"
        cursor.execute(
            f"""
            INSERT INTO kpis_measureblock ("group", grain, period_start, dimension, member_id, measures)
            WITH RECURSIVE path (id, ancestor_id) AS (
                SELECT m.id, m.id FROM kpis_dimensionmember m JOIN kpis_dimension k ON k.id = m.dimension_id
                WHERE k.code = %(dimension)s
                UNION SELECT path.id, m.parent_id FROM path JOIN kpis_dimensionmember m ON m.id = path.ancestor_id
                WHERE m.parent_id IS NOT NULL
            )
            SELECT * FROM (
                SELECT %(group)s, CASE {_grain_case()} END, coalesce({", ".join(f"d.{grain}" for grain in ALL_GRAINS)}),
                       %(dimension)s, e.member_id, jsonb_strip_nulls(jsonb_build_object({_built(measures)})) AS measures
                FROM (
                    SELECT {member} AS member_id, e.date, {of_fact}
                    FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date {path} {fact}
                    WHERE e.kind = %(kind)s AND e.credit = %(credit)s AND ({where}) AND ({counts})
                    GROUP BY 1, e.date, e.fact_id
                ) e JOIN kpis_calendarday d ON d.day = e.date
                GROUP BY GROUPING SETS ({grains}) HAVING {having}
            ) AS blocks WHERE measures <> '{{}}'
            """,
            {"group": name, "kind": kind, "credit": credit, "dimension": dimension, **params, **_params(measures)},
        )


def _grain_case() -> str:
    return " ".join(f"WHEN GROUPING(d.{grain}) = 0 THEN '{grain}'" for grain in ALL_GRAINS)


def _built(measures: Mapping[str, Measure]) -> str:
    return ", ".join(
        f"'{key}{suffix}', {expression}"
        for key, each in measures.items()
        for suffix, expression in each.columns.items()
    )


def _params(measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: value for each in measures.values() for name, value in each.params.items()}


def _fact_join(kind: str, measures: Iterable[Measure]) -> str:
    joins = dict.fromkeys(each.join for each in measures)
    if any(each.needs_fact for each in measures):
        joins[f"JOIN {dependents.FACT_TABLES[kind.split('.', 1)[0]]} f ON f.id = e.fact_id"] = None
    return " ".join(joins)
