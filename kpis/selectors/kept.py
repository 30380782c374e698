"""What is read of all facts for one page and is the same until the values are computed again."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.db import connection

from kpis.models import ValuesVersion

KEPT_FOR = 3600  # seconds: longer than anybody reads one page again, shorter than what is kept matters
CHANGED_KEY = "values-changed"  # set by kpis.services.changed_values


def values_version() -> str:
    """The version of the company's values, "" where they were never computed. One query."""
    version = ValuesVersion.objects.values_list("version", flat=True).first()
    return "" if version is None else str(version)


def shown_version() -> str:
    """What pages show changes with it: the version of the values, and the last change that no recompute follows."""
    return f"{values_version()}.{cache.get(CHANGED_KEY, '')}"


def read_kept(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query over facts and events alone, read once for each version of the values.

    The version is read before the rows, so that what is kept is never older than its version says. A company whose
    values were never computed keeps nothing.
    """
    version = values_version()
    asked = hashlib.sha256(repr((sql, sorted(params.items()))).encode()).hexdigest()
    key = f"rows:{version}:{asked}"
    rows: list[tuple[Any, ...]] | None = cache.get(key) if version else None
    if rows is None:
        rows = read_rows(sql, params)
        if version:
            cache.set(key, rows, KEPT_FOR)
    return rows


def read_rows(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query, read each time: for those of which there may be very many."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
