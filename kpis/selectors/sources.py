"""How fresh each source is."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from kpis.engine.freshness import is_late
from kpis.models import FactStream


@dataclass(frozen=True)
class Source:
    """One source and the facts it delivers; `last_success_at` is its oldest stream's, None where one never came.

    `expected_every` is the shortest rhythm of its streams, None where none has one.
    """

    name: str
    facts: list[str]
    last_success_at: datetime | None
    is_stale: bool
    expected_every: timedelta | None = None


def read_sources(*, now: datetime) -> list[Source]:
    """The sources in order of name; a source is stale as soon as one of its streams is later than expected."""
    streams: dict[str, list[FactStream]] = defaultdict(list)
    for stream in FactStream.objects.order_by("source", "fact"):
        streams[stream.source].append(stream)
    return [_source(name, rows, now) for name, rows in streams.items()]


def _source(name: str, streams: list[FactStream], now: datetime) -> Source:
    moments = [stream.last_success_at for stream in streams]
    known = [moment for moment in moments if moment is not None]
    return Source(
        name=name,
        facts=[stream.fact for stream in streams],
        last_success_at=min(known) if len(known) == len(moments) else None,
        is_stale=any(is_late(each.last_success_at, each.expected_every, now=now) for each in streams),
        expected_every=min((each.expected_every for each in streams if each.expected_every), default=None),
    )
