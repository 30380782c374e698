"""What could not be imported and still is not: the records that a connection is missing, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection as database
from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from integrations.models import Connection, FieldMapping, RejectedRecord
from integrations.models.runs import reason_of

REASONS_SHOWN = 5
# One row for each field and kind of problem, with one of the problems as an example.
_REASONS = """
SELECT m.resource, problem->>'field', count(DISTINCT r.id), count(DISTINCT problem),
    (array_agg(problem ORDER BY r.id))[1]
FROM integrations_rejectedrecord r
JOIN integrations_fieldmapping m ON m.connection_id = r.connection_id AND m.stream = r.stream AND m.is_current
CROSS JOIN LATERAL jsonb_array_elements(r.problems) problem
WHERE r.connection_id = %s AND r.is_standing
GROUP BY m.resource, problem->>'field', problem->>'code', problem->>'template'
ORDER BY 3 DESC, 2
"""


@dataclass(frozen=True)
class Reason:
    """Why so many records are not imported; `is_example`: the sentence is that of one of them, others differ a little.

    `field` is of `resource`.
    """

    resource: str
    field: str
    count: int
    sentence: str
    is_example: bool


@dataclass(frozen=True)
class Standing:
    """What a connection is missing: how many rows, by mapping how many, and why, most frequent first.

    `other_reasons`: how many kinds of reasons there are besides.
    """

    count: int
    by_stream: Mapping[str, int]
    reasons: list[Reason]
    other_reasons: int


def standing_rejections(*, connection: Connection) -> QuerySet[RejectedRecord]:
    """The rows that are still not imported, the newest first: of what is mapped now, whichever import refused them."""
    return _standing().filter(connection=connection).select_related("run").order_by("-id")


def standing_of(*, connection: Connection) -> Standing:
    """What a connection is missing. Two queries, one where nothing is missing."""
    counted = _standing().filter(connection=connection).values("stream").annotate(count=Count("pk")).order_by("stream")
    by_stream = {each["stream"]: each["count"] for each in counted}
    reasons = _reasons(connection) if by_stream else []
    return Standing(sum(by_stream.values()), by_stream, reasons[:REASONS_SHOWN], max(len(reasons) - REASONS_SHOWN, 0))


def rejected_counts() -> dict[int, int]:
    """How many rows each connection is missing, by its key; one that misses none is left out."""
    counted = _standing().values("connection_id").annotate(count=Count("pk")).order_by()
    return dict(counted.values_list("connection_id", "count"))


def with_rejected_count(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Each connection with `rejected_count`, how many rows it is missing."""
    missing = _standing().filter(connection=OuterRef("pk")).order_by().values("connection")
    counted = Subquery(missing.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
    return connections.annotate(rejected_count=Coalesce(counted, 0))


def _standing() -> QuerySet[RejectedRecord]:
    mapped = FieldMapping.objects.filter(connection=OuterRef("connection"), stream=OuterRef("stream"), is_current=True)
    return RejectedRecord.objects.filter(Exists(mapped), is_standing=True)


def _reasons(connection: Connection) -> list[Reason]:
    with database.cursor() as cursor:
        cursor.execute(_REASONS, [connection.pk])
        rows = cursor.fetchall()
    return [_reason(*row) for row in rows]


def _reason(resource: str, field: str | None, count: int, distinct: int, problem: Any) -> Reason:
    example = json.loads(problem) if isinstance(problem, str) else problem
    return Reason(resource, field or "", count, reason_of(example), distinct > 1)
