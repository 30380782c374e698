"""The demo's processes start, stop and die together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.demo import supervisor as module
from config.demo.supervisor import ChildEndedError, StopRequested, Supervisor

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])
print('ready', child.pid, flush=True)
child.wait()
"""


def wait_for(condition, seconds: float = 10.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def words(supervisor: Supervisor, name: str) -> list[str]:
    return wait_for(lambda: supervisor.log_of(name).read_text().split())


class TestSupervisor:
    def test_stops_every_child_when_left(self, tmp_path):
        with Supervisor(tmp_path) as supervisor:
            for name in ("web", "worker"):
                supervisor.start(name, [sys.executable, "-c", SLEEPER])
                words(supervisor, name)
            pids = list(supervisor.pids.values())
            assert all(is_alive(pid) for pid in pids)
        assert not any(is_alive(pid) for pid in pids)

    def test_kills_what_does_not_obey_and_what_it_forked(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "GRACE_SECONDS", 0.3)
        with Supervisor(tmp_path) as supervisor:
            supervisor.start("stubborn", [sys.executable, "-c", STUBBORN])
            supervisor.start("parent", [sys.executable, "-c", PARENT])
            words(supervisor, "stubborn")
            grandchild = int(words(supervisor, "parent")[1])
            pids = [*supervisor.pids.values(), grandchild]
        wait_for(lambda: not any(is_alive(pid) for pid in pids))

    def test_a_signal_asks_to_stop(self, tmp_path):
        with pytest.raises(StopRequested), Supervisor(tmp_path) as supervisor:
            supervisor.start("web", [sys.executable, "-c", SLEEPER])
            words(supervisor, "web")
            pid = supervisor.pids["web"]
            os.kill(os.getpid(), signal.SIGTERM)
            supervisor.watch()
        assert not is_alive(pid)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_says_which_child_ended_and_why(self, tmp_path):
        with (
            pytest.raises(ChildEndedError, match=r"The worker process ended \(3\)[^$]*no broker"),
            Supervisor(tmp_path) as supervisor,
        ):
            supervisor.start("worker", [sys.executable, "-c", "print('no broker'); raise SystemExit(3)"])
            supervisor.watch()

    def test_children_die_with_a_killed_supervisor(self, tmp_path):
        code = (
            "import sys; from pathlib import Path; from config.demo.supervisor import Supervisor\n"
            f"with Supervisor(Path({str(tmp_path)!r})) as s:\n"
            f"    s.start('web', [sys.executable, '-c', {SLEEPER!r}])\n"
            "    print(s.pids['web'], flush=True)\n"
            "    s.watch()\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            child = int(process.stdout.readline())
            assert is_alive(child)
            process.kill()
        wait_for(lambda: not is_alive(child))
