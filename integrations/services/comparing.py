"""Comparing a connection with its source, stream by stream: what is missing is fetched, what is gone is withdrawn.

Increments tell what has changed; this finds what they never told. Nothing is withdrawn on the word of a list alone:
every record that seems to be gone is asked for by itself, and where there are many of them a person is asked first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.choices import RunKind, RunState, Trigger
from integrations.connectors.base import Connector
from integrations.connectors.changes import is_own_id
from integrations.connectors.comparison import Comparison, is_called_alike
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.models import Connection, RawRecord, SyncRun
from integrations.selectors.plans import company_zone
from integrations.services.listing import compare_listed, forget_listed, keep_listed
from integrations.services.notified import forget_old_events
from integrations.services.refetching import AT_ONCE, Refetching
from integrations.services.runs import Outcome, request_run
from integrations.services.sources import opened_source
from integrations.services.storing import Chunk, Clock, Storing

SAMPLE = 20
LISTED_AT_ONCE = 5_000
KEEP_SECONDS = 5.0
COUNTS = ("listed", "known", "missing", "surplus", "fetched", "withdrawn", "held")


def request_comparison(
    *, connection: Connection, allowed: Mapping[str, int] | None = None, trigger: str, actor: Any, now: datetime
) -> SyncRun:
    """Have the connection compared with its source.

    `allowed`: by stream, how many records a person has agreed to see withdrawn. None: only what is beyond doubt.
    """
    run = request_run(connection=connection, kind=RunKind.COMPARE, trigger=trigger, actor=actor, now=now)
    if allowed:
        SyncRun.objects.filter(pk=run.pk, state=RunState.QUEUED).update(report={"allowed": dict(allowed)})
    return run


def compare_with_source(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Compare every mapped stream; None when the time was over before the end. A list goes on where it stopped.

    On schedule a stream that is read only by hand is left out.

    Raises ConnectorError for what stops all streams, LostRunError.
    """
    with opened_source(run.connection) as connector:
        comparing = _Comparing(run, connector, Storing(run, clock, owner), clock)
        for stream in comparing.streams_left():
            if not comparing.compare(stream, until) or (time.monotonic() >= until and comparing.streams_left()):
                return None
    forget_old_events(connection=run.connection, now=clock.now())
    is_partial = any(each["problem"] or each["held"] for each in comparing.found.values())
    return Outcome(frozenset(), comparing.report, is_partial=is_partial)


class _Comparing:
    """The streams of one comparison; what was found so far is kept in the run's report."""

    def __init__(self, run: SyncRun, connector: Connector, storing: Storing, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._connector = connector
        self._storing = storing
        self._fetching = Refetching(run, connector, storing)
        self._allowed: Mapping[str, int] = run.report.get("allowed", {})
        self.found: dict[str, dict[str, Any]] = dict(run.report.get("comparison", {}))

    @property
    def report(self) -> dict[str, Any]:
        return {"allowed": dict(self._allowed), "comparison": self.found}

    def streams_left(self) -> list[str]:
        known = {each.name for each in self._connector.streams()}
        left = [name for name in self._fetching.mappings if name in known]
        if self._run.trigger == Trigger.SCHEDULE:
            left = [name for name in left if self._run.connection.rhythm_of(name) is not None]
        return [name for name in left if not self.found.get(name, {}).get("done")]

    def compare(self, stream: str, until: float) -> bool:
        """Whether there was time for it, from the place where the list stopped the last time.

        Raises ConnectorError only for what concerns every stream; another is noted with its stream.
        """
        found: dict[str, Any] = {
            **dict.fromkeys(COUNTS, 0),
            "problem": None,
            "behind": {},
            **self.found.get(stream, {}),
        }
        try:
            if not self._listed(stream, found, until):
                return False
            self._mend(stream, self._compared(stream), found)
        except ConnectorError as error:
            if error.kind == "auth" or error.wait is not None:
                raise
            found["problem"] = {"code": error.code, "params": dict(error.params)}
        forget_listed(run=self._run, stream=stream)
        self._note(stream, found, done=True)
        return True

    def _listed(self, stream: str, found: dict[str, Any], until: float) -> bool:
        """Keep the ids that the source lists; False when the time was over before the end of the list."""
        if found["behind"] is None:
            return True
        waiting: list[str] = []
        began = time.monotonic()
        for part in self._connector.ids(stream, found["behind"]):
            waiting += part.ids
            now = time.monotonic()
            if part.resume is None or len(waiting) >= LISTED_AT_ONCE or now - began >= KEEP_SECONDS or now >= until:
                found["behind"] = part.resume
                self._keep(stream, waiting, found)
                waiting, began = [], now
            if part.resume is not None and now >= until:
                return False
        return True

    @transaction.atomic
    def _keep(self, stream: str, ids: Sequence[str], found: Mapping[str, Any]) -> None:
        """Some listed ids, and where the list goes on behind them; the run stays this worker's."""
        keep_listed(run=self._run, stream=stream, ids=ids)
        self.found[stream] = {**found, "done": False}
        self._storing.store(Chunk([], {}, {}, counted=0, more={"report": self.report}))

    def _compared(self, stream: str) -> Comparison:
        resources = [mapping.resource for mapping in self._mappings_called_alike(stream)]
        return compare_listed(run=self._run, stream=stream, resources=resources)

    def _mend(self, stream: str, comparison: Comparison, found: dict[str, Any]) -> None:
        found |= {"listed": comparison.listed_count, "known": comparison.known_count}
        found |= {name: max(found[name], len(getattr(comparison, name))) for name in ("missing", "surplus")}
        is_held = not comparison.may_withdraw(self._allowed.get(stream, 0))
        found["held"] = len(comparison.surplus) if is_held else 0
        doubtful: frozenset[str] = frozenset() if is_held else comparison.surplus
        ids = sorted(comparison.missing | doubtful)
        at_once = AT_ONCE if self._connector.stream(stream).reads_by_id else max(len(ids), 1)
        for start in range(0, len(ids), at_once):
            self._fetch(stream, ids[start : start + at_once], doubtful, found)
            self._note(stream, found, done=False)

    def _fetch(self, stream: str, ids: Sequence[str], doubtful: frozenset[str], found: dict[str, Any]) -> None:
        """What the source says of each one counts: one that is missing is not withdrawn, one that is there stays."""
        records = self._fetching.read(stream, ids)
        gone = [each for each in records if each.is_gone and each.external_id in doubtful]
        living = [each for each in records if not each.is_gone]
        self._fetching.store(stream, [*living, *gone], now=self._clock.now())
        found["fetched"] += len([each for each in living if each.external_id not in doubtful])
        found["withdrawn"] += len(gone)

    def _mappings_called_alike(self, stream: str) -> list[StreamMapping]:
        raw = RawRecord.objects.filter(connection_id=self._run.connection_id, stream=stream).exclude(payload=None)
        last = raw.order_by("-id").values_list("external_id", "payload")[:SAMPLE]
        sample = {external_id: payload for external_id, payload in last if payload}
        own = [each for each in self._fetching.mappings[stream] if not each.each and is_own_id(each)]
        return [each for each in own if is_called_alike(each, sample, company_zone())]

    def _note(self, stream: str, found: dict[str, Any], *, done: bool) -> None:
        self.found[stream] = {**found, "done": done}
        SyncRun.objects.filter(pk=self._run.pk, state=RunState.RUNNING).update(report=self.report)
