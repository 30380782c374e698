"""Workers killed with -9 while they read 20,000 records of a source, beside another company's sync."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.choices import RunState
from integrations.models import Connection, RawRecord, SyncRun
from integrations.services.connections import pause_connection
from integrations.services.runs import MAX_ATTEMPTS, sync_now
from kpis.models import Deal, FactChange
from tenants.context import tenant_context
from tenants.models import Company
from tenants.outbox.models import Event
from tests.fakes.rest import RestFake
from tests.fakes.server import served
from tests.integrations.conftest import _own_media  # noqa: F401 - fixture
from tests.integrations.services.test_fault_walks import MAPPING
from tests.integrations.sources import connect
from tests.worker import Worker, all_done, wait_for

pytestmark = pytest.mark.gate

KILLS = {"proof": 50}.get(os.environ.get("MAWARU_TIER", "test"), 5)
KILLS_A_RUN = MAX_ATTEMPTS - 1
PAGE, RECORDS, RECORDS_BESIDE = 500, 20_000, 3_000


class Syncing:
    """A company with a source of its own, and what is true there."""

    def __init__(self, company: Company, fake: RestFake, count: int) -> None:
        self.company = company
        self.fake = fake
        self.round = 0
        self._ids = [f"D{number:05}" for number in range(1, count + 1)]
        with tenant_context(company):
            self.connection: Connection = connect(fake, MAPPING)
            # It is read when the test says so.
            pause_connection(connection=self.connection, now=timezone.now())

    def begin(self) -> None:
        """Every record changes, and the source is asked."""
        self.round += 1
        world = self.fake.world
        world.tick(minutes=10)
        deal = {"name": "案件", "created": "2026-10-05", "closed": "2026-10-20", "stage": "受注"}
        for place, name in enumerate(self._ids):
            world.put(name, **deal, amount=place * 100 + self.round)
        self.ask()

    def ask(self) -> None:
        with tenant_context(self.company):
            self.run = sync_now(connection=self.connection, actor=None, now=timezone.now())

    def check(self) -> None:
        """Nothing is lost, nothing doubled: neither records nor their changes, nor in what the run says."""
        count = len(self._ids)
        with tenant_context(self.company):
            run = SyncRun.objects.get(pk=self.run.pk)
            assert (run.state, run.problem_code) == (RunState.SUCCEEDED, "")
            told = (run.inserted_count, run.updated_count, run.unchanged_count, run.rejected_count)
            assert told == ((count, 0, 0, 0) if self.round == 1 else (0, count, 0, 0))
            assert run.read_count == run.progress_done == run.progress_total == count
            assert FactChange.objects.filter(run=run.pk).count() == run.updated_count
            self.check_records()

    def check_records(self) -> None:
        truth = {name: values["amount"] for name, values in self.fake.world.alive().items()}
        stored = list(Deal.objects.filter(deleted_at=None).values_list("external_id", "amount"))
        assert len(stored) == len(truth) == Deal.objects.count() == RawRecord.objects.count()
        assert dict(stored) == truth

    def check_unchanged(self) -> None:
        """A run after the last change has changed nothing."""
        with tenant_context(self.company):
            run = SyncRun.objects.get(pk=self.run.pk)
            told = (run.inserted_count, run.updated_count, run.deleted_count, run.rejected_count)
            assert (run.state, told) == (RunState.SUCCEEDED, (0, 0, 0, 0))
            assert not FactChange.objects.filter(run=run.pk).exists()
            self.check_records()


class Stop:
    """Holds a source's answer up at a page, until somebody says to go on."""

    def __init__(self, fake: RestFake, pages: int) -> None:
        self._at = len(fake.calls) + pages
        self._go, self._reached = threading.Event(), threading.Event()
        fake.before = self._wait

    def reached(self) -> bool:
        return self._reached.is_set()

    def go_on(self) -> None:
        self._go.set()

    def _wait(self, call: int) -> None:
        if call >= self._at:
            self._reached.set()
            self._go.wait(60)


@pytest.fixture
def syncing(committed_db: None, acme: Company, globex: Company) -> Iterator[list[Syncing]]:
    """acme with the records in which workers are killed, and globex."""
    with ExitStack() as stack:
        both = []
        for company, count in ((acme, RECORDS), (globex, RECORDS_BESIDE)):
            fake = RestFake("keyset", "bearer", page_size=PAGE)
            stack.enter_context(served(fake))
            fake.world.now = fake.now() - timedelta(days=20)
            both.append(Syncing(company, fake, count))
        yield both


def kill_within(ours: Syncing, running: Worker, start: Callable[..., Worker], chance: random.Random) -> Worker:
    """Kill the child that reads our source, or all of the worker, at a random moment; the worker that goes on."""
    stop = Stop(ours.fake, pages=chance.randint(2, 8))
    assert wait_for(stop.reached), "The source is not read."
    pids: list[int] = []
    assert wait_for(lambda: bool(pids.extend(running.busy_children(ours.company)) or pids)), "Nobody is at work."
    stop.go_on()
    ours.fake.before = lambda call: None
    time.sleep(chance.uniform(0, 0.2))
    if chance.random() < 0.7:
        running.kill_children(pids)
        return running
    running.kill()
    return start()


def test_killed_again_and_again_nothing_is_lost_nothing_doubled(syncing: list[Syncing], worker: Any):
    ours, theirs = syncing
    chance, running, left = random.Random(KILLS), worker(), KILLS
    while left:
        kills = min(left, KILLS_A_RUN)
        theirs.begin()
        ours.begin()
        for _ in range(kills):
            running = kill_within(ours, running, worker, chance)
        assert wait_for(all_done, seconds=120), list(Event.objects.values_list("handler", "state", "error"))
        with tenant_context(ours.company):
            assert SyncRun.objects.get(pk=ours.run.pk).attempts == kills + 1
        ours.check()
        theirs.check()
        left -= kills
    for each in syncing:
        each.fake.world.tick(minutes=10)
        each.ask()
    assert wait_for(all_done)
    for each in syncing:
        each.check_unchanged()
