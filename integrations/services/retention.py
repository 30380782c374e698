"""Dropping what was received and has been kept long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet

from integrations.choices import DELIVERED, ENDED, KEEP_DAYS
from integrations.models import Connection, RejectedRecord, SyncRun, Upload
from integrations.services.landing import forget

KEEP_FILES = timedelta(days=90)
KEEP_RUNS = timedelta(days=KEEP_DAYS)
# Also where nothing is kept, whoever has to mend a mapping sees for a week what was rejected.
KEEP_REJECTED_DAYS = 7


def forget_received(*, now: datetime) -> int:
    """Drop what every connection has kept long enough; returns how many records lost what the source said of them."""
    connections = list(Connection.objects.order_by("pk"))
    for connection in connections:
        _forget_files(connection, now)
        _forget_rejected(connection, now)
        _forget_runs(connection, now)
    return sum(forget(connection=connection, now=now) for connection in connections)


def _forget_files(connection: Connection, now: datetime) -> None:
    """Drop old deliveries; the last one that came through stays, so that it can be read again."""
    delivered = SyncRun.objects.filter(connection=connection, state__in=DELIVERED).exclude(upload=None)
    newest = delivered.order_by("-id").first()
    for upload in Upload.objects.filter(connection=connection, received_at__lt=now - KEEP_FILES):
        if newest is not None and upload.pk == newest.upload_id:
            continue
        for file in upload.files.all():
            file.file.delete(save=False)
        upload.delete()


def _forget_rejected(connection: Connection, now: datetime) -> None:
    """Drop rows that were rejected, which hold what the source said; how many there were stays with their run.

    Of one that is still not imported only that goes: the record is missing as long as it is.
    """
    before = now - timedelta(days=max(connection.keep_days, KEEP_REJECTED_DAYS))
    old = RejectedRecord.objects.filter(connection=connection, run__finished_at__lt=before)
    old.filter(is_standing=False).delete()
    old.exclude(raw={}).update(raw={})


def _forget_runs(connection: Connection, now: datetime) -> None:
    """Drop old runs that brought nothing, and of the others what was seen; their counts stay.

    Facts name the run that changed them, so that one stays. So does the last of each kind, which says how it stands.
    """
    ended = SyncRun.objects.filter(connection=connection, state__in=ENDED)
    newest = {*_newest(ended), *_newest(ended.filter(state__in=DELIVERED))}
    old = ended.filter(finished_at__lt=now - KEEP_RUNS).exclude(pk__in=newest)
    brought = Q(inserted_count__gt=0) | Q(updated_count__gt=0) | Q(deleted_count__gt=0) | Q(rejected_count__gt=0)
    old.exclude(brought).delete()
    seen = ~Q(report={}) | ~Q(cursor_before={}) | ~Q(cursor_after={})
    old.filter(seen).update(report={}, cursor_before={}, cursor_after={})


def _newest(runs: QuerySet[SyncRun]) -> list[int]:
    return list(runs.order_by().values("kind").annotate(last=Max("pk")).values_list("last", flat=True))
