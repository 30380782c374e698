"""Runs the demo's processes as one: all start, all stop, and none outlives the supervisor however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 8.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ChildEndedError(RuntimeError):
    """A process that should have kept running ended; the message names it and its log."""


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C or sent a signal to end the demo."""


@dataclass
class Supervisor:
    """Child processes with their logs. Use as a context manager: leaving it stops them, last started first."""

    logs: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    _children: dict[str, subprocess.Popen] = field(default_factory=dict)
    _previous: dict[signal.Signals, object] = field(default_factory=dict)

    def __enter__(self) -> Supervisor:
        self.logs.mkdir(parents=True, exist_ok=True)
        for number in STOPPING:
            self._previous[number] = signal.signal(number, _ask_to_stop)
        return self

    def __exit__(self, *_exc: object) -> None:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them running
        try:
            self.stop()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def start(self, name: str, arguments: Sequence[str], *, when_orphaned: signal.Signals = signal.SIGTERM) -> None:
        """Start a child in a session of its own, so that Ctrl-C reaches only the supervisor, which stops in order.

        `when_orphaned` is what the kernel sends the child when the supervisor dies without having stopped it.
        """
        supervisor = os.getpid()
        with self.log_of(name).open("ab") as log:
            self._children[name] = subprocess.Popen(
                [*arguments],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _die_with(supervisor, when_orphaned),
            )

    def check(self) -> None:
        """Raises ChildEndedError when a child is gone."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                tail = self.log_of(name).read_text(errors="replace").strip().splitlines()[-5:]
                raise ChildEndedError(
                    f"The {name} process ended ({code}), so the demo stopped. {self.log_of(name)} ends:\n"
                    + "\n".join(tail)
                )

    def watch(self) -> None:
        """Stay until a signal asks to stop (StopRequested) or a child ends (ChildEndedError)."""
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask every child to end, last started first; what does not obey within the grace is killed with its own."""
        for child in reversed(self._children.values()):
            _signal(child, signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        for child in self._children.values():
            _kill_session(child)
            child.wait()
        self._children.clear()


def _ask_to_stop(number: int, _frame: FrameType | None) -> None:
    raise StopRequested(number)


def _die_with(supervisor: int, how: signal.Signals) -> None:
    """In the child: be told by the kernel when the supervisor dies, which may have happened already."""
    if LIBC is None:
        return
    LIBC.prctl(PR_SET_PDEATHSIG, how)
    if os.getppid() != supervisor:
        os._exit(1)


def _signal(child: subprocess.Popen, number: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(number)


def _kill_session(child: subprocess.Popen) -> None:
    """The child leads its own process group: whatever it forked ends with it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
