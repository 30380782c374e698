"""Fault seeds: a source that is edited, fails and is late at random, and workers that are lost while it is read.

In the end what is stored equals what is true at the source, mapped here in plain Python, and reading again changes
nothing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import stamina
from django.utils import timezone

from integrations.choices import RunState
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Checkpoint, Connection, RawRecord, SyncRun
from integrations.services import storing
from integrations.services.resync import resync
from integrations.services.runs import sync_now
from integrations.services.sync import run_sync
from kpis.models import Deal, FactChange
from tests.fakes.hubspot import HubSpotFake, _property, limited, refused
from tests.fakes.rest import PAGING, RestFake
from tests.fakes.server import Reply, served
from tests.integrations.lost_workers import LOST, kill_somewhere
from tests.integrations.sources import connect

QUICK = 3
SEEDS = {"test": QUICK, "gate": 20, "proof": 200}[os.environ.get("MAWARU_TIER", "test")]
STEPS = 25
OUTCOMES = {"受注": "won", "失注": "lost", "商談中": "open"}
UNREADABLE = "謎"
MAPPING = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="uid"),
        FieldRule("name", column="name"),
        FieldRule("created_on", column="created"),
        FieldRule("closed_on", column="closed"),
        FieldRule("amount", column="amount"),
        FieldRule("outcome", column="stage", values=OUTCOMES),
    ),
)
FAULTS = [
    Reply(429, {"message": "slow down"}, {"Retry-After": "0"}),
    Reply(429, {"message": "later"}, {"Retry-After": "600"}),
    Reply(500, {"message": "oops"}),
    Reply(502, None),
    Reply(503, {"message": "maintenance"}, {"Retry-After": "1200"}),
    Reply(401, {"message": "who are you?"}),
    Reply(403, {"message": "not now"}),
    Reply(404, {"message": "moved, perhaps"}),
    Reply(200, None, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
    Reply(200, {"data": {}}),
    Reply(200, None, {}, b'{"data": {"items": [{"uid": "D00'),
]


class Walk:
    """A source, a connection to it, and the time that passes for both; the source's clock is off all along."""

    faults = FAULTS

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.fake = self.source()
        self.passed = timedelta()
        self.skew = timedelta(minutes=self.chance.uniform(-30, 30))
        self.workers = 0
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(storing, "CHUNK_RECORDS", self.chance.randint(1, 9))

    def source(self) -> Any:
        auth = self.chance.choice(["bearer", "oauth2_client_credentials"])
        return RestFake(self.chance.choice(PAGING), auth, page_size=self.chance.randint(1, 7))

    def connected(self) -> Connection:
        return connect(self.fake, MAPPING)

    def begin(self) -> None:
        self.pass_time(seconds=0)
        for _ in range(self.chance.randint(0, 15)):
            self.create()
        self.connection = self.connected()

    def now(self) -> datetime:
        return timezone.now() + self.passed

    def pass_time(self, **passed: float) -> None:
        self.passed += timedelta(**passed)
        self.fake.clock_ahead = self.passed + self.skew
        self.fake.world.now = self.fake.now()

    # What people do at the source.

    def create(self) -> None:
        number = len(self.fake.world.things) + 1
        day = date(2026, 4, 1) + timedelta(days=self.chance.randint(0, 200))
        self.fake.world.put(f"D{number:04}", name=f"案件{number}", created=day.isoformat(), **self._progress(day))

    def edit(self) -> None:
        if name := self._one_of(self._alive()):
            day = date.fromisoformat(self.fake.world.things[name].values["created"])
            # Some commits are late: their stamp lies a little below what was read already.
            late = timedelta(seconds=self.chance.choice([0, 0, 0, 30]))
            self.fake.world.put(name, at=self.fake.world.now - late, **self._progress(day))

    def spoil(self) -> None:
        if name := self._one_of(self._alive()):
            self.fake.world.put(name, stage=UNREADABLE)

    def delete(self) -> None:
        if name := self._one_of(self._alive()):
            self.fake.world.delete(name)

    def restore(self) -> None:
        things = self.fake.world.things
        if name := self._one_of([name for name, it in things.items() if it.is_deleted and not it.merged_into]):
            self.fake.world.put(name)

    def merge(self) -> None:
        alive = self._alive()
        if len(alive) > 1:
            self.fake.world.merge(*self.chance.sample(alive, 2))

    # What goes wrong on the way.

    def fail(self) -> None:
        self.fake.fail(*self.chance.choices([None, *self.faults], k=self.chance.randint(1, 6)))

    def expire(self) -> None:
        if self.fake.auth != "bearer":
            self.fake.expire_token()

    def shift_clock(self) -> None:
        self.skew += timedelta(seconds=self.chance.uniform(-20, 20))
        self.pass_time(seconds=1)

    def edit_meanwhile(self) -> None:
        """Somebody works at the source while its next pages are read."""
        at = len(self.fake.calls) + self.chance.randint(1, 4)

        def work(call: int) -> None:
            if call >= at:
                self.fake.before = lambda later: None
                self.chance.choice([self.create, self.edit, self.delete])()

        self.fake.before = work

    # How it is read.

    def read(self, *, lap_seconds: float = 60) -> SyncRun:
        """One worker takes the run on that is under way or asked for now."""
        self.workers += 1
        sync_now(connection=self.connection, actor=None, now=self.now())
        # The source's patience has been awaited by the time somebody looks again.
        SyncRun.objects.filter(state=RunState.QUEUED).update(not_before=None)
        under_way = SyncRun.objects.filter(state__in=[RunState.RUNNING, RunState.QUEUED]).order_by("id")
        run = under_way.filter(state=RunState.RUNNING).first() or under_way.first()
        assert run is not None
        run_sync(run_id=run.pk, owner=f"worker {self.workers}", now=self.now(), lap_seconds=lap_seconds)
        run.refresh_from_db()
        return run

    def read_a_lap(self) -> None:
        self.read(lap_seconds=0)

    def lose_a_worker(self) -> None:
        with self._monkeypatch.context() as patched:
            kill_somewhere(self.chance, patched)
            try:
                self.read()
            except LOST:
                assert SyncRun.objects.filter(state=RunState.RUNNING).count() == 1

    def begin_anew(self) -> None:
        resync(connection=self.connection, since=None, actor=None, now=self.now())

    def step(self) -> None:
        self.pass_time(minutes=self.chance.uniform(1, 90))
        self.chance.choice(
            [
                *[self.create, self.edit, self.edit, self.delete, self.restore, self.merge, self.spoil],
                *[self.fail, self.fail, self.expire, self.shift_clock, self.edit_meanwhile],
                *[self.read, self.read, self.read_a_lap, self.lose_a_worker, self.lose_a_worker],
            ]
        )()
        if self.chance.random() < 0.03:
            self.begin_anew()

    def settle(self) -> None:
        """The source is well again, what nobody could read is corrected, and it is read until a run succeeds."""
        self.fake.faults, self.fake.before = [], lambda call: None
        for name in self._alive():
            if self.fake.world.things[name].values["stage"] == UNREADABLE:
                self.fake.world.put(name, stage="商談中")
        # Runs that were asked for before may have read what is corrected since; and one that goes on within a list
        # that was broken off is complete as of the beginning of the list. Those that count come after them.
        last_asked = SyncRun.objects.order_by("id").last()
        for _ in range(8):
            self.pass_time(minutes=5)
            goes_on = Checkpoint.objects.filter(cursor__position__has_key="resume").exists()
            run = self.read()
            is_new = not goes_on and (last_asked is None or run.pk > last_asked.pk)
            if run.state == RunState.SUCCEEDED and is_new:
                return
        pytest.fail(f"No run succeeds: {list(SyncRun.objects.values_list('state', 'problem_code', 'problem_params'))}")

    def truth(self) -> dict[str, tuple[Any, ...]]:
        """What is true at the source, mapped in plain Python."""
        return {name: mapped(values) for name, values in self.fake.world.alive().items()}

    def _progress(self, created: date) -> dict[str, Any]:
        closed = created + timedelta(days=self.chance.randint(1, 90))
        amount, stage = self.chance.randrange(10_000_000), self.chance.choice(list(OUTCOMES))
        return {"amount": amount, "stage": stage, "closed": "" if stage == "商談中" else closed.isoformat()}

    def _alive(self) -> list[str]:
        return list(self.fake.world.alive())

    def _one_of(self, names: list[str]) -> str:
        return self.chance.choice(names) if names else ""


