"""Which streams of a source are due: each at its own rhythm, or at that of its connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.choices import ConnectionKind
from integrations.models import Checkpoint, Connection, FieldMapping, SyncRun

# A stream that could not be read does not wait a week or a month for the next attempt.
TRY_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class StreamDue:
    """One stream of a source that is read on schedule: how often, and from when on it is due."""

    stream: str
    every: timedelta
    at: datetime


def soonest(*, connection: Connection) -> timedelta | None:
    """The shortest rhythm among what is mapped; None where nothing is, or all of it is read only by hand."""
    return min((every for every in _rhythms(connection).values() if every is not None), default=None)


def resource_rhythms(*, connection: Connection) -> dict[str, timedelta | None]:
    """How often each resource is due: as often as the stream that brings it soonest; None = only by hand."""
    found: dict[str, timedelta | None] = {}
    for stream, resource in _mapped(connection):
        every, known = _rhythm(connection, stream), found.get(resource)
        found[resource] = min(every, known) if every is not None and known is not None else every or known
    return found


def due_streams(*, connection: Connection, now: datetime) -> list[str] | None:
    """The streams to be read now; empty where that is all of them, None where it is none.

    What is due before half of the shortest rhythm is over is read along: two runs right after each other would ask
    for the same things twice.
    """
    rhythms = _rhythms(connection)
    due = [each.stream for each in _taken(_dues(connection, rhythms, now), connection, now)]
    if not due:
        return None
    return [] if len(due) == len(rhythms) else due


def next_due(*, connection: Connection, now: datetime) -> datetime | None:
    """When a stream is due next after what is due now has been read; None where all are read only by hand."""
    dues = _dues(connection, _rhythms(connection), now)
    taken = {each.stream for each in _taken(dues, connection, now)}
    return min((now + each.every if each.stream in taken else each.at for each in dues), default=None)


def note_read(*, run: SyncRun, at: datetime | None) -> None:
    """Note when a run has read its streams; with None they are due still."""
    positions = Checkpoint.objects.filter(connection_id=run.connection_id)
    (positions.filter(stream__in=run.streams) if run.streams else positions).update(read_at=at)


def has_troubled_stream(*, connection: Connection) -> bool:
    """Whether a stream that is read on schedule could not be read the last time it was asked for."""
    scheduled = [stream for stream, every in _rhythms(connection).items() if every is not None]
    problems = Checkpoint.objects.filter(connection=connection, stream__in=scheduled)
    return any(problems.values_list("cursor__problem", flat=True))


def _taken(dues: Sequence[StreamDue], connection: Connection, now: datetime) -> list[StreamDue]:
    if connection.last_run_at is None:
        return list(dues)
    along = now + min((each.every for each in dues), default=timedelta()) / 2
    is_any_due = any(each.at <= now for each in dues)
    return [each for each in dues if each.at <= along] if is_any_due else []


def _dues(connection: Connection, rhythms: dict[str, timedelta | None], now: datetime) -> list[StreamDue]:
    checkpoints = Checkpoint.objects.filter(connection=connection).exclude(read_at=None)
    noted = checkpoints.values_list("stream", "read_at", "cursor__problem")
    read = {stream: (at, problem) for stream, at, problem in noted}
    dues = []
    for stream, every in rhythms.items():
        if every is None:
            continue
        at, problem = read.get(stream, (None, None))
        pause = min(every, TRY_AGAIN_AFTER) if problem else every
        dues.append(StreamDue(stream, every, now if at is None else at + pause))
    return dues


def _rhythms(connection: Connection) -> dict[str, timedelta | None]:
    return {stream: _rhythm(connection, stream) for stream, _resource in _mapped(connection)}


def _rhythm(connection: Connection, stream: str) -> timedelta | None:
    # Files come together, whatever they hold.
    return connection.every if connection.kind == ConnectionKind.FILE else connection.rhythm_of(stream)


def _mapped(connection: Connection) -> list[tuple[str, str]]:
    mappings = FieldMapping.objects.filter(connection=connection, is_current=True).order_by("position", "stream")
    return list(mappings.values_list("reads", "resource"))
