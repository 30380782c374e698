"""Real workers with a real beat and a real Redis, on a test's own copy of the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from celery import Celery
from django.conf import settings

from tenants.models import Company
from tenants.outbox.models import Event, EventState
from tests import database

# Another one for each process of a session, so that its workers can be killed beside those of another.
REDIS_DB = 7 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Worker:
    """One `celery worker` with its pool and beat, started by the fixture `worker`."""

    def __init__(self, schedule: Path, *modules: str) -> None:
        command = ["-m", "celery", "-A", "config", "worker", "-B", "-c", "2", "-l", "WARNING"]
        command += ["-s", str(schedule), "--without-mingle", "--without-gossip"]
        command += [word for module in modules for word in ("-I", module)]
        environment = {"DATABASE_URL": database.url(), "MAWARU_TESTING": "1", "REDIS_DB": str(REDIS_DB)}
        environment["MEDIA_ROOT"] = str(settings.MEDIA_ROOT)
        self.process = subprocess.Popen(
            [sys.executable, *command], env=os.environ | environment, start_new_session=True
        )

    def busy_children(self, company: Company | None = None) -> list[int]:
        """Process ids of the pool's children that are at a task (of one company's event)."""
        with Celery(broker=broker_url(), set_as_current=False) as asking:
            answers = asking.control.inspect(timeout=1).active() or {}
        tasks = [task for told in answers.values() for task in told]
        if company is not None:
            theirs = set(Event.objects.filter(company=company).values_list("id", flat=True))
            tasks = [task for task in tasks if task["kwargs"].get("event_id") in theirs]
        return [task["worker_pid"] for task in tasks]

    def kill_child(self) -> None:
        """Kill -9 the child that is at work."""
        assert wait_for(lambda: bool(self.busy_children()))
        self.kill_children(self.busy_children())

    def kill_children(self, pids: Iterable[int]) -> None:
        for pid in pids:
            # The worker may still speak of one that was killed before.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill -9 the worker with its pool and beat."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def broker() -> redis.Redis:
    """The workers' Redis, empty."""
    connected = redis.Redis.from_url(settings.REDIS_URL, db=REDIS_DB)
    connected.flushdb()
    return connected


@pytest.fixture
def worker(committed_db: None, broker: redis.Redis, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """`worker("module of handlers", …)` starts one on this test's database; all are gone at the test's end."""
    started: list[Worker] = []

    def start(*modules: str) -> Worker:
        started.append(Worker(tmp_path / f"beat-{len(started)}", *modules))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def broker_url() -> str:
    return settings.CELERY_BROKER_URL.split("?")[0] + f"?virtual_host={REDIS_DB}"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def all_done() -> bool:
    """Whether every event has been worked through."""
    return not Event.objects.exclude(state=EventState.DONE).exists()
