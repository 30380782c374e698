"""Workers that do not come back from a step of storing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import OperationalError

from integrations.services import storing


class Killed(BaseException):
    """The process ends here, whatever it was doing."""


LOST = (Killed, OperationalError)
STEPS: list[tuple[Any, str]] = [
    (storing.Storing, "_store_part"),
    (storing, "land"),
    (storing.Storing, "_count"),
    (storing.Storing, "store"),
]


def kill_somewhere(chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step of storing a chunk, chosen at random, does not come back, before or after it did its work."""
    place, name = chance.choice(STEPS)
    real = getattr(place, name)
    calls_left = chance.randint(0, 4)
    is_done_before = chance.random() < 0.5
    end = chance.choice(LOST)

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls_left
        calls_left -= 1
        if calls_left >= 0:
            return real(*arguments, **named)
        if is_done_before:
            real(*arguments, **named)
        raise end("the process is gone")

    monkeypatch.setattr(place, name, dying)
