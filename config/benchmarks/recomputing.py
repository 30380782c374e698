"""How long it takes until changed records are in the blocks, against the bare grouped SQL and a full recompute."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from config.benchmarks.report import Line, Report, timed
from config.benchmarks.world import SOURCE, Size, World, build
from kpis.engine import specs
from kpis.engine.cells import EXACT
from kpis.engine.specs import Simple
from kpis.models import Person, Team
from kpis.selectors.event_cells import BASE_GRAINS
from kpis.selectors.measures import are_whole, condition, measure, value_of
from kpis.services import blocks, dependents
from kpis.services.blocks import dimensions_in_use
from kpis.services.facts import upsert_facts
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.recompute import recompute
from tenants.context import tenant_context

Change = Callable[[CursorWrapper, World], None]
FULL_GOAL = 1.2
INCREMENTAL_GOAL = 1 / 20
MEGABYTE = 1024 * 1024
CURVE = (100_000, 300_000)
SMALL = Size(deals=8_000, leads=12_000, people=30, teams=5, products=10, accounts=300)


def measure_recompute(world: World, report: Report) -> None:
    """First fill, full against bare, and what three kinds of change cost."""
    with tenant_context(world.company):
        with timed() as first:
            recompute(now=timezone.now())
        report.add(Line("Events and blocks of all records, from nothing", first[0], "s"))
        _analyse()
        report.add(Line("Size of the blocks", _size_of_blocks() / MEGABYTE, "MB", 150))
        bare = _bare()
        full = _full()
        report.add(
            Line(
                "Full recompute of all blocks ÷ the bare grouped SQL", full / bare, "×", FULL_GOAL, f"{bare:.1f} s bare"
            )
        )
        for name, change, goal in CHANGES:
            spent = _incremental(world, change)
            remark = f"{spent.blocks:.2f} s of {spent.all:.2f} s, the rest being links and events"
            report.add(
                Line(f"Blocks after {name} ÷ full recompute of all blocks", spent.blocks / full, "", goal, remark)
            )
            report.add(
                Line(f"Links, events and blocks after {name} ÷ those of all records", spent.all / first[0], "", goal)
            )
        before = _fingerprint()
        _full()
        report.add(Line("Blocks that differ from a full recompute", float(before != _fingerprint()), "", 0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.add(Line("Memory of the process at its peak", peak, "MB", 400))


def measure_curve(report: Report, *, say: Callable[[str], None], prefix: str) -> None:
    """The same change in companies of other sizes, and the blocks of a small one."""
    for deals in CURVE:
        world = build(Size.of(deals), slug=f"{prefix}-{deals // 1000}k", say=say)
        with tenant_context(world.company):
            recompute(now=timezone.now())
            _analyse()
            full = _full()
            spent = _incremental(world, _change_deals)
        remark = f"{spent.blocks:.2f} s of {spent.all:.2f} s"
        report.add(Line(f"Blocks after 1 % of {deals:,} deals changed ÷ full", spent.blocks / full, "", None, remark))
    world = build(SMALL, slug=f"{prefix}-small", say=say)
    with tenant_context(world.company):
        recompute(now=timezone.now())
        report.add(Line("Size of the blocks, 30 people and 20,000 records", _size_of_blocks() / MEGABYTE, "MB", 2))


def _full() -> float:
    with timed() as taken, transaction.atomic():
        mark_groups(measured_terms())
        recompute(now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE kpis_measureblock")
    return taken[0]


def _bare() -> float:
    """Seconds for the same groups, sums and grouping sets as plain SQL that a person would write."""
    seconds = 0.0
    for name, terms in measured_terms().items():
        kind, credit = name.removesuffix(EXACT).rsplit(":", 1)
        values: list[str] = []
        params: dict[str, Any] = {"kind": kind, "credit": credit}
        with connection.cursor() as cursor:
            whole = are_whole(cursor, kind, credit)
        for term in terms.values():
            assert isinstance(term, Simple), "the measured company has no windows"
            found, of_term = _plain(term, whole=whole)
            values += found
            params |= of_term
        columns = ["", *(f"e.{each}_id" for each in dimensions_in_use())]
        sets = ", ".join(
            f"({', '.join(filter(None, [f'd.{grain}', each]))})" for grain in BASE_GRAINS for each in columns
        )
        named = ", ".join(f"{value} AS v{n}" for n, value in enumerate(values))
        fact = f"JOIN {dependents.FACT_TABLES[kind.split('.', 1)[0]]} f ON f.id = e.fact_id" if "f." in named else ""
        with timed() as taken, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMPORARY TABLE bare ON COMMIT DROP AS SELECT {named}"
                f" FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date {fact}"
                f" WHERE e.kind = %(kind)s AND e.credit = %(credit)s GROUP BY GROUPING SETS ({sets})",
                params,
            )
        seconds += taken[0]
    return seconds


def _plain(term: Simple, *, whole: bool) -> tuple[list[str], dict[str, Any]]:
    """The expressions of a term over events, and their parameters."""
    if specs.is_additive(term):
        found = measure(term, whole=whole)
        return list(found.columns.values()), dict(found.params)
    where, params = condition(term)
    value = value_of(term)
    if term.aggregate == "distinct":
        return [f"count(DISTINCT {value}) FILTER (WHERE {where})"], params
    return [f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {value}) FILTER (WHERE {where})"], params


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds from changed records to changed blocks, and those of them in which the blocks were brought up to date."""

    all: float
    blocks: float


