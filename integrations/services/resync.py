"""Reading a source again: what is stored stays, and what comes again changes only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.choices import RunState
from integrations.models import Checkpoint, Connection, SyncRun
from integrations.selectors.plans import current_mappings
from integrations.services.runs import cancel_run, request_run, sync_now


@transaction.atomic
def resync(*, connection: Connection, since: datetime | None, actor: Any, now: datetime) -> SyncRun:
    """Read every mapped stream of a source again, from the beginning or what has changed since a moment."""
    streams = list(dict.fromkeys(mapping.reads for mapping in current_mappings(connection=connection)))
    read_again(connection=connection, streams=streams, since=since, now=now)
    return sync_now(connection=connection, actor=actor, now=now)


@transaction.atomic
def read_again(*, connection: Connection, streams: Sequence[str], since: datetime | None, now: datetime) -> None:
    """Let the next run begin there. A run under way is ended, since it reads on from elsewhere, and asked for anew."""
    positions = Checkpoint.objects.filter(connection=connection, stream__in=streams)
    # Locked before the run, in the order in which a run stores: a chunk that is being stored comes to its end first.
    list(positions.select_for_update().order_by("pk").values_list("pk"))
    under_way = SyncRun.objects.filter(connection=connection, state=RunState.RUNNING).first()
    if under_way is not None:
        cancel_run(run=under_way, now=now)
        request_run(
            connection=connection, kind=under_way.kind, trigger=under_way.trigger, actor=under_way.actor, now=now
        )
    positions.delete()
    if since is not None:
        cursor = {"position": {"since": since.isoformat()}}
        Checkpoint.objects.bulk_create(
            Checkpoint(connection=connection, stream=stream, cursor=cursor, saved_at=now) for stream in streams
        )
