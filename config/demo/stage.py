"""What every step of the demo needs: the day, a voice, and patience that notices when a process died."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from config.demo.supervisor import Supervisor

Found = TypeVar("Found")


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Stage:
    """One run of the demo. `today` is the day for which its data was made, which later runs keep."""

    directory: Path
    today: date
    supervisor: Supervisor
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)

    def report(self, sentence: str) -> None:
        """One line of progress with the seconds since the start."""
        self.say(f"[{time.monotonic() - self.started:4.0f} s] {sentence}")

    def wait_for(self, condition: Callable[[], Found | None], *, what: str, seconds: float) -> Found:
        """Look again and again until `condition` is true; returns what it found. Raises DemoError, ChildEndedError."""
        until = time.monotonic() + seconds
        while True:
            self.supervisor.check()
            found = condition()
            if found:
                return found
            if time.monotonic() > until:
                raise DemoError(
                    f"{what} took longer than {seconds:.0f} s. The logs in {self.supervisor.logs} say more."
                )
            time.sleep(0.2)