class HubSpotWalk(Walk):
    """An account of HubSpot: a first load by list, then windows of a search that lags, each behind its archive."""

    faults = (
        *FAULTS,
        limited("SECONDLY"),
        limited("TEN_SECONDLY_ROLLING"),
        limited("DAILY"),
        refused(423, "locked", "LOCKED"),
        Reply(207, {"results": [], "errors": [{"category": "INTERNAL", "message": "shard away"}]}),
    )

    def source(self) -> HubSpotFake:
        fake = HubSpotFake("deals", self.chance.choice(["service_key", "oauth"]), self.chance.randint(1, 7))
        fake.extra["deals"] = [_property(name, name) for name in ("created", "closed", "stage")]
        fake.lag = timedelta(seconds=self.chance.choice([0, 30, 120]))
        return fake

    def connected(self) -> Connection:
        own = tuple(replace(rule, column="id") if rule.field == "external_id" else rule for rule in MAPPING.rules)
        description = {**self.fake.description(), "objects": ["deals"]}
        return connect(self.fake, replace(MAPPING, rules=own), kind="hubspot", description=description)

    def merge(self) -> None:
        """Who is left keeps its id, or gets a new one."""
        alive = self._alive()
        if len(alive) > 1 and self.chance.random() < 0.5:
            self.fake.world.merge_into_new(*self.chance.sample(alive, 2), f"D{len(self.fake.world.things) + 1:04}")
        else:
            super().merge()


