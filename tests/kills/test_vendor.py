"""Children of the pool killed with -9 in first loads of a Salesforce org: a job, and streams that refer to others."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from integrations.choices import RunState
from integrations.models import Connection, RawRecord, SyncRun
from integrations.services.connections import pause_connection
from integrations.services.presets import propose_preset, take_preset
from integrations.services.runs import sync_now
from kpis.models import Account, Activity, Deal, DealCredit, DealStageEvent, FactChange, Person, Team
from tenants.context import tenant_context
from tenants.models import Company
from tenants.outbox.models import Event
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import Call, served
from tests.integrations.conftest import _own_media  # noqa: F401 - fixture
from tests.integrations.sources import connect
from tests.kills.test_pulled import Stop
from tests.worker import Worker, all_done, wait_for

pytestmark = pytest.mark.gate

ROUNDS = {"proof": 8}.get(os.environ.get("MAWARU_TIER", "test"), 1)
PAGE = 500
DEALS, DEALS_BESIDE = 10_500, 300  # more than 10,000 are read by a job
STREAMS = ("UserRole", "User", "Account", "Opportunity", "OpportunitySplit", "OpportunityHistory", "Task", "Event")
# Where a child is killed in each load, one after the other: among queries, in a job, in what refers to it.
PLACES: tuple[Callable[[Call], bool], ...] = (
    lambda call: " FROM Account " in call.query.get("q", ""),
    lambda call: call.path.endswith("/results"),
    lambda call: " FROM OpportunityHistory " in call.query.get("q", ""),
)
Facts = dict[str, dict[str, tuple[Any, ...]]]


class Org:
    """An org, what is true there, and the company's connection that has never read it."""

    def __init__(self, company: Company, number: int, deals: int, stack: ExitStack) -> None:
        self.company = company
        self.source = f"sf{number}"
        self.fake = SalesforceFake(page_size=PAGE)
        stack.enter_context(served(self.fake))
        for world in self.fake.worlds.values():
            world.now = self.fake.now() - timedelta(days=20)
        self.truth = self._fill(deals)
        with tenant_context(company):
            self.connection = self._connect()

    def _connect(self) -> Connection:
        described = {"kind": "salesforce", "description": self.fake.description(*STREAMS)}
        made = connect(self.fake, name=self.source, source=self.source, **described)
        # It is read when the test says so.
        pause_connection(connection=made, now=timezone.now())
        found = propose_preset(connection=made, preset="salesforce_standard")
        mappings = [each.mapping for each in found.usable]
        take_preset(connection=made, preset="salesforce_standard", mappings=mappings, now=timezone.now())
        made.refresh_from_db()
        return made

    def _fill(self, deals: int) -> Facts:
        """Of the deals a fourth have a stage, a task and a meeting, a tenth a split; each 50th account is deleted."""
        worlds, truth = self.fake.worlds, Facts()
        truth["teams"] = {f"00E{at}": (f"課{at}",) for at in range(5)}
        truth["people"] = {f"005{at:03}": (f"担当{at}",) for at in range(40)}
        for id, (name,) in truth["teams"].items():
            worlds["UserRole"].put(id, Name=name)
        for at, (id, (name,)) in enumerate(truth["people"].items()):
            worlds["User"].put(id, Name=name, UserRoleId=f"00E{at % 5}", IsActive=True)
        owners = list(truth["people"])
        accounts = {f"001{at:05}": (f"取引先{at}", owners[at % 40]) for at in range(deals // 4)}
        for id, (name, owner) in accounts.items():
            worlds["Account"].put(id, Name=name, OwnerId=owner)
        for id in list(accounts)[::50]:
            worlds["Account"].delete(id)
        truth["accounts"] = {id: row for id, row in accounts.items() if not worlds["Account"].things[id].is_deleted}
        alive = list(truth["accounts"])
        self.binned = len(accounts) - len(alive)
        truth |= {"deals": {}, "credits": {}, "stages": {}, "activities": {}}
        worlds["OpportunitySplitType"].put("149R", IsTotalValidated=True)
        for at in range(deals):
            self._put_deal(at, alive[at % len(alive)], owners[at % 40], truth)
        return truth

    def _put_deal(self, at: int, account: str, owner: str, truth: Facts) -> None:
        worlds, id = self.fake.worlds, f"006{at:05}"
        won = {"StageName": "受注", "IsClosed": True, "IsWon": True, "CloseDate": "2026-10-20"}
        worlds["Opportunity"].put(id, Name=f"案件{at}", AccountId=account, OwnerId=owner, Amount=at * 100.0, **won)
        truth["deals"][id] = (account, owner, Decimal(at * 100), "won")
        about = {"OwnerId": owner, "AccountId": account, "WhatId": id}
        if at % 4 == 0:
            worlds["OpportunityHistory"].put(f"008{at:05}", OpportunityId=id, StageName="受注")
            truth["stages"][f"008{at:05}"] = (id, "受注")
            worlds["Task"].put(
                f"00T{at:05}", TaskSubtype="Call", CompletedDateTime="2026-10-02T01:30:00.000+0000", **about
            )
            worlds["Event"].put(f"00U{at:05}", StartDateTime="2026-10-05T01:00:00.000+0000", **about)
            truth["activities"] |= {f"00T{at:05}": (id, owner, "call"), f"00U{at:05}": (id, owner, "meeting")}
        if at % 10 == 0:
            worlds["OpportunitySplit"].put(
                f"1S{at:05}", OpportunityId=id, SplitOwnerId=owner, SplitPercentage=100.0, SplitTypeId="149R"
            )
            truth["credits"][f"1S{at:05}"] = (id, owner, Decimal(1))

    def ask(self) -> None:
        with tenant_context(self.company):
            self.run = sync_now(connection=self.connection, actor=None, now=timezone.now())

    def stored(self) -> Facts:
        """What the company holds of this org, each fact with the records that it refers to."""

        def rows(model: Any, *fields: str) -> dict[str, tuple[Any, ...]]:
            held = model.objects.filter(source=self.source)
            found = {
                id: tuple(values) for id, *values in held.filter(deleted_at=None).values_list("external_id", *fields)
            }
            assert held.count() == held.values("external_id").distinct().count() == len(found), model
            return found

        return {
            "teams": rows(Team, "name"),
            "people": rows(Person, "name"),
            "accounts": rows(Account, "name", "owner__external_id"),
            "deals": rows(Deal, "account__external_id", "owner__external_id", "amount", "outcome"),
            "credits": rows(DealCredit, "deal__external_id", "person__external_id", "share"),
            "stages": rows(DealStageEvent, "deal__external_id", "phase"),
            "activities": rows(Activity, "deal__external_id", "owner__external_id", "kind"),
        }

    def check(self, kills: int) -> None:
        """Nothing is lost, nothing doubled: facts, what they refer to, what was kept, and what the run says."""
        count = sum(map(len, self.truth.values()))
        with tenant_context(self.company):
            run = SyncRun.objects.get(pk=self.run.pk)
            assert (run.state, run.problem_code, run.attempts) == (RunState.SUCCEEDED, "", kills + 1)
            told = (run.inserted_count, run.updated_count, run.unchanged_count, run.rejected_count)
            assert told == (count, 0, self.binned, 0)
            assert not FactChange.objects.filter(run=run.pk).exists()
            assert self.stored() == self.truth
            kept = RawRecord.objects.filter(connection=self.connection)
            assert kept.count() == kept.values("stream", "external_id").distinct().count()

    def check_unchanged(self) -> None:
        """A run after the last one has changed nothing."""
        with tenant_context(self.company):
            run = SyncRun.objects.get(pk=self.run.pk)
            told = (run.inserted_count, run.updated_count, run.deleted_count, run.rejected_count)
            assert (run.state, told) == (RunState.SUCCEEDED, (0, 0, 0, 0))
            assert self.stored() == self.truth


@pytest.fixture
def orgs(committed_db: None, acme: Company, globex: Company) -> Iterator[Callable[[Company, int, int], Org]]:
    with ExitStack() as stack:
        yield lambda company, number, deals: Org(company, number, deals, stack)


class Hold(Stop):
    """Holds an org's answer up so many calls after reading came to a place, until somebody says to go on."""

    def __init__(self, fake: SalesforceFake, place: Callable[[Call], bool], calls: int) -> None:
        super().__init__(fake, 0)
        self._fake, self._place, self._calls, self._is_there = fake, place, calls, False

    def _wait(self, call: int) -> None:
        self._is_there = self._is_there or self._place(self._fake.calls[-1])
        if self._is_there:
            self._calls -= 1
        if self._calls < 0:
            super()._wait(call)


def kill_at(org: Org, place: Callable[[Call], bool], running: Worker, chance: random.Random) -> None:
    """Kill the child that reads the org, at a random moment soon after it came to a place."""
    stop = Hold(org.fake, place, calls=chance.randint(1, 6))
    assert wait_for(stop.reached), "The org is not read."
    pids: list[int] = []
    assert wait_for(lambda: bool(pids.extend(running.busy_children(org.company)) or pids)), "Nobody is at work."
    stop.go_on()
    org.fake.before = lambda call: None
    time.sleep(chance.uniform(0, 0.2))
    running.kill_children(pids)


def test_killed_in_first_loads_nothing_is_lost_nothing_doubled(orgs: Any, worker: Any, acme: Company, globex: Company):
    chance, running = random.Random(ROUNDS), worker()
    theirs = orgs(globex, 0, DEALS_BESIDE)
    theirs.ask()
    assert wait_for(all_done)
    for number in range(1, ROUNDS + 1):
        ours = orgs(acme, number, DEALS)
        ours.ask()
        for place in PLACES:
            kill_at(ours, place, running, chance)
        assert wait_for(all_done, seconds=180), list(Event.objects.values_list("handler", "state", "error"))
        # Who goes on finds the job that was made, but for one that was asked for in the moment of the kill.
        assert ours.fake.made_jobs <= 2
        ours.check(kills=len(PLACES))
        theirs.check(kills=0)
    for org in (ours, theirs):
        org.ask()
    assert wait_for(all_done, seconds=180)
    for org in (ours, theirs):
        org.check_unchanged()
