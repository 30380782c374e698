"""Worlds that are built once: what a fixture wrote is kept in memory, and later tests get it by COPY.

`remembered` goes under `@pytest.fixture`. The first test builds by the real services; for each later one that begins
with the same rows, language and time, only the rows are written, with the ids they had. Anything else builds anew, so a
remembered fixture means what it meant before. It returns what pickles, writes to acme only, and does not yield.
"""

from __future__ import annotations

import functools
import pickle
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import time_machine
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone, translation

from tenants.models import Company

# What callers bring along, and the numbers of changes, are others in each test; nothing that is built depends on them.
_OF_EACH_TEST = ("django_session", "integrations_apikey", "kpis_shownchange")
_Lines = Counter[bytes]
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class _Kept:
    """What one build wrote: per table the lines that came, and whether others went; and what it returned."""

    written: Mapping[str, tuple[bytes, bool]]
    returned: bytes


_kept: dict[tuple[object, ...], _Kept] = {}


def remembered(build: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same fixture, built once for each state of the company that it is asked in."""

    @functools.wraps(build)
    def fixture(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        schema = Company.objects.values_list("schema_name", flat=True).get(slug="acme")
        tables = _tables(schema)
        moment = timezone.now() if time_machine.escape_hatch.is_travelling() else timezone.localdate()
        key = (build.__module__, build.__qualname__, moment, translation.get_language(), _digest(tables))
        if key not in _kept:
            before = {table: _lines(table) for table in tables}
            returned = build(*args, **kwargs)
            after = {table: _lines(table) for table in tables}
            _kept[key] = _Kept(_written(before, after), pickle.dumps(returned))
            return returned
        with transaction.atomic(), connection.cursor() as cursor:
            for table, (lines, is_whole) in _kept[key].written.items():
                if is_whole:
                    cursor.execute(f"DELETE FROM {table}")
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(lines)
                _go_on_after(cursor, table)
        return pickle.loads(_kept[key].returned)

    return fixture


@functools.cache
def _tables(schema: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [schema])
        names = [name for (name,) in cursor.fetchall() if name not in _OF_EACH_TEST]
    return (*(f'"{schema}"."{name}"' for name in names), "public.outbox_event")


def _digest(tables: tuple[str, ...]) -> tuple[object, ...]:
    """What the tables hold, as one number each."""
    each = (f"(SELECT sum(hashtextextended(t::text, 0)) FROM {table} t)" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(each)}")
        return tuple(cursor.fetchone())


def _go_on_after(cursor: CursorWrapper, table: str) -> None:
    """Let the next row get an id of its own: the rows may have been built in another copy of the database."""
    if sequence := _sequence(table):
        cursor.execute(
            f"SELECT setval(%s, greatest((SELECT max(id) FROM {table}), (SELECT last_value FROM {sequence})))",
            [sequence],
        )


@functools.cache
def _sequence(table: str) -> str | None:
    """The sequence that numbers the rows of a table; None for a table without one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_serial_sequence(%s, 'id') FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attname = 'id'",
            [table, table],
        )
        found = cursor.fetchone()
    return found and found[0]


def _lines(table: str) -> _Lines:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copy:
        return Counter(b"".join(map(bytes, copy)).splitlines(keepends=True))


def _written(before: Mapping[str, _Lines], after: Mapping[str, _Lines]) -> dict[str, tuple[bytes, bool]]:
    written = {}
    for table, lines in after.items():
        if lines != before[table]:
            is_whole = bool(before[table] - lines)
            came = lines if is_whole else lines - before[table]
            written[table] = (b"".join(came.elements()), is_whole)
    return written
