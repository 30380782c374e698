"""The demo as a program: stopped in order, killed hard at bad moments, started again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from config.demo.stage import DemoError
from config.management.commands.demo import check_port
from tests.journeys.demo import LAST_LINE, PROJECT, Demo, environment, processes_of

READY_SECONDS = 600
DEATH_SECONDS = 30


def wait_for(condition: Callable[[], object], *, seconds: float, output: Path) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, output.read_text()
        time.sleep(0.2)


@dataclass
class Program:
    """One start of the demo in a directory."""

    process: subprocess.Popen
    output: Path
    home: Path

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def wait_until_printed(self, text: str) -> str:
        wait_for(
            lambda: text in self.printed or self.process.poll() is not None, seconds=READY_SECONDS, output=self.output
        )
        assert text in self.printed, self.printed
        return self.printed

    def kill(self) -> None:
        """As the kernel does when memory runs out: no time to clean up. Its children must follow it."""
        self.process.kill()
        self.process.wait()
        until = time.monotonic() + DEATH_SECONDS
        while left := self.children():
            assert time.monotonic() < until, [each.as_dict(["status", "cmdline", "create_time"]) for each in left]
            psutil.wait_procs(left, timeout=0.5)

    def children(self) -> list[psutil.Process]:
        """Web, worker and beat; the embedded servers stay, to be joined by the next start."""
        servers = ("postgres", "redis", "valkey")
        return [each for each in processes_of(self.home) if not any(word in each.name() for word in servers)]

    def press_ctrl_c(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEATH_SECONDS)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty place with a short path, because sockets lie in it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="mawaru-") as directory:
        Path(directory).chmod(0o711)  # the servers may have to run as somebody else
        home = Path(directory) / "e"
        yield home
        for process in processes_of(home):
            process.kill()


def start(home: Path, port: int) -> Program:
    output = home.parent / f"printed-{time.monotonic_ns()}.txt"
    command = [sys.executable, "manage.py", "demo", "--port", str(port)]
    with output.open("w") as printed:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(home), stdout=printed, stderr=subprocess.STDOUT
        )
    return Program(process, output, home)


def free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return attempt.getsockname()[1]


def ask(demo: Demo, path: str) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=60)
    headers = {"Host": f"sakura.localhost:{demo.port}", "Authorization": f"Api-Key {demo.key('sakura')}"}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == http.HTTPStatus.OK, body
    return json.loads(body)


def trees_of(demo: Demo) -> list[tuple[int, str]]:
    return sorted((tree["fiscal_year"], tree["status"]) for tree in ask(demo, "/api/v1/trees/")["results"])


@pytest.mark.gate
@pytest.mark.timeout(3000)
class TestLifecycle:
    @pytest.mark.proof  # sets the demo up from nothing twice; the gate's kills try the parts
    def test_survives_kills_and_stops_without_a_trace(self, home):
        port = free_port()
        creating = start(home, port)
        creating.wait_until_printed("Creating")
        creating.kill()
        importing = start(home, port)
        importing.wait_until_printed("through the worker")
        importing.kill()

        recovered = start(home, port)
        first = Demo(recovered.wait_until_printed(LAST_LINE), home)
        assert trees_of(first)[-1][1] == "active"
        assert len({year for year, _ in trees_of(first)}) == len(trees_of(first)) == 2
        recovered.kill()

        again = start(home, port)
        second = Demo(again.wait_until_printed(LAST_LINE), home)
        assert "Importing" not in again.printed
        assert second.key("sakura") == first.key("sakura")
        assert trees_of(second) == trees_of(first)
        assert again.press_ctrl_c() == 0
        assert "has stopped" in again.printed
        assert processes_of(home) == []

    def test_a_second_start_says_that_it_runs_already(self, home):
        running = start(home, free_port())
        running.wait_until_printed("Preparing")
        second = start(home, free_port())
        assert second.process.wait(60) == 1
        assert "running already" in second.printed
        assert running.press_ctrl_c() == 0
        assert processes_of(home) == []


class TestPort:
    def test_a_taken_port_is_named_with_a_way_out(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(DemoError, match=rf"Port {port} cannot be used .*make demo PORT="):
                check_port(port)

    def test_a_free_port_is_fine(self):
        check_port(free_port())

    def test_needs_debug(self):
        values = {**environment(Path("/nowhere")), "DEBUG": "0", "SECRET_KEY": "x" * 50, "REDIS_URL": "redis://x/0"}
        refused = subprocess.run(
            [sys.executable, "manage.py", "demo"],
            cwd=PROJECT,
            env={
                **values,
                "DATABASE_URL": "postgres://x@localhost/x",
                "CREDENTIAL_KEYS": "x" * 43 + "=",
                "PATH": os.environ["PATH"],
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert refused.returncode == 1
        assert "make demo" in refused.stderr
