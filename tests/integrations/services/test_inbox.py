"""A connection's folder is looked into on schedule; only what is new is imported."""

import os
from datetime import timedelta

import pytest

from integrations.choices import RunState
from integrations.models import SyncRun
from integrations.services.connections import pause_connection, set_frequency
from integrations.services.runs import look_into, sync_now
from integrations.services.sync import run_sync
from integrations.services.uploads import inbox_path
from integrations.tasks import look_into_connection
from kpis.models import Person
from tenants.models import DueSync
from tests.integrations.conftest import NOW
from tests.integrations.services.test_sync import PEOPLE


@pytest.fixture
def put(connection):
    """`put("people.csv", "…", at=NOW)`: a file in the connection's folder, written at that moment."""

    def run(name, body, at=NOW - timedelta(minutes=1)):
        folder = inbox_path(connection=connection)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body)
        os.utime(folder / name, (at.timestamp(), at.timestamp()))

    return run


class TestLookIntoInbox:
    def test_imports_what_is_new_and_only_then(self, connection, put):
        put("people.csv", PEOPLE)
        put("notes.txt", "not for us")
        run = look_into(connection=connection, now=NOW)
        assert [file.name for file in run.upload.files.all()] == ["people.csv"]
        assert run_sync(run_id=run.pk, owner="w", now=NOW).state == RunState.SUCCEEDED
        assert look_into(connection=connection, now=NOW + timedelta(hours=1)) is None
        put("people.csv", PEOPLE + "P3,上田\n", at=NOW + timedelta(hours=2))
        run = look_into(connection=connection, now=NOW + timedelta(hours=3))
        assert run_sync(run_id=run.pk, owner="w", now=NOW).inserted_count == 1

    def test_waits_for_a_file_that_is_still_being_written(self, connection, put):
        put("people.csv", PEOPLE)
        put("deals.csv", "external_id,cre", at=NOW - timedelta(seconds=2))
        assert look_into(connection=connection, now=NOW) is None
        run = look_into(connection=connection, now=NOW + timedelta(minutes=5))
        assert run.upload.files.count() == 2

    def test_leaves_other_kinds_of_files_alone(self, connection, put):
        put("people.csv.part", PEOPLE)
        put(".people.csv", PEOPLE)
        assert look_into(connection=connection, now=NOW) is None

    def test_schedules_its_next_look(self, connection, acme):
        look_into(connection=connection, now=NOW)
        due = DueSync.objects.get(company=acme, object_id=str(connection.public_id))
        assert NOW < due.next_run_at <= NOW + timedelta(minutes=5)

    def test_says_once_that_a_file_cannot_be_received(self, connection, put):
        put("people.csv", "")
        runs = {look_into(connection=connection, now=NOW + timedelta(hours=n)).pk for n in range(3)}
        assert len(runs) == 1
        assert SyncRun.objects.get().problem_code == "empty_file"

    def test_does_nothing_while_paused(self, connection, put, acme):
        put("people.csv", PEOPLE)
        pause_connection(connection=connection, now=NOW)
        assert not DueSync.objects.filter(company=acme, object_id=str(connection.public_id)).exists()
        assert look_into(connection=connection, now=NOW) is None

    def test_ends_the_schedule_with_the_frequency(self, connection, acme):
        set_frequency(connection=connection, every=None, now=NOW)
        assert not DueSync.objects.filter(company=acme, object_id=str(connection.public_id)).exists()

    def test_runs_as_a_task_of_the_company(self, connection, put, acme):
        put("people.csv", PEOPLE)
        look_into_connection(company_id=str(acme.id), object_id=str(connection.public_id))
        assert SyncRun.objects.get().trigger == "schedule"


class TestSyncNow:
    def test_takes_the_folder_as_it_is(self, connection, put):
        put("people.csv", PEOPLE)
        first = sync_now(connection=connection, actor=None, now=NOW)
        run_sync(run_id=first.pk, owner="w", now=NOW)
        again = sync_now(connection=connection, actor=None, now=NOW)
        assert run_sync(run_id=again.pk, owner="w", now=NOW).unchanged_count == 2

    def test_reads_the_last_delivery_again_when_the_folder_is_empty(self, connection, sync):
        sync(connection, {"people.csv": PEOPLE})
        run = sync_now(connection=connection, actor=None, now=NOW)
        assert run_sync(run_id=run.pk, owner="w", now=NOW).unchanged_count == 2
        assert Person.objects.count() == 2
