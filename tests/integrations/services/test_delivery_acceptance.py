"""What every way in must get right up to what is stored: sources that are called, a watched folder, the push API.

The world holds accounts by name. Ways are told apart by what they can do, so that no test has to be skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import stamina
from django.utils import timezone

from integrations.choices import Carries, RunState
from integrations.connectors.kintone import KintoneConnector
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import SyncRun
from integrations.services import deliveries, storing
from integrations.services.connections import create_connection
from integrations.services.runs import look_into, sync_now
from integrations.services.sync import run_sync
from integrations.services.uploads import SETTLED_AFTER, inbox_path
from kpis.models import Account, FactChange
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.kintone import KintoneFake
from tests.fakes.rest import RestFake
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import served
from tests.fakes.world import World
from tests.integrations.sources import connect

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
TOO_LONG = "長" * 301


def work(laps: int = 50) -> None:
    """Workers, each for one lap: the run that is under way, then those that were asked for meanwhile."""
    for lap in range(laps):
        waiting = SyncRun.objects.filter(state__in=[RunState.RUNNING, RunState.QUEUED])
        run = waiting.filter(state=RunState.RUNNING).first() or waiting.first()
        if run is None:
            return
        run_sync(run_id=run.pk, owner=f"worker {lap}", now=timezone.now(), lap_seconds=0)


class Way:
    """One way in, and what is true at its other end."""

    world: World
    called: str = "name"

    def put(self, id: str, name: str) -> None:
        self.world.tick(minutes=10)
        self.world.put(id, **{self.called: name})

    def delete(self, id: str) -> None:
        self.world.tick(minutes=10)
        self.world.delete(id)

    def truth(self) -> dict[str, str]:
        return {id: values[self.called] for id, values in self.world.alive().items()}

    def stored(self) -> dict[str, str]:
        return dict(Account.objects.filter(deleted_at=None).values_list("external_id", "name"))

    def deliver(self) -> None:
        """Everything that the other end has to say now, to its end."""
        raise NotImplementedError

    def die_in_the_middle(self) -> None:
        """Begin a delivery of several parts, and be gone after the first."""
        raise NotImplementedError


class Pulled(Way):
    """A source that is called."""

    def __init__(self, stack: ExitStack, kind: str, fake: Any, reads: str, id: str, name: str, world: World) -> None:
        stack.enter_context(served(fake))
        self.fake, self.world, self.called = fake, world, name
        self._column = getattr(fake, "columns", {}).get(name, name)
        world.now = fake.now() - timedelta(days=2)
        rules = (FieldRule("external_id", column=id), FieldRule("name", column=self._column))
        description = fake.document() if kind == "rest" else fake.description()
        mapping = StreamMapping("accounts", "accounts", 10, reads, rules)
        self.connection = connect(fake, mapping, kind=kind, description=description)

    def deliver(self) -> None:
        sync_now(connection=self.connection, actor=None, now=timezone.now())
        work()

    def die_in_the_middle(self) -> None:
        sync_now(connection=self.connection, actor=None, now=timezone.now())
        work(laps=1)

    def stored(self) -> dict[str, str]:
        return {self.fake.world_id(id): name for id, name in super().stored().items()}


class Folder(Way):
    """A folder into which another system writes all it has as a CSV."""

    def __init__(self) -> None:
        self.world = World()
        self.connection = create_connection(
            name="共有",
            source="crm",
            carries=Carries.SFA,
            preset="contract",
            every=timedelta(days=1),
            now=timezone.now(),
        )
        self._written = 0

    def _look(self) -> None:
        folder = inbox_path(connection=self.connection)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{id},{name}" for id, name in self.truth().items()]
        file = folder / "accounts.csv"
        file.write_text("\n".join(["external_id,name", *lines, ""]), encoding="utf-8")
        self._written += 1
        at = (timezone.now() - SETTLED_AFTER - timedelta(hours=1)).timestamp() + self._written
        os.utime(file, (at, at))
        self.connection.refresh_from_db()
        look_into(connection=self.connection, now=timezone.now())

    def deliver(self) -> None:
        self._look()
        work()

    def die_in_the_middle(self) -> None:
        self._look()
        work(laps=1)


class Pushed(Way):
    """A system that sends its records to our API, all of them every time, three at once."""

    def __init__(self, client: Any) -> None:
        self.world = World()
        self._client = client

    def deliver(self, batches: int | None = None) -> None:
        records: list[dict[str, Any]] = [{"external_id": id, "name": name} for id, name in self.truth().items()]
        records += [{"external_id": each.id, "deleted": True} for each in self.world if each.is_deleted]
        for first in list(range(0, len(records), 3))[:batches]:
            body = {"source": "crm", "records": records[first : first + 3]}
            answer = self._client.post("/api/v1/facts/accounts/bulk/", body, content_type="application/json")
            assert answer.status_code == 200

    def die_in_the_middle(self) -> None:
        self.deliver(batches=1)


def pulled(kind: str) -> Callable[[ExitStack, Any], Way]:
    def make(stack: ExitStack, _client: Any) -> Way:
        match kind:
            case "rest":
                rest = RestFake("keyset", "bearer")
                return Pulled(stack, kind, rest, "deals", "uid", "name", rest.world)
            case "salesforce":
                org = SalesforceFake()
                return Pulled(stack, kind, org, "Account", "Id", "name", org.world)
            case "hubspot":
                account = HubSpotFake("companies")
                return Pulled(stack, kind, account, "companies", "id", "name", account.world)
        kintone = KintoneFake()
        return Pulled(stack, kind, kintone, "deals", "$id", "name", kintone.world)

    return make


TELLING: dict[str, Callable[[ExitStack, Any], Way]] = {
    **{kind: pulled(kind) for kind in ("rest", "salesforce", "hubspot")},
    "push": lambda stack, client: Pushed(client),
}
# Neither kintone nor a file tells what was deleted.
WAYS = {**TELLING, "kintone": pulled("kintone"), "folder": lambda stack, client: Folder()}


@pytest.fixture
def way(request: pytest.FixtureRequest, caller: Any, key_for: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
    monkeypatch.setattr(deliveries, "PIECE_RECORDS", 3)
    monkeypatch.setattr(KintoneConnector, "of", partial(KintoneConnector.of, page_size=3))
    with ExitStack() as stack, stamina.set_testing(True, attempts=2, cap=True):
        yield WAYS[request.param](stack, caller(key_for("read", "write")))


def fill(way: Way, count: int) -> None:
    for number in range(1, count + 1):
        way.put(f"D{number:03}", f"会社{number}")


@pytest.mark.parametrize("way", WAYS, indirect=True)
class TestEveryWay:
    def test_everything_arrives_and_a_second_delivery_changes_nothing(self, way):
        fill(way, 8)
        way.deliver()
        assert way.stored() == way.truth()
        before = list(Account.objects.order_by("pk").values())
        way.deliver()
        assert list(Account.objects.order_by("pk").values()) == before
        assert not FactChange.objects.exists()

    def test_an_edit_is_one_change(self, way):
        fill(way, 8)
        way.deliver()
        way.put("D003", "改名")
        way.put("D009", "新規")
        way.deliver()
        assert way.stored() == way.truth()
        assert [each.changes["name"] for each in FactChange.objects.all()] == [["会社3", "改名"]]

    def test_a_bad_record_is_refused_and_the_others_are_stored(self, way):
        fill(way, 5)
        way.put("D002", TOO_LONG)
        way.deliver()
        truth = way.truth()
        assert truth.pop("D002") == TOO_LONG
        assert way.stored() == truth
        way.put("D002", "短い")
        way.deliver()
        assert way.stored() == way.truth()

    def test_a_delivery_that_ended_in_the_middle_is_completed(self, way):
        fill(way, 11)
        way.die_in_the_middle()
        assert 0 < len(way.stored()) < 11
        way.deliver()
        assert way.stored() == way.truth()
        assert Account.objects.count() == 11


@pytest.mark.parametrize("way", TELLING, indirect=True)
class TestWhatTellsDeletions:
    def test_07_what_was_deleted_leaves_and_may_come_back(self, way):
        fill(way, 5)
        way.deliver()
        way.delete("D002")
        way.deliver()
        assert way.stored() == way.truth()
        way.put("D002", "復活")
        way.deliver()
        assert way.stored() == way.truth()
        assert Account.objects.count() == 5


@pytest.mark.parametrize("way", ["kintone", "folder"], indirect=True)
class TestWhatDoesNot:
    def test_07_what_is_not_said_again_is_not_taken_for_deleted(self, way):
        fill(way, 5)
        way.deliver()
        way.delete("D002")
        way.deliver()
        assert len(way.stored()) == 5
