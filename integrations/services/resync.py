"""Reading a source again, or what is kept of it: what is stored stays, and only what differs is changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.choices import RunKind, RunState, Trigger
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.models import Checkpoint, Connection, SyncRun
from integrations.selectors.kept import covers, kept_by
from integrations.selectors.plans import current_mappings
from integrations.services.runs import cancel_run, request_run, sync_now


@transaction.atomic
def resync(*, connection: Connection, since: datetime | None, actor: Any, now: datetime) -> SyncRun:
    """Read every mapped stream of a source again, from the beginning or what has changed since a moment."""
    streams = list(dict.fromkeys(mapping.reads for mapping in current_mappings(connection=connection)))
    read_again(connection=connection, streams=streams, since=since, now=now)
    return sync_now(connection=connection, actor=actor, now=now)


@transaction.atomic
def remap(*, connection: Connection, actor: Any, now: datetime) -> SyncRun:
    """Map what is kept of a source again, without asking it. Raises ConnectorError where nothing is kept."""
    if not kept_by(connection=connection).count:
        raise ConnectorError("data", "nothing_kept")
    return request_run(connection=connection, kind=RunKind.REMAP, trigger=Trigger.MANUAL, actor=actor, now=now)


@transaction.atomic
def map_again(*, connection: Connection, mapping: StreamMapping, asked: Sequence[str], now: datetime) -> None:
    """Let a mapping that has changed reach what was read before: by what is kept, where that is enough for it.

    Else the source is read from its beginning. `asked` are the columns it was asked for up to now.
    """
    if covers(connection=connection, mapping=mapping, asked=asked):
        _interrupt(connection, [mapping.reads], now)
        request_run(connection=connection, kind=RunKind.REMAP, trigger=Trigger.MANUAL, actor=None, now=now)
    else:
        read_again(connection=connection, streams=[mapping.reads], since=None, now=now)


@transaction.atomic
def read_again(*, connection: Connection, streams: Sequence[str], since: datetime | None, now: datetime) -> None:
    """Let the next run begin there. A run under way is ended, since it reads on from elsewhere, and asked for anew."""
    _interrupt(connection, streams, now)
    Checkpoint.objects.filter(connection=connection, stream__in=streams).delete()
    if since is not None:
        cursor = {"position": {"since": since.isoformat()}}
        Checkpoint.objects.bulk_create(
            Checkpoint(connection=connection, stream=stream, cursor=cursor, saved_at=now) for stream in streams
        )


def _interrupt(connection: Connection, streams: Sequence[str], now: datetime) -> None:
    """End a run under way and ask for it anew: it knows nothing of what has changed."""
    positions = Checkpoint.objects.filter(connection=connection, stream__in=streams)
    # Locked before the run, in the order in which a run stores: a chunk that is being stored comes to its end first.
    list(positions.select_for_update().order_by("pk").values_list("pk"))
    under_way = SyncRun.objects.filter(connection=connection, state=RunState.RUNNING).first()
    if under_way is not None:
        cancel_run(run=under_way, now=now)
        request_run(
            connection=connection, kind=under_way.kind, trigger=under_way.trigger, actor=under_way.actor, now=now
        )
