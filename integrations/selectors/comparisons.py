"""What the last comparison of a connection with its source found."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from integrations.choices import ENDED, RunKind, describe_problem
from integrations.models import Connection, SyncRun


@dataclass(frozen=True)
class StreamComparison:
    """One stream of a comparison, in numbers of records.

    `listed`: at the source; `known`: here before; `held`: withdrawn only after a person has agreed. `problem`: why it
    could not be compared, in the reader's language; '' when it could.
    """

    stream: str
    listed: int
    known: int
    missing: int
    surplus: int
    fetched: int
    withdrawn: int
    held: int
    problem: str

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.surplus or self.problem)


@dataclass(frozen=True)
class LastComparison:
    """The last comparison that ended, and its streams."""

    run: SyncRun
    streams: tuple[StreamComparison, ...]

    @property
    def held(self) -> tuple[StreamComparison, ...]:
        return tuple(each for each in self.streams if each.held)


def last_comparison(*, connection: Connection) -> LastComparison | None:
    """None before the first one has ended. One query."""
    runs = SyncRun.objects.filter(connection=connection, kind=RunKind.COMPARE, state__in=ENDED)
    run = runs.order_by("-id").first()
    return None if run is None else LastComparison(run, streams_of(run))


def streams_of(run: SyncRun) -> tuple[StreamComparison, ...]:
    """What a comparison found, stream by stream; nothing for a run of another kind."""
    names = ("listed", "known", "missing", "surplus", "fetched", "withdrawn", "held")
    return tuple(
        StreamComparison(
            stream=stream,
            **{name: found[name] for name in names},
            problem=describe_problem(**found["problem"]) if found["problem"] else "",
        )
        for stream, found in run.report.get("comparison", {}).items()
    )


def held_back(*, connection: Connection, run: str | UUID) -> dict[str, int]:
    """By stream, how many records the comparison with this id held back; nothing where it is not the last one."""
    last = last_comparison(connection=connection)
    try:
        wanted = UUID(str(run))
    except ValueError:
        return {}
    if last is None or last.run.public_id != wanted:
        return {}
    return {each.stream: each.held for each in last.held}
