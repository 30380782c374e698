"""Whether data is fresh and the cycle turns, as the API tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from kpis.engine.freshness import is_late
from kpis.models import FactStream
from tenants.registry import checklist, health_signals


@dataclass(frozen=True, slots=True)
class StreamState:
    """What one source has delivered of one kind of fact, and whether it should have delivered since."""

    source: str
    fact: str
    covered_from: date | None
    last_success_at: datetime | None
    expected_every: timedelta | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Fields as in the API: `status` is late as soon as one stream is."""

    status: str
    generated_at: datetime
    streams: list[StreamState]
    signals: dict[str, Any]


def read_health(*, now: datetime) -> Health:
    """The streams with their lateness, and the signals that other floors report."""
    streams = [_state(stream, now) for stream in FactStream.objects.order_by("source", "fact")]
    signals = {signal.code: signal.read(now) for signal in health_signals}
    return Health("late" if any(stream.is_late for stream in streams) else "ok", now, streams, signals)


def _state(stream: FactStream, now: datetime) -> StreamState:
    """A stream without expectation is never late."""
    since, every = stream.last_success_at, stream.expected_every
    late = is_late(since, every, now=now)
    return StreamState(stream.source, stream.fact, stream.covered_from, since, every, late)


def read_checklist(*, today: date) -> Iterator[dict[str, Any]]:
    """The registered items in order, each with its state as found on this day."""
    for item in checklist:
        state = item.check(today)
        yield {
            "number": item.number,
            "stage": item.stage,
            "title": item.title,
            "status": state.status,
            "evidence": state.evidence,
            "evidence_url": state.evidence_url,
            "next_step": state.next_step,
            "next_step_url": state.next_step_url,
        }
