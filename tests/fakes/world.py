"""What is true at a source: records with their changes, deletions and merges, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)


@dataclass
class Thing:
    """One record as the source keeps it; one that is deleted or merged away stays, marked."""

    id: str
    values: dict[str, Any]
    updated_at: datetime
    is_deleted: bool = False
    merged_into: str = ""


@dataclass
class World:
    """The records of one stream, oldest first. `resolution` is how exactly the source remembers a change."""

    resolution: timedelta = timedelta(microseconds=1)
    now: datetime = START
    things: dict[str, Thing] = field(default_factory=dict)

    def tick(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def put(self, id: str, *, at: datetime | None = None, **values: Any) -> None:
        """Create a record, or change some of its fields, now or (a late commit, a wrong clock) at another time."""
        old = self.things.get(id)
        kept = {**(old.values if old else {}), **values}
        self.things[id] = Thing(id, kept, self._stamp(at or self.now))

    def delete(self, id: str) -> None:
        thing = self.things[id]
        thing.is_deleted, thing.updated_at = True, self._stamp(self.now)

    def merge(self, loser: str, winner: str) -> None:
        self.delete(loser)
        self.things[loser].merged_into = winner
        self.things[winner].updated_at = self._stamp(self.now)

    def alive(self) -> dict[str, Mapping[str, Any]]:
        """What a complete copy holds."""
        return {thing.id: thing.values for thing in self.things.values() if not thing.is_deleted}

    def __iter__(self) -> Iterator[Thing]:
        return iter(list(self.things.values()))

    def _stamp(self, moment: datetime) -> datetime:
        seconds = self.resolution.total_seconds()
        return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC) if seconds >= 1 else moment


Hook = Callable[[], None]