def mapped(values: Mapping[str, Any]) -> tuple[Any, ...]:
    closed = date.fromisoformat(values["closed"]) if values["closed"] else None
    created, amount = date.fromisoformat(values["created"]), Decimal(values["amount"])
    return values["name"], created, closed, amount, OUTCOMES[values["stage"]]


def stored() -> dict[str, tuple[Any, ...]]:
    fields = ("external_id", "name", "created_on", "closed_on", "amount", "outcome")
    found = list(Deal.objects.filter(deleted_at=None).values_list(*fields))
    assert len(found) == len({external_id for external_id, *_ in found})
    return {external_id: tuple(rest) for external_id, *rest in found}


@pytest.fixture
def walk(request: pytest.FixtureRequest, in_acme: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    kind, seed = request.param
    made = kind(seed, monkeypatch)
    with served(made.fake), stamina.set_testing(True, attempts=2, cap=True):
        made.begin()
        yield made


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param((kind, seed), id=f"{name}-{seed}", marks=() if seed < QUICK else pytest.mark.gate)
        for name, kind in (("rest", Walk), ("hubspot", HubSpotWalk))
        for seed in range(SEEDS)
    ],
    indirect=True,
)
def test_ends_equal_to_what_is_true_at_the_source(walk: Walk):
    for _ in range(STEPS):
        walk.step()
    walk.settle()
    assert stored() == walk.truth()

    changes, kept = FactChange.objects.count(), RawRecord.objects.count()
    walk.pass_time(minutes=5)
    again = walk.read()
    assert again.state == RunState.SUCCEEDED
    assert (again.inserted_count, again.updated_count, again.deleted_count, again.rejected_count) == (0, 0, 0, 0)
    assert (FactChange.objects.count(), RawRecord.objects.count()) == (changes, kept)
    assert stored() == walk.truth()
