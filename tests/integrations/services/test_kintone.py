"""A kintone connection from its credentials to the facts that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import stamina
import time_machine
from django.utils import timezone

from integrations.choices import RunState, describe_problem
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, SyncRun
from integrations.services import pulling
from integrations.services.connections import ConnectionRequestError, change_source
from integrations.services.inspection import check_source
from integrations.services.sync import run_sync
from kpis.models import Deal, DealLine
from tests.fakes.kintone import APP, EMPTY_APP, TOKEN, KintoneFake
from tests.fakes.server import served
from tests.integrations.sources import connect, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

NOW = timezone.now()
DEALS = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="$id"),
        FieldRule("name", column="name", optional=True),
        FieldRule("created_on", column="受注予定日"),
        FieldRule("amount", column="amount", optional=True),
    ),
)
LINES = StreamMapping(
    stream="lines",
    resource="deal-lines",
    position=20,
    reads="deals",
    each="明細",
    rules=(
        FieldRule("external_id", template="{$id}-{明細.$id}"),
        FieldRule("deal", column="$id"),
        FieldRule("product", column="明細.商品"),
        FieldRule("amount", column="明細.小計"),
    ),
)
ACTIVITIES = StreamMapping(
    stream="activities",
    resource="activities",
    position=30,
    reads="activities",
    rules=(
        FieldRule("external_id", column="$id"),
        FieldRule("kind", column="確度"),
        FieldRule("happened_on", column="受注予定日"),
    ),
)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def fake() -> Iterator[KintoneFake]:
    made = KintoneFake()
    with served(made):
        made.world.now = made.now() - timedelta(days=2)
        made.world.put(
            "D001",
            name="新規導入",
            amount="1200000",
            受注予定日="2026-11-30",
            明細=[{"id": 901, "商品": "保守", "小計": "200000"}, {"id": 902, "商品": "導入", "小計": "1000000"}],
        )
        yield made


def connect_kintone(fake: KintoneFake, *mappings: StreamMapping, **changes: object) -> Connection:
    return connect(fake, *mappings, kind="kintone", source="kintone", description={**fake.description(), **changes})


@pytest.fixture
def connection(fake: KintoneFake) -> Connection:
    apps = [{"app": APP, "name": "deals"}, {"app": EMPTY_APP, "name": "activities"}]
    return connect_kintone(fake, DEALS, LINES, ACTIVITIES, apps=apps)


def spent(connection: Connection) -> SyncRun:
    """Reads until the source may be called no more today; the run that waits then."""
    for _ in range(60):
        run = sync(connection)
        if run.state != RunState.SUCCEEDED:
            assert run.state == RunState.QUEUED
            return run
    raise AssertionError("the calls never end")


def lines() -> dict[str, int]:
    return {each.external_id: int(each.amount) for each in DealLine.objects.filter(deleted_at=None)}


class TestSync:
    def test_deals_and_the_rows_of_their_table_are_stored(self, connection):
        run = sync(connection)
        assert (run.state, run.rejected_count) == (RunState.SUCCEEDED, 0)
        assert [(each.external_id, each.name, int(each.amount)) for each in Deal.objects.all()] == [
            ("1", "新規導入", 1_200_000)
        ]
        assert lines() == {"1-901": 200_000, "1-902": 1_000_000}

    def test_a_second_run_changes_nothing(self, connection):
        sync(connection)
        run = sync(connection)
        assert (run.inserted_count, run.updated_count, run.deleted_count) == (0, 0, 0)

    def test_a_row_that_leaves_the_table_leaves_the_facts(self, connection, fake):
        sync(connection)
        fake.world.tick(hours=1)
        fake.world.put("D001", 明細=[{"id": 902, "商品": "導入", "小計": "900000"}])
        sync(connection)
        assert lines() == {"1-902": 900_000}

    def test_an_app_that_does_not_open_is_named_and_the_others_are_read(self, connection):
        change_source(connection=connection, secrets={"tokens": TOKEN}, now=NOW)
        run = sync(connection)
        assert run.state == RunState.PARTLY
        assert Deal.objects.count() == 1
        problems = {each["source_stream"]: each["problem"] for each in run.report["streams"]}
        assert problems["deals"] is None
        assert "GAIA_IA02" in describe_problem(problems["activities"]["code"], problems["activities"]["params"])

    def test_11_a_field_that_is_gone_is_named_and_nothing_stored_is_emptied(self, connection, fake):
        sync(connection)
        fake.rename("amount", "金額")
        fake.world.tick(hours=1)
        fake.world.put("D001", name="変更")
        run = sync(connection)
        problems = {each["stream"]: each["problem"] for each in run.report["streams"]}
        assert (run.state, problems["lines"]) == (RunState.PARTLY, None)
        assert "amount" in describe_problem(problems["deals"]["code"], problems["deals"]["params"])
        assert [(each.name, int(each.amount)) for each in Deal.objects.all()] == [("変更", 1_200_000)]


class TestDailyCalls:
    """kintone counts the calls of an app from nine to nine in Japan, and tells nobody."""

    @pytest.fixture
    def few(self, fake, monkeypatch) -> Connection:
        # Each test has a cache of its own, of which a thread beside would know nothing.
        monkeypatch.setattr(pulling, "can_be_read_beside", lambda connection: False)
        return connect_kintone(fake, DEALS, daily_calls=100)

    def test_16_four_fifths_of_an_apps_day_are_the_most_it_takes(self, few, fake):
        with time_machine.travel("2026-11-25T08:00:00+09:00", tick=False):
            run = spent(few)
            assert run.problem_code == "budget_spent"
            assert (run.not_before - timezone.now()).total_seconds() == pytest.approx(3600, abs=5)
            assert len(fake.calls) == 80
            few.refresh_from_db()
            assert (few.quota["used"], few.quota["limit"]) == (80, 100)
        with time_machine.travel("2026-11-25T09:00:10+09:00", tick=False):
            assert run_sync(run_id=run.pk, owner="late", now=timezone.now()).state == RunState.SUCCEEDED

    def test_16_a_test_of_the_connection_is_possible_all_the_same(self, few):
        spent(few)
        assert check_source(connection=few, today=timezone.localdate()).is_good


class TestCreate:
    def test_asks_for_tokens_and_what_stands_before_kintone(self, fake):
        with pytest.raises(ConnectionRequestError) as caught:
            connect_kintone(fake, basic_auth=True)
        assert caught.value.field == "secrets.username"

    def test_refuses_a_description_with_the_place_of_its_fault(self, fake):
        with pytest.raises(ConnectionRequestError) as caught:
            connect_kintone(fake, apps=[{"app": "12", "name": "deals"}])
        assert caught.value.field == "description.apps.0.app"
