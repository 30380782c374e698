"""The real demo as a program of its own: started, read from what it prints, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 600
STOP_SECONDS = 30
LAST_LINE = "Ctrl-C stops everything."
# What a test session sets for itself and the demo must not inherit.
NOT_FOR_THE_DEMO = ("DATABASE_URL", "REDIS_URL", "MAWARU_TESTING", "PORT", "PUBLIC_PORT")


class DemoFailedError(RuntimeError):
    """The demo ended, or was not ready in time; the message holds what it printed."""


@dataclass(frozen=True)
class Demo:
    """What somebody who started the demo knows of it: its output, and where it was started."""

    printed: str
    directory: Path

    @cached_property
    def addresses(self) -> dict[str, str]:
        """Address by slug, without a slash at the end."""
        return {slug: url for url, slug in re.findall(r"^  (http://(\w+)\.localhost:\d+)/", self.printed, re.M)}

    @cached_property
    def port(self) -> int:
        return int(self.addresses["console"].rpartition(":")[2])

    @cached_property
    def password(self) -> str:
        return self._find(r"Password of every login: (\S+)")

    def logins(self, slug: str) -> list[str]:
        return re.split(r",\s*", self._find(r"Logins +(.+)", after=slug))

    def key(self, slug: str) -> str:
        return self._find(r"API key +(\S+)", after=slug)

    def new_company(self, name: str, *options: str) -> str:
        """The slug of a company made by command beside the running demo: one login, `owner`, and no data."""
        slug = f"new{uuid.uuid4().hex[:8]}"
        made = self.manage("create_company", slug, "--name", name, *options)
        assert made.returncode == 0, made.stderr
        user = self.manage("create_user", slug, "owner", "--role", "owner", MAWARU_USER_PASSWORD=self.password)
        assert user.returncode == 0, user.stderr
        return slug

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A management command beside the running demo, as CONTRACT.md allows."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=environment(self.directory) | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def _find(self, pattern: str, *, after: str = "") -> str:
        start = self.printed.index(f"http://{after}.localhost") if after else 0
        found = re.search(pattern, self.printed[start:])
        if found is None:
            raise DemoFailedError(f"The demo did not print {pattern!r}:\n{self.printed}")
        return found[1]


def environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_FOR_THE_DEMO}
    ours = {"DEBUG": "1", "MAWARU_EMBEDDED_DIR": str(directory), "PYTHONUNBUFFERED": "1"}
    # Sources of the journeys are fakes on this machine.
    return {**kept, **ours, "SOURCES_ON_LOOPBACK": "1"}


def kept_demo() -> Demo | None:
    """A demo that runs already and is to be used instead of a fresh one.

    MAWARU_DEMO names its folder: `printed.txt` is what it printed, `e` its MAWARU_EMBEDDED_DIR.
    """
    folder = os.environ.get("MAWARU_DEMO")
    return Demo(Path(folder, "printed.txt").read_text(), Path(folder, "e")) if folder else None


@contextmanager
def fresh_demo(directory: Path) -> Iterator[Demo]:
    """Start the demo in an empty directory and wait until it is ready; Ctrl-C ends it, and no process is left."""
    directory.chmod(0o711)  # the servers may have to run as somebody else
    output = directory / "printed.txt"
    home = directory / "e"  # short: it holds sockets
    command = [sys.executable, "manage.py", "demo", "--port", str(_free_port())]
    with output.open("w") as printed:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(home), stdout=printed, stderr=subprocess.STDOUT
        )
    try:
        yield Demo(_wait_until_ready(process, output), home)
    finally:
        stop(process, home)


def stop(process: subprocess.Popen, home: Path) -> None:
    """Ctrl-C. Raises DemoFailedError when the demo does not end, or leaves a process behind."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    finally:
        process.kill()
        left = processes_of(home)
        for each in left:
            each.kill()
    if left:
        raise DemoFailedError(f"The demo left processes behind: {left}")


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that was started for the demo in this directory."""
    return [process for process in psutil.process_iter() if _belongs_to(process, home)]


def _belongs_to(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("MAWARU_EMBEDDED_DIR") == str(home) or str(home) in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _wait_until_ready(process: subprocess.Popen, output: Path) -> str:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        text = output.read_text()
        if LAST_LINE in text:
            return text
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise DemoFailedError(f"The demo is not ready:\n{output.read_text()}")


def _free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return attempt.getsockname()[1]
