"""Files over the API: look, import, read what came of it."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from integrations.models import Connection, SyncRun
from kpis.models import Person
from tests.integrations.services.test_sync import DEALS, PEOPLE

ROOT = "/api/v1/connections/"


@pytest.fixture
def client(caller, key_for):
    return caller(key_for("read", "write"))


@pytest.fixture
def address(connection):
    return f"{ROOT}{connection.public_id}/"


def sent(name, body):
    return SimpleUploadedFile(name, body.encode())


class TestConnections:
    def test_sets_one_up(self, client, in_acme):
        body = {"name": "MA", "carries": "ma", "source": "ma", "preset": "japanese_marketing", "every_minutes": 60}
        answer = client.post(ROOT, body, content_type="application/json")
        assert answer.status_code == 201, answer.content
        assert (answer.json()["every_minutes"], answer.json()["health"]) == (60, "empty")
        assert client.get(f"{ROOT}{answer.json()['id']}/").json() == answer.json()

    def test_refuses_a_name_that_is_taken(self, client, connection):
        body = {"name": connection.name, "carries": "ma", "source": "ma", "preset": "contract"}
        answer = client.post(ROOT, body, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "name")

    @pytest.mark.parametrize(
        ("field", "value"), [("preset", "x"), ("carries", "x"), ("source", "A b"), ("every_minutes", 0), ("name", "")]
    )
    def test_names_the_faulty_field(self, client, in_acme, field, value):
        body = {"name": "MA", "carries": "ma", "source": "ma", "preset": "contract", field: value}
        answer = client.post(ROOT, body, content_type="application/json")
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    def test_lists_them(self, client, connection):
        body = client.get(ROOT).json()
        assert [each["id"] for each in body["results"]] == [str(connection.public_id)]
        assert body["next"] is None

    def test_pauses_and_changes_the_frequency(self, client, connection, address):
        answer = client.patch(address, {"paused": True, "every_minutes": None}, content_type="application/json")
        assert (answer.json()["health"], answer.json()["every_minutes"]) == ("paused", None)
        assert Connection.objects.get().is_paused

    def test_keeps_what_cannot_change(self, client, address):
        answer = client.patch(address, {"source": "other"}, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "fixed")

    def test_needs_the_write_scope(self, caller, key_for, address):
        assert caller(key_for("read")).get(address).status_code == 403

    def test_does_not_know_others(self, client, in_acme):
        assert client.get(f"{ROOT}{uuid.uuid4()}/").status_code == 404


class TestImport:
    def test_goes_from_a_preview_to_facts(self, client, address, drain_outbox):
        files = {"uploads": [sent("people.csv", PEOPLE), sent("deals.csv", DEALS + "D9,2026/13/1,,won,,\n")]}
        seen = client.post(f"{address}preview/", files)
        assert seen.status_code == 200, seen.content
        deals = next(each for each in seen.json()["streams"] if each["stream"] == "deals")
        assert [each["row"] for each in deals["records"]] == [2, 3, 4]
        assert [each["row"] for each in deals["refused"]] == [5]
        assert not Person.objects.exists()
        asked = client.post(f"{address}sync/", {"upload": seen.json()["upload"]}, content_type="application/json")
        assert (asked.status_code, asked.json()["state"]) == (202, "queued")
        drain_outbox()
        run = client.get(f"{address}runs/").json()["results"][0]
        assert run["state"] == "partly"
        assert (run["counts"]["inserted"], run["counts"]["rejected"]) == (5, 1)
        assert run["progress"] == {"done": 6, "total": 6}
        rejected = client.get(f"{address}rejected/").json()["results"]
        assert [(each["row"], each["external_id"]) for each in rejected] == [(5, "D9")]
        assert client.get(f"{address}rejected/?run={run['id']}").json()["results"] == rejected
        assert client.post(f"{address}test/").json()["ok"]

    def test_refuses_a_broken_file_as_a_problem(self, client, address):
        answer = client.post(f"{address}preview/", {"uploads": [sent("people.csv", "%PDF-1.7")]})
        assert (answer.status_code, answer.json()["code"]) == (400, "wrong_file_type")

    def test_says_that_there_is_nothing_to_import(self, client, address):
        answer = client.post(f"{address}sync/", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "nothing_to_read")
        assert client.post(f"{address}test/").json()["code"] == "nothing_to_read"
        assert not SyncRun.objects.exists()

    def test_does_not_know_an_upload_of_nobody(self, client, address):
        body = {"upload": str(uuid.uuid4())}
        assert client.post(f"{address}sync/", body, content_type="application/json").status_code == 404

    def test_names_a_run_that_is_no_id(self, client, address):
        assert client.get(f"{address}rejected/?run=x").json()["errors"][0]["field"] == "run"
