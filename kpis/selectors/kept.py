"""What is read for a page or an answer and is kept, under a version of everything that it shows."""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import get_language

from kpis.engine.freshness import in_time_until
from kpis.models import FactStream, ShownChange, ValuesVersion
from tenants.cache import find, keep

KEPT_FOR = 3600  # seconds: longer than anybody reads one page again, shorter than what is kept matters
CHANGED_KEY = "values-changed"  # set by kpis.services.changed_values

# What the usual course of a period is read from may be half an hour old: with it an answer is an hour old at most.
ANSWERS_KEPT_FOR = timedelta(minutes=30)
# A year of 40 KPIs by 60 teams takes less; what is larger is asked for once, by exports, and would displace many.
LARGEST_ANSWER = 1_000_000  # bytes, packed

# The tables that an answer reads beside facts, events and blocks: each has a trigger that notes every change (a
# migration with kpis.migrations._watching.watch). Events and blocks change with the row of kpis_valuesversion.
WATCHED = frozenset(
    {
        "company_settings_companysettings",
        "kpis_calendarday",
        "kpis_calendarrule",
        "kpis_dealphase",
        "kpis_dimension",
        "kpis_dimensionmember",
        "kpis_factstream",
        "kpis_fiscalyear",
        "kpis_kpinode",
        "kpis_kpitree",
        "kpis_lockedcell",
        "kpis_manualentry",
        "kpis_metric",
        "kpis_metricsnapshot",
        "kpis_metricversion",
        "kpis_period",
        "kpis_person",
        "kpis_target",
        "kpis_team",
        "kpis_team_succeeds",
        "kpis_valuesversion",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of one version: its bytes, packed, a hash of them, and the moment from which it is not given again."""

    version: tuple[str, date]
    packed: bytes
    digest: str
    ends_at: datetime

    @property
    def body(self) -> bytes:
        return zlib.decompress(self.packed)


def values_version() -> str:
    """The version of the company's values, "" where they were never computed. One query."""
    version = ValuesVersion.objects.values_list("version", flat=True).first()
    return "" if version is None else str(version)


def shown_version() -> str:
    """What pages show changes with it: the version of the values, and the last change that no recompute follows."""
    return f"{values_version()}.{find(CHANGED_KEY) or ''}"


def answers_version() -> str:
    """Another one after every commit that changed anything in a watched table, and never one that was before.

    The sum does not depend on the order of commits, and since each number is drawn at random none comes back: not when
    a transaction that has seen its own changes is rolled back, nor when a company is restored from a backup. One query.
    """
    return str(ShownChange.objects.aggregate(total=Sum("number"))["total"] or 0)


def read_answer(asked: object, render: Callable[[], bytes], *, now: datetime) -> Answer:
    """What `render` gives, rendered once for each version of what is shown, day, language and `asked`.

    `asked` names all else that the answer depends on, and prints as the same text each time: what was asked for, and
    what the reader may see. The version is read before the answer, so that what is kept is never older than its
    version says; of each question the latest answer is kept. Without the cache it is rendered each time. One query
    where it is kept.
    """
    version = (answers_version(), timezone.localdate(now))
    question = hashlib.sha256(repr((_code(), get_language(), asked)).encode()).hexdigest()
    kept: Answer | None = find(f"answer:{question}")
    if kept is not None and kept.version == version and now < kept.ends_at:
        return kept
    body = render()
    answer = Answer(version, zlib.compress(body, level=1), hashlib.sha256(body).hexdigest(), shown_until(now))
    if len(answer.packed) <= LARGEST_ANSWER:
        keep(f"answer:{question}", answer, (answer.ends_at - now).total_seconds())
    return answer


def shown_until(now: datetime) -> datetime:
    """The moment from which an answer may say something else on the same day though nothing was written. One query.

    The one at which a source becomes late, and half an hour at most.
    """
    streams = FactStream.objects.values_list("last_success_at", "expected_every")
    late = [in_time_until(*stream) for stream in streams]
    return min([now + ANSWERS_KEPT_FOR, *(each for each in late if each is not None and each >= now)])


def read_kept(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query over facts and events alone, read once for each version of the values.

    The version is read before the rows, so that what is kept is never older than its version says. A company whose
    values were never computed keeps nothing.
    """
    version = values_version()
    asked = hashlib.sha256(repr((sql, sorted(params.items()))).encode()).hexdigest()
    key = f"rows:{version}:{asked}"
    rows: list[tuple[Any, ...]] | None = find(key) if version else None
    if rows is None:
        rows = read_rows(sql, params)
        if version:
            keep(key, rows, KEPT_FOR)
    return rows


def read_rows(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query, read each time: for those of which there may be very many."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


@cache
def _code() -> str:
    """What answers are computed by: another release of the product gives its own."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
