"""Connections with their health, for pages, API, checklist and console."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import CharField, Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast
from django.utils.translation import ngettext

from integrations.choices import (
    DELIVERED,
    DUE_CONNECTION,
    ENDED,
    UNDER_WAY,
    ConnectionKind,
    Health,
    RunKind,
    RunState,
    describe_problem,
)
from integrations.connectors.mapping import StreamMapping, Tally
from integrations.models import Checkpoint, Connection, RawRecord, SyncRun
from integrations.selectors.plans import current_mappings
from integrations.selectors.rejections import rejected_counts
from kpis.engine.freshness import is_late
from kpis.selectors.sources import Source, read_sources
from tenants.models import DueSync

# From here on the calls that are left may not last for everybody who needs them.
SHORT_PERCENT = 80


@dataclass(frozen=True)
class ConnectionState:
    """One connection as it stands: its health, what is under way, and the last run that ended."""

    connection: Connection
    health: Health
    under_way: SyncRun | None
    last_ended: SyncRun | None
    rejected_count: int
    """How many rows are still not imported."""

    @property
    def tone(self) -> str:
        """The colour of the health, as the status components know it."""
        tones = {Health.HEALTHY: "good", Health.INCOMPLETE: "warn", Health.LATE: "warn", Health.FAILING: "bad"}
        return tones.get(self.health, "none")

    @property
    def word(self) -> str:
        """The health in the reader's language, with how many records are missing where that is what is wrong."""
        if self.health != Health.INCOMPLETE:
            return str(self.health.label)
        text = ngettext("%(number)s record not imported", "%(number)s records not imported", self.rejected_count)
        return text % {"number": intcomma(self.rejected_count)}


@dataclass(frozen=True)
class StreamState:
    """One mapping as it stands.

    `every`: how often it is due; None = only by hand. `reached`: changes up to then have been read; None before the
    first load has come to its end, and for a stream that is read whole every time. `known` is how many records its
    stream has given, `rejected` how many rows of it are still not imported, `report` what the last import that asked
    for it saw; None before there was one.
    """

    mapping: StreamMapping
    every: timedelta | None
    reached: datetime | None
    known: int
    rejected: int
    report: Mapping[str, Any] | None

    @property
    def problem(self) -> str:
        """Why the stream could not be read the last time, in the reader's language; '' when it could."""
        problem = self.report.get("problem") if self.report else None
        return describe_problem(problem["code"], problem["params"]) if problem else ""

    @property
    def unmapped(self) -> dict[str, dict[str, int]]:
        """The words of each field that the last import could not understand, and how often they came."""
        found: dict[str, dict[str, int]] = {}
        for each in self.report["unmapped"] if self.report else ():
            found.setdefault(each["field"], {})[each["value"]] = each["count"]
        return found

    @property
    def unmapped_count(self) -> int:
        """How many values the last import left aside because their word has no meaning yet."""
        return sum(each["count"] for each in self.report["unmapped"]) if self.report else 0


@dataclass(frozen=True)
class Quota:
    """Of how many calls that the source allows how many were used at a moment, by us and whoever else calls it."""

    used: int
    limit: int
    at: datetime

    @property
    def percent(self) -> int:
        return round(100 * self.used / self.limit) if self.limit else 100

    @property
    def is_short(self) -> bool:
        return self.percent >= SHORT_PERCENT


@dataclass(frozen=True)
class Speed:
    """Records in a second, and the minutes that are left; None where it is not known of every stream how much comes."""

    per_second: int
    minutes_left: int | None


def connection_states(*, now: datetime) -> list[ConnectionState]:
    """Every connection by name. Four queries."""
    connections = list(Connection.objects.order_by("name"))
    imports = SyncRun.objects.filter(kind=RunKind.SYNC)
    running = _latest(imports.filter(state__in=UNDER_WAY))
    ended = _latest(imports.filter(state__in=ENDED))
    rejected = rejected_counts()
    return [
        _state(each, running.get(each.pk), ended.get(each.pk), rejected.get(each.pk, 0), now) for each in connections
    ]


def pushed_sources(*, now: datetime) -> list[Source]:
    """The sources that no connection reads: they send their data themselves. Two queries."""
    read = set(Connection.objects.values_list("source", flat=True))
    return [each for each in read_sources(now=now) if each.name not in read]


def connection_state(*, connection: Connection, rejected_count: int, now: datetime) -> ConnectionState:
    """As `connection_states`, for one of which so many rows are still not imported."""
    runs = SyncRun.objects.filter(connection=connection, kind=RunKind.SYNC)
    running = _latest(runs.filter(state__in=UNDER_WAY)).get(connection.pk)
    ended = _latest(runs.filter(state__in=ENDED)).get(connection.pk)
    return _state(connection, running, ended, rejected_count, now)


def health_of(*, connection: Connection, now: datetime, rejected_count: int = 0) -> Health:
    """Whether what was promised arrives: paused, failing, nothing yet, late, with rows missing, or up to date."""
    if connection.is_paused:
        return Health.PAUSED
    if connection.failure_count:
        return Health.FAILING
    if connection.last_success_at is None:
        return Health.EMPTY
    if is_late(connection.last_success_at, connection.promised_every, now=now):
        return Health.LATE
    return Health.INCOMPLETE if rejected_count else Health.HEALTHY


