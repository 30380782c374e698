"""Content types are rows of a schema: the id of one model may differ between two companies.

Django remembers them for the process. Two threads that serve two companies would read each other's ids, so each
thread gets a memory of its own; the database backend clears it at every switch.
"""

import threading
from typing import Any

from django.contrib.contenttypes.models import ContentType


class ThreadMemory(threading.local):
    """The part of a dict which ContentTypeManager uses, one for each thread."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __getitem__(self, using: str) -> Any:
        return self._found[using]

    def setdefault(self, using: str, default: Any) -> Any:
        return self._found.setdefault(using, default)

    def clear(self) -> None:
        self._found.clear()


def remember_per_thread() -> None:
    ContentType.objects._cache = ThreadMemory()
