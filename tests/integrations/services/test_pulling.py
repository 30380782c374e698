"""A source that is called: what is true there is true here, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import stamina
from django.utils import timezone

from integrations.choices import Health, RunState, describe_problem
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, RawRecord, RejectedRecord, SyncRun
from integrations.selectors.connections import health_of
from integrations.services import storing
from integrations.services.connections import (
    ConnectionRequestError,
    change_source,
    create_source,
    pause_connection,
    save_mapping,
)
from integrations.services.resync import resync
from integrations.services.runs import look_into, sync_now
from integrations.services.schedule import DUE_CONNECTION
from integrations.services.sync import run_sync
from kpis.models import Deal, DealLine, FactChange, FactStream
from tenants.models import DueSync
from tests.fakes.rest import TOKEN, RestFake
from tests.fakes.server import Reply, served
from tests.integrations.sources import connect, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

NOW = timezone.now()
DEALS = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="uid"),
        FieldRule("name", column="name", optional=True),
        FieldRule("created_on", column="created"),
        FieldRule("amount", column="amount", optional=True),
        FieldRule("outcome", column="stage", values={"受注": "won", "失注": "lost"}, optional=True),
        FieldRule("source_url", template="https://crm.example.com/deals/{uid}"),
    ),
)
LINES = StreamMapping(
    stream="lines",
    resource="deal-lines",
    position=20,
    reads="deals",
    each="lines",
    rules=(
        FieldRule("external_id", template="{uid}-{lines.no}"),
        FieldRule("deal", column="uid"),
        FieldRule("product", column="lines.product"),
        FieldRule("amount", column="lines.amount"),
    ),
)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def fake() -> Iterator[RestFake]:
    made = RestFake("keyset", "bearer")
    with served(made):
        made.world.now = made.now() - timedelta(days=2)
        yield made


@pytest.fixture
def connection(fake: RestFake) -> Connection:
    return connect(fake, DEALS)


def fill(fake: RestFake, count: int) -> None:
    for number in range(1, count + 1):
        fake.world.tick(minutes=10)
        fake.world.put(f"D{number:03}", name=f"案件{number}", created="2026-10-05", amount=number * 1000, stage="受注")


def stored() -> dict[str, int]:
    return {each.external_id: int(each.amount) for each in Deal.objects.filter(deleted_at=None)}


class TestReading:
    def test_what_is_true_at_the_source_is_stored_with_its_link(self, connection, fake):
        fill(fake, 10)
        run = sync(connection)
        assert (run.state, run.inserted_count, run.rejected_count) == (RunState.SUCCEEDED, 10, 0)
        assert stored() == {f"D{number:03}": number * 1000 for number in range(1, 11)}
        assert Deal.objects.get(external_id="D003").source_url == "https://crm.example.com/deals/D003"
        assert FactStream.objects.get(source="crm", fact="deals").last_success_at is not None

    @pytest.mark.parametrize("told", [(), ("deleted",), ("merged_into",), ("total",)])
    def test_a_source_that_tells_less_of_its_records_is_read_whole(self, in_acme, fake, told):
        fill(fake, 10)
        document = fake.document(increments=False)
        (stream,) = document["streams"]
        for name in {"deleted", "merged_into", "total"} - set(told):
            del stream[name]
        run = sync(connect(fake, DEALS, description=document))
        assert (run.inserted_count, len(stored())) == (10, 10)

    def test_a_second_run_changes_nothing(self, connection, fake):
        fill(fake, 5)
        sync(connection)
        again = sync(connection)
        assert (again.inserted_count, again.updated_count, again.deleted_count) == (0, 0, 0)
        assert FactChange.objects.count() == 0

    def test_changes_deletions_and_merges_arrive(self, connection, fake):
        fill(fake, 5)
        sync(connection)
        fake.world.tick(hours=1)
        fake.world.put("D001", amount=7)
        fake.world.delete("D002")
        fake.world.merge("D003", "D004")
        run = sync(connection)
        assert (run.updated_count, run.deleted_count) == (1, 2)
        assert stored() == {"D001": 7, "D004": 4000, "D005": 5000}

    def test_elements_of_a_list_come_and_go(self, connection, fake):
        save_mapping(connection=connection, mapping=LINES, now=NOW)
        lines = [{"no": 1, "product": "P1", "amount": 10}, {"no": 2, "product": "P2", "amount": 20}]
        fake.world.put("D001", name="一", created="2026-10-05", amount=30, lines=lines)
        sync(connection)
        assert [each.external_id for each in DealLine.objects.order_by("external_id")] == ["D001-1", "D001-2"]
        fake.world.tick(hours=1)
        fake.world.put("D001", lines=[{"no": 2, "product": "P2", "amount": 25}])
        sync(connection)
        left = DealLine.objects.get(deleted_at=None)
        assert (left.external_id, int(left.amount)) == ("D001-2", 25)

    def test_a_bad_record_is_rejected_with_its_reason_and_the_others_are_stored(self, connection, fake):
        fill(fake, 3)
        fake.world.put("D002", stage="謎")
        run = sync(connection)
        assert (run.state, run.inserted_count, run.rejected_count) == (RunState.PARTLY, 2, 1)
        rejected = RejectedRecord.objects.get(run=run)
        assert (rejected.external_id, rejected.raw["stage"]) == ("D002", "謎")
        assert "謎" in rejected.reasons[0]

    def test_bad_records_of_several_chunks_are_all_kept(self, connection, fake, monkeypatch):
        monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
        fill(fake, 9)
        for number in (1, 4, 7):
            fake.world.put(f"D{number:03}", stage="謎")
        run = sync(connection)
        assert (run.state, run.inserted_count) == (RunState.PARTLY, 6)
        rejected = RejectedRecord.objects.filter(run=run).order_by("row")
        assert [(each.row, each.external_id) for each in rejected] == [(1, "D001"), (4, "D004"), (7, "D007")]

    def test_a_lap_that_is_over_goes_on_behind_its_last_page(self, connection, fake, monkeypatch):
        monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
        fill(fake, 11)
        run = sync_now(connection=connection, actor=None, now=NOW)
        done = []
        while not done or done[-1].state == RunState.RUNNING:
            done.append(run_sync(run_id=run.pk, owner=f"worker {len(done)}", now=timezone.now(), lap_seconds=0))
        assert [each.progress_done for each in done] == [3, 6, 9, 11]
        assert (done[-1].state, done[-1].inserted_count, len(stored())) == (RunState.SUCCEEDED, 11, 11)
        asked = [(call.path, *call.query.items()) for call in fake.calls]
        assert len(asked) == len(set(asked)), "what was fetched ahead is not fetched again"


class TestFailing:
    def test_17_one_stream_that_fails_does_not_hold_the_others_up(self, connection, fake):
        document = fake.document()
        document["streams"].append({"name": "gone", "path": "v1/gone"})
        change_source(connection=connection, description=document, now=NOW)
        people = (FieldRule("external_id", column="id"), FieldRule("name", column="name"))
        save_mapping(connection=connection, mapping=StreamMapping("people", "people", 5, "gone", people), now=NOW)
        fill(fake, 3)
        run = sync(connection)
        assert (run.state, run.inserted_count) == (RunState.PARTLY, 3)
        problems = {each["stream"]: each["problem"] for each in run.report["streams"]}
        assert problems["deals"] is None
        assert "no such place" in describe_problem(problems["people"]["code"], problems["people"]["params"])
        assert list(FactStream.objects.filter(source="crm").exclude(last_success_at=None)) == list(
            FactStream.objects.filter(source="crm", fact="deals")
        )

    def test_06_a_stream_that_gives_fewer_than_it_counts_is_partial_and_read_again(self, connection, fake):
        fill(fake, 7)
        fake.swallowed = {"D004"}
        run = sync(connection)
        # the only stream there is
        assert (run.state, run.problem_code) == (RunState.FAILED, "fewer_than_told")
        assert "7" in run.message
        assert len(stored()) == 6
        fake.swallowed = set()
        assert sync(connection).state == RunState.SUCCEEDED
        assert len(stored()) == 7

    def test_wrong_credentials_stop_the_schedule_until_a_person_acts(self, connection, fake):
        change_source(connection=connection, secrets={"token": "wr0ng"}, now=NOW)
        run = sync(connection)
        connection.refresh_from_db()
        assert (run.state, run.problem_code, connection.stopped_by) == (
            RunState.FAILED,
            "not_authorised",
            "not_authorised",
        )
        assert "wr0ng" not in run.message
        assert health_of(connection=connection, now=timezone.now()) == Health.FAILING
        assert not DueSync.objects.filter(kind=DUE_CONNECTION, object_id=str(connection.public_id)).exists()
        change_source(connection=connection, secrets=fake.secrets(), now=NOW)
        connection.refresh_from_db()
        assert connection.stopped_by == ""
        assert (
            DueSync.objects.get(kind=DUE_CONNECTION, object_id=str(connection.public_id)).next_run_at <= timezone.now()
        )
        assert sync(connection).state == RunState.SUCCEEDED

    def test_a_source_that_asks_for_patience_is_asked_again_when_it_said(self, connection, fake):
        fill(fake, 5)
        fake.fail(None, Reply(429, {"message": "later"}, {"Retry-After": "600"}))
        run = sync(connection)
        assert run.state == RunState.QUEUED
        assert timedelta(seconds=590) < run.not_before - timezone.now() <= timedelta(seconds=600)
        due = DueSync.objects.get(kind=DUE_CONNECTION, object_id=str(connection.public_id))
        assert due.next_run_at == run.not_before
        later = run.not_before + timedelta(seconds=1)
        assert run_sync(run_id=run.pk, owner="early", now=timezone.now()) is None
        assert look_into(connection=Connection.objects.get(), now=later) == run
        assert run_sync(run_id=run.pk, owner="late", now=later).state == RunState.SUCCEEDED
        assert len(stored()) == 5

    def test_a_source_that_is_away_is_asked_again_soon(self, connection, fake):
        fake.faults = [Reply(502, None)] * 50
        run = sync(connection)
        assert (run.state, run.problem_code) == (RunState.FAILED, "source_busy")
        due = DueSync.objects.get(kind=DUE_CONNECTION, object_id=str(connection.public_id))
        assert due.next_run_at - timezone.now() < timedelta(minutes=7)

    def test_a_paused_one_is_not_asked(self, connection):
        pause_connection(connection=connection, now=NOW)
        assert look_into(connection=connection, now=timezone.now()) is None
        assert not SyncRun.objects.exists()

    def test_a_stream_that_the_description_no_longer_has_is_named(self, connection, fake):
        document = fake.document()
        document["streams"][0]["name"] = "opportunities"
        change_source(connection=connection, description=document, now=NOW)
        run = sync(connection)
        assert (run.state, run.problem_code) == (RunState.FAILED, "unknown_stream")
        assert "deals" in run.message


class TestResync:
    def test_from_the_beginning_reads_everything_and_changes_nothing(self, connection, fake):
        fill(fake, 4)
        sync(connection)
        asked = resync(connection=connection, since=None, actor=None, now=timezone.now())
        again = run_sync(run_id=asked.pk, owner="worker", now=timezone.now())
        assert (again.read_count, again.unchanged_count, again.updated_count) == (4, 4, 0)
        assert len(stored()) == 4

    def test_from_a_moment_reads_what_changed_since(self, connection, fake):
        fill(fake, 4)
        sync(connection)
        fake.world.tick(hours=3)
        fake.world.put("D002", amount=9)
        since = fake.world.now - timedelta(hours=1)
        asked = resync(connection=connection, since=since, actor=None, now=timezone.now())
        assert run_sync(run_id=asked.pk, owner="worker", now=timezone.now()).read_count == 1
        assert stored()["D002"] == 9

    def test_ends_the_run_that_reads_on_from_elsewhere(self, connection, fake, monkeypatch):
        monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
        fill(fake, 7)
        first = sync_now(connection=connection, actor=None, now=NOW)
        run_sync(run_id=first.pk, owner="worker", now=timezone.now(), lap_seconds=0)
        asked = resync(connection=connection, since=None, actor=None, now=timezone.now())
        first.refresh_from_db()
        assert (first.state, asked.state) == (RunState.CANCELLED, RunState.QUEUED)
        done = run_sync(run_id=asked.pk, owner="worker", now=timezone.now())
        assert (done.read_count, len(stored())) == (7, 7)

    def test_a_source_that_is_described_otherwise_is_read_from_its_beginning(self, connection, fake):
        fill(fake, 4)
        sync(connection)
        change_source(connection=connection, secrets=fake.secrets(), now=NOW)
        assert sync(connection).read_count < 4
        document = fake.document()
        document["streams"][0]["params"] = {"pipeline": "all"}
        change_source(connection=connection, description=document, now=NOW)
        assert sync(connection).read_count == 4

    def test_nothing_is_scheduled_before_something_is_mapped(self, fake):
        made = connect(fake, name="MA", source="ma", carries="ma")
        assert not DueSync.objects.filter(object_id=str(made.public_id)).exists()
        save_mapping(connection=made, mapping=DEALS, now=NOW)
        assert DueSync.objects.filter(object_id=str(made.public_id)).exists()


class TestSettingUp:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"description": {}}, "description.base_url"),
            ({"secrets": {}}, "secrets.token"),
            ({"secrets": {"token": "x", "password": "y"}}, "secrets.password"),
            ({"name": "社内CRM"}, "name"),
        ],
    )
    def test_what_cannot_work_is_refused_with_its_place(self, connection, fake, changes, field):
        good = {"description": fake.document(), "secrets": fake.secrets(), "name": "もう一つ"}
        with pytest.raises(ConnectionRequestError) as caught:
            create_source(kind="rest", source="crm2", carries="sfa", now=NOW, **{**good, **changes})
        assert caught.value.field == field
        assert Connection.objects.count() == 1

    def test_the_token_is_nowhere_to_be_read(self, connection, fake):
        fill(fake, 2)
        run = sync(connection)
        told = [repr(vars(connection)), repr(vars(run)), *(repr(vars(each)) for each in RawRecord.objects.all())]
        assert not any(TOKEN in each for each in told)
