"""Storing a delivery of files: look at everything first, then decide and store it chunk by chunk.

Every file is opened, decoded and checked to its last row before the first record is stored: a file that is broken
anywhere changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from integrations.connectors.mapping import Accepted, Decisions, Refused, Tally
from integrations.models import Checkpoint, SourceFile, SyncRun
from integrations.selectors.plans import Delivery, Plan, read_plan
from integrations.selectors.references import unresolved_references
from integrations.services.ahead import ahead
from integrations.services.landing import Said
from integrations.services.runs import Outcome
from integrations.services.storing import Chunk, Clock, Part, Storing
from kpis.engine.records import ID_LENGTH, is_storable

# Fewer than of a source that is called: beside them all of the file is in memory.
PIECE_RECORDS = 2_000


def store_delivery(run: SyncRun, *, owner: str, clock: Clock, until: float) -> Outcome | None:
    """Store the files of a run's upload; None when the time was over before the end.

    Raises ConnectorError for what is broken, LostRunError.
    """
    plan = read_plan(upload=run.upload, connection=run.connection)
    keeper = Storing(run, clock, owner)
    _begin(run, plan)
    tallies = [Tally() for _ in plan.deliveries]
    for delivery, tally in zip(plan.deliveries, tallies, strict=True):
        done = _done(run, delivery)
        with closing(ahead(_pieces(delivery, keeper, tally, done))) as pieces:
            for piece in pieces:
                done += piece.count
                keeper.store(_chunk(run, delivery, piece, done))
                if time.monotonic() >= until and not (piece.is_last and delivery is plan.deliveries[-1]):
                    return None
    resources = frozenset(each.mapping.resource for each in plan.deliveries)
    return Outcome(resources, _report(run, plan, tallies, resources))


def _begin(run: SyncRun, plan: Plan) -> None:
    for each in plan.deliveries:
        SourceFile.objects.filter(pk=each.file.pk).update(
            encoding=each.table.encoding, headings=list(each.table.headings)
        )
    before = dict(Checkpoint.objects.filter(connection_id=run.connection_id).values_list("stream", "cursor"))
    started = SyncRun.objects.filter(pk=run.pk, progress_total=0)
    started.update(progress_total=plan.total, read_count=plan.total, cursor_before=before)


def _done(run: SyncRun, delivery: Delivery) -> int:
    """How many decisions of this delivery the run has stored already."""
    return int(_files_done(run, delivery).get(delivery.file.name, 0))


def _files_done(run: SyncRun, delivery: Delivery) -> Mapping[str, int]:
    saved = Checkpoint.objects.filter(
        connection_id=run.connection_id, stream=delivery.mapping.stream, cursor__run=run.pk
    ).first()
    return saved.cursor["files"] if saved is not None else {}


@dataclass(frozen=True)
class _Piece:
    """Rows that are stored together: how many were decided, what they become, and what they said.

    `rows`: these, and with the last piece the rows that came to nothing.
    """

    count: int
    rows: int
    is_last: bool
    part: Part
    said: Mapping[str, Said]


def _pieces(delivery: Delivery, keeper: Storing, tally: Tally, done: int) -> Iterator[_Piece]:
    """What of a delivery has still to be stored; `tally` counts what was stored before as well."""
    decisions = islice(delivery.decisions(tally), done, None)
    coming = list(islice(decisions, PIECE_RECORDS))
    while coming:
        decided, coming = coming, list(islice(decisions, PIECE_RECORDS))
        said = {_id_of(each): each.row.as_text for each in decided}
        yield _Piece(
            count=len(decided),
            rows=len(decided) + (0 if coming else tally.skipped + tally.repeated),
            is_last=not coming,
            part=keeper.part(
                delivery.mapping, Decisions.of(decided), delivery.file.name, records=list(said), is_file=True
            ),
            said=keeper.heard(((each, cells) for each, cells in said.items() if each), [delivery.mapping]),
        )


def _chunk(run: SyncRun, delivery: Delivery, piece: _Piece, done: int) -> Chunk:
    stream = delivery.mapping.stream
    files = {**_files_done(run, delivery), delivery.file.name: done}
    return Chunk(
        parts=[piece.part],
        raw={stream: piece.said},
        checkpoints={stream: {"run": run.pk, "files": files, "sha256": delivery.file.sha256}},
        counted=piece.rows,
    )


def _id_of(decision: Accepted | Refused) -> str:
    """The id by which a row is kept; '' where it has none that can be."""
    external_id = str(decision.record["external_id"]) if isinstance(decision, Accepted) else decision.external_id
    return external_id if len(external_id) <= ID_LENGTH and is_storable(external_id) else ""


def _report(run: SyncRun, plan: Plan, tallies: Sequence[Tally], resources: frozenset[str]) -> dict[str, Any]:
    """What was seen, for people: blanks, words translated or unknown, references that dangle, files left aside."""
    streams = [
        {
            "stream": each.mapping.stream,
            "resource": each.mapping.resource,
            "file": each.file.name,
            "encoding": each.table.encoding,
            **tally.as_report(),
        }
        for each, tally in zip(plan.deliveries, tallies, strict=True)
    ]
    unresolved = unresolved_references(source=run.connection.source, resources=resources)
    return {"streams": streams, "unresolved": unresolved, "ignored": list(plan.ignored)}
