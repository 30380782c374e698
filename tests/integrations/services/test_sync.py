"""An import is looked at whole before anything is stored, goes on where it stopped, and repeated changes nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from integrations.choices import RunState, Trigger
from integrations.models import Checkpoint, RawRecord, RejectedRecord, SyncRun
from integrations.services import deliveries
from integrations.services import storing as service
from integrations.services.runs import MAX_ATTEMPTS, cancel_run, request_run
from integrations.services.sync import run_sync
from kpis.models import Deal, FactChange, FactStream, Person
from tenants.outbox.models import Event
from tests import database
from tests.integrations.conftest import NOW

PEOPLE = "external_id,name\nP1,青木\nP2,井上\n"
HEAD = "external_id,created_on,owner,outcome,closed_on,amount\n"
DEALS = HEAD + "D1,2026/10/01,P1,won,2026/11/05,￥100\nD2,2026-10-02,P2,lost,2026-11-06,200\nD3,,P1,open,,\n"
FILES = {"people.csv": PEOPLE, "deals.csv": DEALS}


def counts(run):
    return (run.inserted_count, run.updated_count, run.unchanged_count, run.deleted_count, run.rejected_count)


class TestRunSync:
    def test_stores_what_the_files_say(self, connection, sync):
        run = sync(connection, FILES)
        assert (run.state, counts(run)) == (RunState.SUCCEEDED, (5, 0, 0, 0, 0))
        won = Deal.objects.get(external_id="D1")
        assert (won.source, won.amount, won.owner.name, won.outcome) == ("crm", Decimal(100), "青木", "won")
        assert (run.progress_done, run.progress_total, run.read_count) == (5, 5, 5)
        assert {each["stream"]: each["blank"] for each in run.report["streams"]}["deals"]["created_on"] == 1

    def test_changes_nothing_the_second_time(self, connection, sync):
        sync(connection, FILES)
        again = sync(connection, FILES, NOW + timedelta(hours=1))
        assert (again.state, counts(again)) == (RunState.SUCCEEDED, (0, 0, 5, 0, 0))
        assert not FactChange.objects.exists()
        assert RawRecord.objects.filter(received_at__gte=NOW + timedelta(hours=1)).count() == 0

    def test_makes_one_update_of_one_changed_row(self, connection, sync):
        sync(connection, FILES)
        run = sync(connection, {"deals.csv": DEALS.replace("￥100", "￥150")})
        assert counts(run) == (0, 1, 2, 0, 0)
        change = FactChange.objects.get()
        assert (change.external_id, change.run) == ("D1", run.pk)
        assert Deal.objects.get(external_id="D1").amount == Decimal(150)

    def test_keeps_rejected_rows_with_row_number_and_reason(self, connection, sync):
        run = sync(connection, {"deals.csv": DEALS + "D4,2026/13/40,P1,won,,12万\nD5,2026-10-03,P1,maybe,,1\n"})
        assert (run.state, counts(run)) == (RunState.PARTLY, (3, 0, 0, 0, 2))
        fourth, fifth = RejectedRecord.objects.filter(run=run).order_by("row")
        assert (fourth.row, fourth.external_id, fourth.raw["amount"]) == (5, "D4", "12万")
        assert [problem["code"] for problem in fourth.problems] == ["bad_date", "bad_number"]
        assert len(fourth.reasons) == 2
        assert (fifth.row, [problem["code"] for problem in fifth.problems]) == (6, ["unmapped_value"])

    def test_keeps_what_the_fact_door_rejects_with_its_row(self, connection, sync):
        run = sync(connection, {"products.csv": f"external_id,name\nX1,{'長' * 300}\nX2,箱\n"})
        rejected = RejectedRecord.objects.get(run=run)
        assert (rejected.row, rejected.external_id, counts(run)) == (2, "X1", (1, 0, 0, 0, 1))
        assert "200" in rejected.reasons[0]

    def test_reports_references_that_point_at_nothing(self, connection, sync):
        run = sync(connection, {"deals.csv": DEALS})
        assert run.unresolved_count == 3
        assert run.report["unresolved"][0] == {"resource": "deals", "field": "owner", "reference": "P1", "count": 2}
        resolved = sync(connection, {"people.csv": PEOPLE})
        assert resolved.unresolved_count == 0
        assert Deal.objects.get(external_id="D1").owner == Person.objects.get(external_id="P1")

    def test_notes_how_fresh_each_stream_is(self, connection, sync):
        sync(connection, FILES)
        stream = FactStream.objects.get(source="crm", fact="deals")
        assert stream.last_success_at >= NOW
        assert stream.expected_every == timedelta(days=1)
        connection.refresh_from_db()
        assert connection.last_success_at >= NOW

    def test_tells_that_it_has_finished(self, connection, sync):
        before = Event.objects.filter(topic="facts.changed").count()
        sync(connection, FILES)
        assert Event.objects.filter(topic="facts.changed").count() >= before

    def test_leaves_aside_files_that_fit_no_mapping_and_says_so(self, connection, sync):
        run = sync(connection, {**FILES, "readme.csv": "a\n1\n"})
        assert run.state == RunState.SUCCEEDED
        assert run.report["ignored"] == ["readme.csv"]


class TestNothingIsHalfImported:
    def failed(self, connection, run, code):
        assert (run.state, run.problem_code) == (RunState.FAILED, code)
        assert run.message != code
        assert not Person.objects.exists()
        assert not Deal.objects.exists()
        assert not FactStream.objects.filter(source="crm").exists()
        connection.refresh_from_db()
        assert connection.failure_count == 1

    def test_a_file_with_a_broken_byte_stores_nothing_of_its_neighbours(self, connection, sync):
        run = sync(connection, {"people.csv": PEOPLE, "deals.csv": DEALS.encode() + b"D9,\xff\n"})
        self.failed(connection, run, "broken_encoding")
        assert run.problem_params["row"] == 5

    def test_a_missing_column_is_named(self, connection, sync):
        run = sync(connection, {"people.csv": PEOPLE, "deals.csv": "external_id,amount\nD1,1\n"})
        self.failed(connection, run, "missing_column")
        assert "created_on" in run.message

    def test_a_pdf_called_csv_is_refused(self, connection, sync):
        self.failed(connection, sync(connection, {"people.csv": PEOPLE, "deals.csv": b"%PDF-1.7"}), "wrong_file_type")

    def test_a_file_that_no_mapping_expects_is_refused(self, connection, sync):
        self.failed(connection, sync(connection, {"顧客.csv": PEOPLE}), "no_file_for_mapping")

    def test_a_fault_in_the_middle_ends_with_whole_chunks_only(self, connection, sync, monkeypatch):
        monkeypatch.setattr(deliveries, "PIECE_RECORDS", 2)
        real = service.store_facts

        def failing(**arguments):
            result = real(**arguments)
            if arguments["resource"] == "deals" and arguments["batch"].reading.rows[0].external_id == "D3":
                raise RuntimeError("the third deal")
            return result

        monkeypatch.setattr(service, "store_facts", failing)
        run = sync(connection, FILES)
        assert (run.state, run.problem_code) == (RunState.FAILED, "interrupted")
        assert (run.progress_done, counts(run)) == (4, (4, 0, 0, 0, 0))
        assert set(Deal.objects.values_list("external_id", flat=True)) == {"D1", "D2"}
        monkeypatch.setattr(service, "store_facts", real)
        again = sync(connection, FILES)
        assert (again.state, counts(again)) == (RunState.SUCCEEDED, (1, 0, 4, 0, 0))

    def test_a_lost_worker_is_replaced_behind_its_checkpoint(self, connection, receive, in_acme, monkeypatch):
        monkeypatch.setattr(deliveries, "PIECE_RECORDS", 2)
        real = service.store_facts
        seen = []

        def dying(**arguments):
            seen.append([row.external_id for row in arguments["batch"].reading.rows])
            if seen[-1] == ["D3"] and len(seen) == 3:
                raise OperationalError("the server closed the connection")
            return real(**arguments)

        monkeypatch.setattr(service, "store_facts", dying)
        upload = receive(connection, FILES)
        run = request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=NOW)
        with pytest.raises(OperationalError):
            run_sync(run_id=run.pk, owner="first", now=NOW)
        run.refresh_from_db()
        assert (run.state, run.progress_done) == (RunState.RUNNING, 4)
        later = NOW + timedelta(seconds=5)
        with database.held_elsewhere(f"sync:{in_acme.pk}:{run.pk}"):
            assert run_sync(run_id=run.pk, owner="second", now=later) is None
        done = run_sync(run_id=run.pk, owner="second", now=later)
        assert (done.state, counts(done), done.attempts) == (RunState.SUCCEEDED, (5, 0, 0, 0, 0), 2)
        assert seen == [["P1", "P2"], ["D1", "D2"], ["D3"], ["D3"]]

    def test_a_run_whose_workers_die_again_and_again_is_given_up(self, connection, receive):
        run = request_run(
            connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
        )
        SyncRun.objects.filter(pk=run.pk).update(
            state=RunState.RUNNING, attempts=MAX_ATTEMPTS, lease_until=NOW - timedelta(minutes=1)
        )
        assert run_sync(run_id=run.pk, owner="next", now=NOW) is None
        run.refresh_from_db()
        assert (run.state, run.problem_code) == (RunState.FAILED, "interrupted")


class TestLaps:
    def test_a_long_run_is_given_back_and_goes_on(self, connection, receive, monkeypatch):
        monkeypatch.setattr(deliveries, "PIECE_RECORDS", 1)
        run = request_run(
            connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
        )
        asked = Event.objects.filter(topic="sync.requested").count()
        states = []
        for lap in range(10):
            run = run_sync(run_id=run.pk, owner=f"lap-{lap}", now=NOW + timedelta(seconds=lap), lap_seconds=0)
            states.append(run.state)
            if run.state != RunState.RUNNING:
                break
        assert states == [RunState.RUNNING] * 4 + [RunState.SUCCEEDED]
        assert counts(run) == (5, 0, 0, 0, 0)
        assert Event.objects.filter(topic="sync.requested").count() == asked + 4


class TestOneAtATime:
    def test_a_second_run_waits_for_the_first(self, connection, receive):
        first, second = (
            request_run(
                connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
            )
            for _ in range(2)
        )
        SyncRun.objects.filter(pk=first.pk).update(state=RunState.RUNNING, lease_until=NOW + timedelta(minutes=1))
        assert run_sync(run_id=second.pk, owner="other", now=NOW) is None
        second.refresh_from_db()
        assert second.state == RunState.QUEUED

    def test_the_end_of_one_announces_the_next(self, connection, receive):
        first, second = (
            request_run(
                connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
            )
            for _ in range(2)
        )
        asked = Event.objects.filter(topic="sync.requested", object_id=str(second.pk))
        before = asked.count()
        run_sync(run_id=first.pk, owner="worker", now=NOW)
        assert asked.count() == before + 1

    def test_the_same_upload_is_queued_once(self, connection, receive):
        upload = receive(connection, FILES)
        runs = {
            request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=NOW).pk
            for _ in range(2)
        }
        assert len(runs) == 1


class TestCancel:
    def test_a_cancelled_run_stores_nothing_more(self, connection, receive, monkeypatch):
        monkeypatch.setattr(deliveries, "PIECE_RECORDS", 2)
        real = service.store_facts
        run = request_run(
            connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
        )

        def cancelling(**arguments):
            result = real(**arguments)
            if arguments["resource"] == "deals":
                SyncRun.objects.filter(pk=run.pk).update(state=RunState.CANCELLED)
            return result

        monkeypatch.setattr(service, "store_facts", cancelling)
        run_sync(run_id=run.pk, owner="worker", now=NOW)
        assert Person.objects.count() == 2
        assert not Deal.objects.exists()
        assert set(Checkpoint.objects.values_list("stream", flat=True)) == {"people"}

    def test_says_whether_it_could(self, connection, sync, receive):
        ended = sync(connection, FILES)
        assert not cancel_run(run=ended, now=NOW)
        waiting = request_run(
            connection=connection, upload=receive(connection, FILES), trigger=Trigger.UPLOAD, actor=None, now=NOW
        )
        assert cancel_run(run=waiting, now=NOW)
