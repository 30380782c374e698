"""Dropping what was received and has been kept long enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.choices import DELIVERED
from integrations.models import Connection, SyncRun, Upload
from integrations.services.landing import forget

KEEP_FILES = timedelta(days=90)


def forget_received(*, now: datetime) -> int:
    """Drop what every connection has kept long enough; returns how many records lost what the source said of them."""
    connections = list(Connection.objects.order_by("pk"))
    for connection in connections:
        _forget_files(connection, now)
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
