"""Who works on which topic; filled in `AppConfig.ready` by the floor that handles it."""

from __future__ import annotations

from celery import Task

_handlers: dict[str, dict[str, Task]] = {}


def on(topic: str, handler: Task) -> None:
    """Let the task `handler` run, with `company_id` and `object_id`, for every event of `topic`."""
    _handlers.setdefault(topic, {})[handler.name] = handler


def handler_names(topic: str) -> list[str]:
    return sorted(_handlers.get(topic, {}))


def find_handler(topic: str, name: str) -> Task | None:
    return _handlers.get(topic, {}).get(name)
