"""What is kept of what a source said, and how far a mapping can be applied to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from integrations.choices import ConnectionKind
from integrations.connectors.base import Record
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.records import rows_of
from integrations.models import Checkpoint, Connection, RawRecord

SAMPLE = 50


@dataclass(frozen=True, slots=True)
class Kept:
    """The records of a connection that can be mapped again: how many, received since when, and how many cannot.

    `since` is None where there are none. `lost` were received too long ago, or while nothing was kept.
    """

    count: int
    since: datetime | None
    lost: int


def kept_by(*, connection: Connection) -> Kept:
    """What of a connection can be mapped again. One query."""
    is_kept = Q(payload__isnull=False, is_gone=False) & ~Q(digest="")
    told = RawRecord.objects.filter(connection=connection, is_gone=False).aggregate(
        count=Count("pk", filter=is_kept), since=Min("received_at", filter=is_kept), all=Count("pk")
    )
    return Kept(told["count"], told["since"], told["all"] - told["count"])


def mappable(*, connection: Connection, stream: str) -> QuerySet[RawRecord]:
    """The records of a stream that are kept and have not been deleted at the source."""
    kept = RawRecord.objects.filter(connection=connection, stream=stream, is_gone=False)
    return kept.exclude(payload=None).exclude(digest="")


def kept_as(connection: Connection, mapping: StreamMapping) -> str:
    """Under which name the records that a mapping reads are kept: the source's stream, of files the mapping."""
    return mapping.stream if connection.kind == ConnectionKind.FILE else mapping.reads


def covers(*, connection: Connection, mapping: StreamMapping, asked: Sequence[str]) -> bool:
    """Whether what is kept is enough to apply a mapping to everything that was read, without asking the source.

    `asked` are the columns that the source was asked for up to now: one that was not, and is not there either, has to
    be fetched.
    """
    stream = kept_as(connection, mapping)
    read = Checkpoint.objects.filter(connection=connection, stream=stream).first()
    if read is None or "resume" in read.cursor.get("position", {}):
        return False
    living = RawRecord.objects.filter(connection=connection, stream=stream, is_gone=False)
    if living.filter(digest="").exists():
        return False
    missing = [column for column in mapping.columns if column not in asked]
    if not missing:
        return living.exists()
    sample = mappable(connection=connection, stream=stream).values_list("external_id", "payload")[:SAMPLE]
    rows = rows_of(mapping, [Record(external_id, payload or {}) for external_id, payload in sample])
    there = {column for row in rows for column in row.cells}
    return there.issuperset(missing)
