"""The outbox with a real worker, a real beat and a real Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import Group

from tenants.context import tenant_context
from tenants.outbox.models import Event, EventState
from tenants.outbox.services import emit
from tests import database
from tests.tenants import worker_probe  # noqa: F401 - registers the handlers here as in the worker

pytestmark = pytest.mark.gate


@pytest.fixture
def broker() -> redis.Redis:
    connected = redis.Redis.from_url(settings.REDIS_URL, db=7)
    connected.flushdb()
    return connected


@pytest.fixture
def worker(committed_db: None, broker: redis.Redis) -> Iterator[Callable[[], subprocess.Popen]]:
    """Starts workers with beat on this test's database; all are gone at its end."""
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        command = ["-m", "celery", "-A", "config", "worker", "-B", "-c", "2", "-l", "WARNING"]
        command += ["-I", "tests.tenants.worker_probe", "-s", f"/tmp/beat-{os.getpid()}", "--without-mingle"]
        process = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | {"DATABASE_URL": database.url(), "MAWARU_TESTING": "1", "REDIS_DB": "7"},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def all_done() -> bool:
    return not Event.objects.exclude(state=EventState.DONE).exists()


class TestRealWorker:
    def test_works_each_event_in_its_own_company(self, worker, acme, globex):
        worker()
        for company in (acme, globex):
            emit(topic="tests.work", company_id=company.id, object_id="probe")
        assert wait_for(all_done)
        for company in (acme, globex):
            with tenant_context(company):
                found = set(Group.objects.filter(name__startswith="probe").values_list("name", flat=True))
            assert found == {f"probe in {company.slug}"}

    def test_a_killed_child_is_replaced_within_seconds(self, worker, acme):
        worker()
        emit(topic="tests.die", company_id=acme.id)
        assert wait_for(all_done)
        with tenant_context(acme):
            assert set(Group.objects.filter(name__in=["died", "survived"]).values_list("name", flat=True)) == {
                "died",
                "survived",
            }
        assert Event.objects.get().attempt_count == 2

    def test_events_of_the_time_without_a_worker_and_without_their_messages_are_done_later(self, worker, broker, acme):
        emit(topic="tests.work", company_id=acme.id, object_id="early")
        broker.flushdb()  # what was sent is lost with Redis
        worker()
        assert wait_for(all_done)

    def test_a_worker_killed_as_a_whole_loses_nothing(self, worker, broker, acme):
        first = worker()
        assert wait_for(lambda: bool(broker.keys("_kombu*")))
        os.killpg(first.pid, signal.SIGKILL)
        for number in range(5):
            emit(topic="tests.work", company_id=acme.id, object_id=number)
        worker()
        assert wait_for(all_done)
