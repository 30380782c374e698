"""How fresh each source is."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kpis.engine.freshness import is_late
from kpis.models import FactStream
from tenants.registry import SourceTrouble, source_troubles


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
    trouble: SourceTrouble | None = None

    @property
    def title(self) -> str:
        """The name of what is in trouble, as people gave it; else the source's code."""
        return self.trouble.name if self.trouble else self.name

    @property
    def needs_attention(self) -> bool:
        """Whether it is late, or will be because it is not read any more."""
        return self.is_stale or bool(self.trouble and self.trouble.stopped_at)


def read_sources(*, now: datetime) -> list[Source]:
    """The sources in order of name; a source is stale as soon as one of its streams is later than expected."""
    streams: dict[str, list[FactStream]] = defaultdict(list)
    for stream in FactStream.objects.order_by("source", "fact"):
        streams[stream.source].append(stream)
    return [_source(name, rows, now) for name, rows in streams.items()]


def sources_to_attend(sources: Iterable[Source], *, user: Any, now: datetime) -> list[Source]:
    """What is late or not read any more, once for each connection in trouble, with what the reader may know of it."""
    troubles: dict[str, list[SourceTrouble]] = defaultdict(list)
    for trouble in source_troubles(user=user, now=now):
        troubles[trouble.source].append(trouble)
    told: list[Source] = []
    for source in sources:
        own = troubles.pop(source.name, [])
        told += [replace(source, trouble=trouble) for trouble in own] or [source]
    # Those that were stopped before they ever brought anything.
    silent = [Source(each.source, [], None, False, trouble=each) for rest in troubles.values() for each in rest]
    return [source for source in (*told, *silent) if source.needs_attention]


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
