"""What the demo remembers between runs: one running demo at a time, the day of its data, its API keys."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path


class AlreadyRunningError(RuntimeError):
    """Another process runs the demo in this directory."""


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which the kernel drops with the process. Raises AlreadyRunningError."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                "The demo is running already. Stop it with Ctrl-C before starting it again."
            ) from None
        yield
    finally:
        os.close(lock)


def made_on(directory: Path, *, today: date) -> date:
    """The day for which the demo's data is made: the day of the first run."""
    note = directory / "made-on"
    if not note.exists():
        write_whole(note, today.isoformat())
    return date.fromisoformat(note.read_text())


def kept_key(directory: Path, slug: str) -> str | None:
    """The API key of a company as an earlier run wrote it down; the product itself keeps only its hash."""
    try:
        return json.loads((directory / "api-keys.json").read_text()).get(slug)
    except FileNotFoundError:
        return None


def keep_key(directory: Path, slug: str, text: str) -> None:
    """Write an API key down, readable by nobody else."""
    path = directory / "api-keys.json"
    keys = json.loads(path.read_text()) if path.exists() else {}
    write_whole(path, json.dumps({**keys, slug: text}))


def write_whole(path: Path, text: str) -> None:
    """All of the text or nothing, so that a killed run leaves no half a file."""
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
