"""Receiving files: measured, hashed and stored under their content, before anybody reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import transaction

from integrations.connectors.file import check_size
from integrations.models import Connection, SourceFile, Upload
from integrations.selectors.plans import expected_patterns, fits
from tenants.context import current_company

NAME_LENGTH = 255
SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".xlsx"})
# A file that was written to just now may not be complete yet.
SETTLED_AFTER = timedelta(seconds=15)


@dataclass(frozen=True)
class IncomingFile:
    """A file to receive: what it is called, its bytes, and when the source wrote it."""

    name: str
    content: File[Any]
    modified_at: datetime | None = None


@transaction.atomic
def receive_files(
    *, connection: Connection, files: Sequence[IncomingFile], trigger: str, actor: Any, now: datetime
) -> Upload:
    """Store files that arrived together. Raises ConnectorError for an empty or too large one, before reading it."""
    for file in files:
        check_size(file.content.size, name=file.name, max_bytes=settings.UPLOAD_MAX_BYTES)
    upload = Upload.objects.create(connection=connection, trigger=trigger, actor=actor, received_at=now)
    for file in files:
        stored = SourceFile(
            upload=upload,
            name=Path(file.name).name[-NAME_LENGTH:],
            sha256=_digest(file.content),
            size=file.content.size,
            modified_at=file.modified_at,
        )
        file.content.seek(0)
        stored.file.save(stored.sha256, file.content, save=False)
        stored.save()
    return upload


def inbox_path(*, connection: Connection) -> Path:
    """The connection's folder: files put there are read on schedule. Nobody can choose another place."""
    return Path(str(settings.MEDIA_ROOT)) / current_company().schema_name / "inbox" / str(connection.public_id)


def receive_inbox(*, connection: Connection, trigger: str, only_new: bool, actor: Any, now: datetime) -> Upload | None:
    """Take what lies in the connection's folder and fits a mapping; None when there is nothing (new) to take.

    A file is new when its time of writing differs from when it was last taken. With `only_new`, nothing is taken while
    a file is still being written: a later look takes all together.
    """
    folder = inbox_path(connection=connection)
    if not folder.is_dir():
        return None
    patterns = expected_patterns(connection=connection)
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.casefold() in SUFFIXES]
    paths = [path for path in found if fits(path.name, patterns)]
    if not paths or (only_new and not _is_new(connection, paths, now)):
        return None
    opened = [path.open("rb") for path in paths]
    try:
        files = [
            IncomingFile(path.name, File(stream, name=path.name), _modified_at(path))
            for path, stream in zip(paths, opened, strict=True)
        ]
        return receive_files(connection=connection, files=files, trigger=trigger, actor=actor, now=now)
    finally:
        for stream in opened:
            stream.close()


def _is_new(connection: Connection, paths: Sequence[Path], now: datetime) -> bool:
    written = {path.name: _modified_at(path) for path in paths}
    if any(timedelta() <= now - at < SETTLED_AFTER for at in written.values()):
        return False
    taken = _last_taken(connection)
    return any(taken.get(name) != at for name, at in written.items())


def _last_taken(connection: Connection) -> dict[str, datetime | None]:
    files = SourceFile.objects.filter(upload__connection=connection).exclude(modified_at=None).order_by("upload_id")
    return dict(files.values_list("name", "modified_at"))


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _digest(content: File[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in content.chunks():
        digest.update(chunk)
    return digest.hexdigest()
