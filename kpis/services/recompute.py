"""From facts to blocks: what is dirty is computed again, one grouped statement per measure group.

Incremental equals full: a full recompute marks everything dirty and takes the same path.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kpis.engine.cells import EXACT
from kpis.engine.specs import Window
from kpis.models import ValuesVersion
from kpis.services import blocks, dependents
from kpis.services.calendar import ensure_calendar
from kpis.services.comparing import note_touched
from kpis.services.events import derive_events, take_stale
from kpis.services.joining import join_leads
from kpis.services.measured import groups_reading_records, measured_terms
from kpis.services.windows import Dates, affected_windows
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.selectors import company_settings

# Grouping by many dimensions at once is several times quicker where nothing has to be spilled to disk. Where a page of
# a table costs as if a disk had to turn for it, a hundredth of the deals is looked for by reading all of them.
PLANNING = {"work_mem": "128MB", "random_page_cost": "1.1"}


@dataclass(frozen=True, slots=True)
class RecomputeResult:
    """What a recompute touched: measure group → the months whose blocks were computed again (None = all)."""

    groups: Mapping[str, frozenset[date] | None]


def recompute(*, now: datetime) -> RecomputeResult:
    """Derive events and blocks from what is dirty; does nothing when nothing is.

    Concurrent calls for one company wait for one another, so when this returns everything that was dirty at the call
    is in the blocks. Emits values.changed when it touched anything, and has compared what is closed of it.
    """
    settings = company_settings()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':recompute'))")
        for name, value in PLANNING.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        take_stale(cursor)
        cursor.execute("SELECT EXISTS (SELECT FROM stale) OR EXISTS (SELECT FROM kpis_dirtyrange)")
        if not cursor.fetchone()[0]:
            cursor.execute("DROP TABLE stale")
            return RecomputeResult({})
        ValuesVersion.objects.update_or_create(id=1, defaults={"version": uuid.uuid4(), "computed_at": now})
        join_leads(cursor, now=now)
        terms = measured_terms()
        exchange = derive_events(cursor, currency=settings.currency, read_records=groups_reading_records(terms))
        touched: dict[str, Dates] = dict(exchange.dates)
        dates = set().union(*(each for each in touched.values() if each))
        if dates:
            ensure_calendar(first_day=min(dates), last_day=max(dates))
        by_difference = set(touched) if exchange.is_noted else set()
        by_difference -= _take_ranges(cursor, touched)
        if not touched:
            return RecomputeResult({})
        windows = {name: term for name, of in terms.items() for term in of.values() if isinstance(term, Window)}
        touched |= affected_windows(cursor, touched, windows)
        blocks.rebuild(cursor, touched, terms, by_difference)
        note_touched(touched.values())
        emit(topic="values.changed", company_id=current_company().pk)
    return RecomputeResult({name: None if each is None else frozenset(each) for name, each in touched.items()})


def recompute_all(*, now: datetime) -> RecomputeResult:
    """Derive every event and block again from the facts alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':recompute'))")
        cursor.execute("DELETE FROM kpis_kpievent")  # by SQL: Django would read every row before
        cursor.execute("DELETE FROM kpis_measureblock")
        dependents.mark_all(cursor)
        return recompute(now=now)


def _take_ranges(cursor: CursorWrapper, touched: dict[str, Dates]) -> set[str]:
    """Add the noted ranges to what the events touched, and name their groups; an ":exact" twin goes with its group."""
    cursor.execute('DELETE FROM kpis_dirtyrange RETURNING "group", start_date, end_date')
    ranges = cursor.fetchall()
    for name, start, end in ranges:
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
    return {name for name, _start, _end in ranges}