def with_problems(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Each connection with what ended its last import, for `problem_of`, and with `next_run_at`."""
    imports = SyncRun.objects.filter(kind=RunKind.SYNC, connection=OuterRef("pk"))
    ended = imports.filter(state__in=ENDED).order_by("-id")
    due = DueSync.objects.filter(kind=DUE_CONNECTION, object_id=Cast(OuterRef("public_id"), CharField()))
    return connections.annotate(
        ended_by=Subquery(ended.values("problem_code")[:1]),
        ended_params=Subquery(ended.values("problem_params")[:1]),
        next_run_at=Subquery(due.values("next_run_at")[:1]),
    )


def next_run_at(*, connection: Connection) -> datetime | None:
    """When the source is asked, or the folder looked at, next; None when it is not on schedule."""
    due = DueSync.objects.filter(kind=DUE_CONNECTION, object_id=str(connection.public_id))
    return due.values_list("next_run_at", flat=True).first()


def problem_of(connection: Connection) -> str:
    """Why the last import of a connection of `with_problems` failed, in the reader's language; '' when it did not."""
    code = getattr(connection, "ended_by", "")
    return describe_problem(code, connection.ended_params) if code else ""  # type: ignore[attr-defined]


def stream_states(*, connection: Connection, rejected: Mapping[str, int] = MappingProxyType({})) -> list[StreamState]:
    """Every mapping in force with where its stream stands and what the last import saw of it. Four queries.

    `rejected`: by mapping how many rows are still not imported.
    """
    cursors = dict(Checkpoint.objects.filter(connection=connection).values_list("stream", "cursor"))
    counted = RawRecord.objects.filter(connection=connection).values("stream").annotate(count=Count("pk"))
    known = {each["stream"]: each["count"] for each in counted}
    imports = SyncRun.objects.filter(connection=connection, kind=RunKind.SYNC)
    last = imports.filter(state__in=DELIVERED).order_by("-id").first()
    reports = {each["stream"]: each for each in (last.report.get("streams", []) if last else [])}
    return [
        StreamState(
            mapping,
            connection.rhythm_of(mapping.reads),
            _reached(cursors.get(mapping.reads)),
            known.get(mapping.reads, 0),
            rejected.get(mapping.stream, 0),
            reports.get(mapping.stream) or _noted(cursors.get(mapping.reads), mapping.stream),
        )
        for mapping in current_mappings(connection=connection)
    ]


def streams_read(*, connection: Connection) -> list[str]:
    """The streams of a source that are mapped, each once in the order in which they are read; none of files."""
    if connection.kind == ConnectionKind.FILE:
        return []
    return list(dict.fromkeys(mapping.reads for mapping in current_mappings(connection=connection)))


def speed_of(*, run: SyncRun, now: datetime) -> Speed | None:
    """How fast a run reads; None before there is anything to tell it by."""
    if run.state != RunState.RUNNING or run.started_at is None or not run.progress_done:
        return None
    seconds = (now - run.started_at).total_seconds()
    if seconds <= 0:
        return None
    rate = run.progress_done / seconds
    left = run.progress_total - run.progress_done
    return Speed(round(rate), math.ceil(left / rate / 60) if left > 0 else None)


def quota_of(*, connection: Connection) -> Quota | None:
    """What the source said last of its limit; None where it says nothing of it. No query."""
    said = connection.quota
    return Quota(said["used"], said["limit"], datetime.fromisoformat(said["at"])) if said else None


def worst_health(healths: Sequence[Health]) -> Health | None:
    """What one word says of all connections that are not paused; None where there is none."""
    order = (Health.FAILING, Health.LATE, Health.EMPTY, Health.HEALTHY)
    return next((each for each in order if each in healths), None)


def _state(
    connection: Connection, under_way: SyncRun | None, last_ended: SyncRun | None, rejected_count: int, now: datetime
) -> ConnectionState:
    health = health_of(connection=connection, now=now, rejected_count=rejected_count)
    return ConnectionState(connection, health, under_way, last_ended, rejected_count)


def _reached(cursor: Mapping[str, Any] | None) -> datetime | None:
    since = (cursor or {}).get("position", {}).get("since")
    return datetime.fromisoformat(since) if since else None


def _noted(cursor: Mapping[str, Any] | None, mapping: str) -> dict[str, Any] | None:
    """What was seen of a stream by the import that read it last, where the last import of all did not ask for it."""
    found, problem = (cursor or {}).get("tallies", {}).get(mapping), (cursor or {}).get("problem")
    return {**(found or Tally().as_report()), "problem": problem} if found or problem else None


def _latest(runs: QuerySet[SyncRun]) -> dict[int, SyncRun]:
    newest = runs.order_by("connection_id", "-id").distinct("connection_id")
    return {run.connection_id: run for run in newest}
