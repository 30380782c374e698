"""Records that a source has merged: noted when they are seen, applied once the record that is left has arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from integrations.connectors.base import Record
from integrations.connectors.changes import is_own_id
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.merges import winners
from integrations.models import Connection, MergedRecord, SyncRun
from kpis.services.merges import merge_facts


def note_merges(*, connection: Connection, mapping: StreamMapping, records: Sequence[Record], now: datetime) -> None:
    """Remember who was merged into whom among these records; the same said again changes nothing.

    Of a mapping that does not call what it gives as the source's record, nothing can be said.
    """
    merged = {each.external_id: each.merged_into for each in records if each.merged_into}
    if not merged or mapping.each or not is_own_id(mapping):
        return
    known = MergedRecord.objects.filter(connection=connection, resource=mapping.resource, loser__in=merged)
    said = dict(known.values_list("loser", "winner"))
    MergedRecord.objects.bulk_create(
        [
            MergedRecord(connection=connection, resource=mapping.resource, loser=loser, winner=winner, noted_at=now)
            for loser, winner in merged.items()
            if said.get(loser) != winner and loser != winner
        ],
        update_conflicts=True,
        unique_fields=["connection", "resource", "loser"],
        update_fields=["winner", "noted_at", "applied_at"],
    )


@transaction.atomic
def apply_merges(*, run: SyncRun, now: datetime) -> int:
    """Apply what was noted and not applied yet; returns how many references were moved.

    A merge whose remaining record has not arrived waits for it.
    """
    connection = run.connection
    pending = MergedRecord.objects.filter(connection=connection, applied_at=None).select_for_update()
    by_resource: dict[str, list[MergedRecord]] = defaultdict(list)
    for each in pending.order_by("pk"):
        by_resource[each.resource].append(each)
    moved = 0
    for resource, waiting in by_resource.items():
        noted = MergedRecord.objects.filter(connection=connection, resource=resource)
        left = winners(dict(noted.values_list("loser", "winner")))
        wanted = {each.loser: left[each.loser] for each in waiting if each.loser in left}
        counts = merge_facts(
            resource=resource, source=connection.source, merges=wanted, actor=run.actor, run=run.pk, now=now
        )
        applied = [each for each in waiting if each.loser in counts]
        for each in applied:
            each.applied_at, each.moved_count = now, counts[each.loser]
        MergedRecord.objects.bulk_update(applied, ["applied_at", "moved_count"])
        moved += sum(counts.values())
    return moved