def _incremental(world: World, change: Change) -> Spent:
    with transaction.atomic(), connection.cursor() as cursor:
        change(cursor, world)
    of_blocks = 0.0
    rebuild = blocks.rebuild

    def timed_rebuild(*arguments: Any) -> None:
        nonlocal of_blocks
        with timed() as taken:
            rebuild(*arguments)
        of_blocks += taken[0]

    with mock.patch.object(blocks, "rebuild", timed_rebuild), timed() as taken:
        recompute(now=timezone.now())
    return Spent(taken[0], of_blocks)


def _change_deals(cursor: CursorWrapper, world: World) -> None:
    """The amount of one of a hundred deals, among those that were closed in two months."""
    start = world.first_day + timedelta(days=900)
    cursor.execute(
        "CREATE TEMPORARY TABLE affected ON COMMIT DROP AS SELECT id, false AS is_new FROM kpis_deal"
        " WHERE closed_on >= %s AND closed_on < %s ORDER BY id LIMIT (SELECT count(*) / 100 FROM kpis_deal)",
        [start, start + timedelta(days=61)],
    )
    dependents.mark(cursor, "deals")
    cursor.execute("UPDATE kpis_deal d SET amount = amount + 1000 FROM affected a WHERE a.id = d.id")
    dependents.mark(cursor, "deals")


def _change_stages(cursor: CursorWrapper, world: World) -> None:
    """The stage dates of one of a hundred leads, among those of two months."""
    start = world.first_day + timedelta(days=900)
    cursor.execute(
        "CREATE TEMPORARY TABLE affected ON COMMIT DROP AS SELECT e.id, false AS is_new"
        " FROM kpis_leadstageevent e JOIN kpis_lead l ON l.id = e.lead_id"
        " WHERE l.created_on >= %s AND l.created_on < %s ORDER BY e.id LIMIT (SELECT count(*) / 100 FROM kpis_lead)",
        [start, start + timedelta(days=61)],
    )
    cursor.execute(
        "UPDATE kpis_leadstageevent e SET entered_at = entered_at + interval '1 day' FROM affected a WHERE a.id = e.id"
    )
    dependents.mark(cursor, "lead-stage-events")


def _transfer_back(_cursor: CursorWrapper, world: World) -> None:
    """One person turns out to have changed teams 90 days ago."""
    person, team = Person.objects.order_by("id")[0], Team.objects.order_by("-id")[0]
    moved = world.last_day - timedelta(days=90)
    old = person.memberships.get()
    records = [
        {"external_id": "before", "person": person.external_id, "team": old.team.external_id, "ends_on": str(moved)},
        {"external_id": "after", "person": person.external_id, "team": team.external_id, "starts_on": str(moved)},
    ]
    result = upsert_facts(resource="memberships", source=SOURCE, records=records, now=timezone.now())
    assert not result.rejected, result.rejected


CHANGES: tuple[tuple[str, Change, float | None], ...] = (
    ("1 % of the deals changed over two months", _change_deals, INCREMENTAL_GOAL),
    ("1 % of the leads' stage events", _change_stages, None),
    ("one backdated transfer of a person", _transfer_back, None),
)


def _size_of_blocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('kpis_measureblock')")
        return cursor.fetchone()[0]


def _fingerprint() -> str:
    """All blocks as one text."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "group", grain, period_start, is_of_people, measures::text, member_ids::text, numbers::text'
            " FROM kpis_measureblock ORDER BY 1, 2, 3, 4"
        )
        while rows := cursor.fetchmany(10_000):
            digest.update(repr(rows).encode())
    return digest.hexdigest()


def _analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE kpis_kpievent, kpis_measureblock")
