"""A connection to Salesforce, from its description to stored deals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import stamina
from django.utils import timezone

from integrations.choices import RunState, describe_problem
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.connectors.salesforce import SalesforceConnector
from integrations.models import Connection, RawRecord, SyncRun
from integrations.services import sources
from integrations.services.connections import ConnectionRequestError, create_source
from integrations.services.credentials import seal
from integrations.services.runs import LEASE
from integrations.services.storing import Chunk, Storing
from integrations.services.sync import run_sync
from kpis.models import Deal
from tests.fakes.salesforce import SECRET, SalesforceFake
from tests.fakes.server import served
from tests.integrations.sources import connect, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

NOW = timezone.now()
DEALS = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="Opportunity",
    rules=(
        FieldRule("external_id", column="Id"),
        FieldRule("name", column="Name", optional=True),
        FieldRule("created_on", column="CreatedDate"),
        FieldRule("amount", column="Amount", optional=True),
        FieldRule("outcome", column="StageName", values={"受注": "won", "商談": "open"}, optional=True),
    ),
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quick = partial(SalesforceConnector, job_above=3, pause=lambda seconds: None)
    monkeypatch.setattr(sources.salesforce, "SalesforceConnector", quick)
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def fake() -> Iterator[SalesforceFake]:
    made = SalesforceFake()
    with served(made):
        made.worlds["Opportunity"].now = made.now() - timedelta(days=2)
        yield made


@pytest.fixture
def connection(fake: SalesforceFake) -> Connection:
    return connect(fake, DEALS, kind="salesforce", source="sf", description=fake.description("Opportunity"))


def connection_values() -> dict[str, Any]:
    every = timedelta(hours=1)
    return {"name": "本社", "kind": "salesforce", "source": "sf", "carries": "sfa", "every": every, "now": NOW}


class KilledError(BaseException):
    """The worker is gone."""


def fill(fake: SalesforceFake, count: int) -> None:
    world = fake.worlds["Opportunity"]
    for number in range(1, count + 1):
        world.tick(minutes=10)
        world.put(f"006{number:03}", Name=f"案件{number}", Amount=number * 1000.0, StageName="受注")


def stored() -> dict[str, int]:
    return {each.external_id: int(each.amount) for each in Deal.objects.filter(deleted_at=None)}


class TestPulling:
    def test_a_first_load_by_job_is_stored_lap_by_lap(self, connection, fake, monkeypatch):
        fill(fake, 10)
        monkeypatch.setattr("integrations.services.pulling.CHUNK_SECONDS", 0)
        run = sync(connection, laps=8, lap_seconds=0)
        assert (run.state, run.inserted_count) == (RunState.SUCCEEDED, 10)
        assert stored() == {f"006{number:03}": number * 1000 for number in range(1, 11)}
        assert fake.made_jobs == 1

    def test_a_job_is_forgotten_only_behind_its_last_page(self, connection, fake, monkeypatch):
        fill(fake, 10)
        monkeypatch.setattr("integrations.services.pulling.CHUNK_SECONDS", 0)
        store = Storing.store

        def die_with_the_last(self: Storing, chunk: Chunk) -> None:
            if any(cursor["is_done"] for cursor in chunk.checkpoints.values()):
                raise KilledError
            store(self, chunk)

        with monkeypatch.context() as dying:
            dying.setattr(Storing, "store", die_with_the_last)
            with pytest.raises(KilledError):
                sync(connection)
        assert len(fake.jobs) == 1
        run = SyncRun.objects.get()
        run_sync(run_id=run.pk, owner="another", now=timezone.now() + 2 * LEASE)
        run.refresh_from_db()
        assert (run.state, len(stored())) == (RunState.SUCCEEDED, 10)
        assert (fake.made_jobs, fake.jobs) == (1, {})

    def test_changes_and_deletions_follow_by_query_and_nothing_else_changes(self, connection, fake):
        fill(fake, 10)
        sync(connection)
        world = fake.worlds["Opportunity"]
        world.tick(hours=1)
        world.put("006001", Amount=7.0)
        world.delete("006002")
        run = sync(connection)
        assert (run.inserted_count, run.updated_count, run.deleted_count) == (0, 1, 1)
        assert stored()["006001"] == 7
        assert "006002" not in stored()
        assert fake.made_jobs == 1
        assert RawRecord.objects.get(external_id="006001").payload["StageName"] == "受注"

    def test_11_a_hidden_field_is_named_and_the_rest_is_read(self, connection, fake):
        fill(fake, 2)
        fake.hidden = {"Opportunity.Amount"}
        run = sync(connection)
        (stream,) = run.report["streams"]
        assert (run.state, Deal.objects.count()) == (RunState.PARTLY, 2)
        assert "Amount" in describe_problem(stream["problem"]["code"], stream["problem"]["params"])

    def test_11_a_hidden_field_that_a_record_needs_stops_the_stream(self, connection, fake):
        fill(fake, 2)
        fake.hidden = {"Opportunity.StageName", "Opportunity.CreatedDate", "Opportunity.Name"}
        run = sync(connection)
        assert (run.state, run.problem_code) == (RunState.FAILED, "field_gone")
        assert "CreatedDate" in describe_problem(run.problem_code, run.problem_params)
        connection.refresh_from_db()
        assert connection.stopped_by == "field_gone"

    def test_a_spent_quota_puts_the_run_off(self, connection, fake):
        fill(fake, 2)
        fake.used, fake.limit = 900, 1000
        run = sync(connection)
        assert (run.state, run.problem_code) == (RunState.QUEUED, "budget_spent")
        assert run.not_before - timezone.now() > timedelta(minutes=50)

    def test_a_missing_credential_is_named(self, connection, fake):
        seal(connection=connection, secrets={"client_id": "x"}, now=NOW)
        run = sync(connection)
        assert (run.problem_code, run.problem_params) == ("no_credentials", {"name": "client_secret"})

    def test_a_description_that_no_longer_holds_is_named(self, connection, fake):
        Connection.objects.update(description={**fake.description(), "objects": []})
        run = sync(connection)
        assert (run.problem_code, run.problem_params["place"]) == ("bad_document", "objects")


class TestSettingUp:
    @pytest.mark.parametrize(
        ("description", "secrets", "field"),
        [
            ({"auth": "jwt"}, {}, "secrets.username"),
            ({}, {"password": "x"}, "secrets.password"),
            ({"objects": ["Case"]}, {}, "description.objects.0"),
            ({"base_url": "https://crm.example.com"}, {}, "description.base_url"),
        ],
    )
    def test_refuses_what_cannot_work(self, description, secrets, field):
        good = {"auth": "client_credentials", "domain": "acme.my", "objects": ["Opportunity"]}
        keys = {"client_id": "x", "client_secret": SECRET}
        with pytest.raises(ConnectionRequestError) as caught:
            create_source(description={**good, **description}, secrets={**keys, **secrets}, **connection_values())
        assert caught.value.field == field
