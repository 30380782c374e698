"""Storing a delivery of files: look at everything first, then store it chunk by chunk.

Every file is opened, decoded and checked and every row decided before the first record is stored: a file that is
broken anywhere changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from integrations.connectors.mapping import Accepted, Refused, Tally
from integrations.models import Checkpoint, SourceFile, SyncRun
from integrations.selectors.plans import Delivery, Plan, read_plan
from integrations.selectors.references import unresolved_references
from integrations.services import storing
from integrations.services.ahead import ahead
from integrations.services.landing import Said
from integrations.services.runs import Outcome
from integrations.services.storing import Chunk, Clock, Part, Storing
from kpis.engine.records import ID_LENGTH, is_storable


def store_delivery(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Store the files of a run's upload; None when the time was over before the end.

    Raises ConnectorError for what is broken, LostRunError.
    """
    plan = read_plan(upload=run.upload, connection=run.connection)
    keeper = Storing(run, clock, owner)
    _begin(run, plan)
    for delivery in plan.deliveries:
        done = _done(run, delivery)
        decisions = islice(delivery.decisions(Tally()), done, None)
        with closing(ahead(_pieces(delivery, keeper, decisions))) as pieces:
            for piece in pieces:
                done += piece.count
                keeper.store(_chunk(run, delivery, piece, done))
                if time.monotonic() >= until and not _is_last(plan, delivery, done):
                    return None
    resources = frozenset(each.mapping.resource for each in plan.deliveries)
    return Outcome(resources, _report(run, plan, resources))


def _begin(run: SyncRun, plan: Plan) -> None:
    for each in plan.deliveries:
        SourceFile.objects.filter(pk=each.file.pk).update(encoding=each.table.encoding)
    read = sum(each.tally.read for each in plan.deliveries)
    before = dict(Checkpoint.objects.filter(connection_id=run.connection_id).values_list("stream", "cursor"))
    started = SyncRun.objects.filter(pk=run.pk, progress_total=0)
    started.update(progress_total=plan.total, read_count=read, cursor_before=before)


def _done(run: SyncRun, delivery: Delivery) -> int:
    """How many decisions of this delivery the run has stored already."""
    return int(_files_done(run, delivery).get(delivery.file.name, 0))


def _files_done(run: SyncRun, delivery: Delivery) -> Mapping[str, int]:
    saved = Checkpoint.objects.filter(
        connection_id=run.connection_id, stream=delivery.mapping.stream, cursor__run=run.pk
    ).first()
    return saved.cursor["files"] if saved is not None else {}


def _is_last(plan: Plan, delivery: Delivery, done: int) -> bool:
    return delivery is plan.deliveries[-1] and done >= delivery.tally.accepted + delivery.tally.refused


@dataclass(frozen=True)
class _Piece:
    """Rows that are stored together: how many, what they become, and what they said."""

    count: int
    part: Part
    said: Mapping[str, Said]


def _pieces(delivery: Delivery, keeper: Storing, decisions: Iterator[Accepted | Refused]) -> Iterator[_Piece]:
    while decided := list(islice(decisions, storing.CHUNK_RECORDS)):
        said = {_id_of(each): each.row.as_text for each in decided}
        yield _Piece(
            len(decided),
            keeper.part(delivery.mapping, decided, delivery.file.name),
            keeper.heard(((each, cells) for each, cells in said.items() if each), [delivery.mapping]),
        )


def _chunk(run: SyncRun, delivery: Delivery, piece: _Piece, done: int) -> Chunk:
    stream = delivery.mapping.stream
    files = {**_files_done(run, delivery), delivery.file.name: done}
    return Chunk(
        parts=[piece.part],
        raw={stream: piece.said},
        checkpoints={stream: {"run": run.pk, "files": files, "sha256": delivery.file.sha256}},
        counted=piece.count,
    )


def _id_of(decision: Accepted | Refused) -> str:
    """The id by which a row is kept; '' where it has none that can be."""
    external_id = str(decision.record["external_id"]) if isinstance(decision, Accepted) else decision.external_id
    return external_id if len(external_id) <= ID_LENGTH and is_storable(external_id) else ""


def _report(run: SyncRun, plan: Plan, resources: frozenset[str]) -> dict[str, Any]:
    """What was seen, for people: blanks, words translated or unknown, references that dangle, files left aside."""
    streams = [
        {
            "stream": each.mapping.stream,
            "resource": each.mapping.resource,
            "file": each.file.name,
            "encoding": each.table.encoding,
            **each.tally.as_report(),
        }
        for each in plan.deliveries
    ]
    unresolved = unresolved_references(source=run.connection.source, resources=resources)
    return {"streams": streams, "unresolved": unresolved, "ignored": list(plan.ignored)}
