"""How far a first load is: the total is told before the first page where the source knows it, and never made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stamina
from django.utils import timezone

from integrations.choices import RunState
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, SyncRun
from integrations.services import pulling, storing
from integrations.services.runs import sync_now
from integrations.services.sync import run_sync
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.kintone import APP, EMPTY_APP, KintoneFake
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import Reply, served
from tests.integrations.services import test_kintone as kintone
from tests.integrations.services import test_salesforce as salesforce
from tests.integrations.services.test_remapping import DEALS
from tests.integrations.sources import connect, fill, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
    monkeypatch.setattr(pulling, "can_be_read_beside", lambda connection: False)
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def laps(connection: Connection) -> list[tuple[int, int]]:
    """How much was read of how much (0: unknown) after each lap of a worker; the last one ends the run."""
    asked = sync_now(connection=connection, actor=None, now=timezone.now())
    seen = []
    for _ in range(12):
        run = run_sync(run_id=asked.pk, owner="worker", now=timezone.now(), lap_seconds=0)
        seen.append((run.progress_done, run.progress_total))
        if run.state != RunState.RUNNING:
            break
    assert run.state == RunState.SUCCEEDED, (run.state, run.message, seen)
    return seen


def two_streams(fake: Any, *, without_total: str = "") -> Connection:
    """Deals, and under another name the same as leads."""
    document = fake.document()
    (deals,) = document["streams"]
    document["streams"].append({**deals, "name": "leads"})
    for stream in document["streams"]:
        if stream["name"] == without_total:
            del stream["total"]
    rules = (FieldRule("external_id", column="uid"), FieldRule("created_on", column="created"))
    leads = StreamMapping("leads", "leads", 20, "leads", rules)
    return connect(fake, DEALS, leads, description=document)


class TestRest:
    def test_the_totals_of_all_streams_are_known_before_the_first_is_read(self, fake):
        fill(fake, 7)
        connection = two_streams(fake)
        assert laps(connection) == [(3, 14), (6, 14), (10, 14), (13, 14), (14, 14)]

    def test_what_was_told_is_not_asked_again_in_a_later_lap(self, fake):
        fill(fake, 7)
        laps(two_streams(fake))
        firsts = [call for call in fake.calls if call.path == "/v1/deals" and "after" not in call.query]
        assert len(firsts) == 4, "one to ask for the total of each stream, one to read it"

    @pytest.mark.parametrize("stream", ["deals", "leads"])
    def test_one_stream_without_a_total_leaves_it_unknown_until_that_is_read(self, fake, stream):
        fill(fake, 7)
        seen = laps(two_streams(fake, without_total=stream))
        known = [(10, 14), (13, 14), (14, 14)]
        assert seen == [(3, 0), (6, 0), *(known if stream == "deals" else [(10, 0), (13, 0), (14, 14)])]

    def test_more_than_was_told_is_an_unknown_rest_and_not_a_full_bar(self, fake):
        fill(fake, 3)
        connection = two_streams(fake)
        asked = sync_now(connection=connection, actor=None, now=timezone.now())
        SyncRun.objects.filter(pk=asked.pk).update(cursor_before={"": {}}, report={"totals": {"deals": 2, "leads": 3}})
        document = connection.description
        for stream in document["streams"]:
            del stream["total"]
        connection.save()
        run = run_sync(run_id=asked.pk, owner="worker", now=timezone.now(), lap_seconds=0)
        assert (run.progress_done, run.progress_total) == (3, 0)

    def test_later_runs_do_not_ask_again(self, fake):
        fill(fake, 3)
        connection = two_streams(fake)
        sync(connection)
        fake.calls.clear()
        sync(connection)
        assert len([call for call in fake.calls if "after" not in call.query]) == 2


class TestVendors:
    def test_hubspot_counts_by_search_and_adds_what_was_archived(self):
        fake = HubSpotFake()
        with served(fake):
            fake.world.now = fake.now() - timedelta(days=2)
            for number in range(1, 8):
                fake.world.put(f"D{number:03}", name="一", amount=1, stage="S1")
            fake.world.delete("D001")
            rules = (FieldRule("external_id", column="id"), FieldRule("created_on", column="createdAt"))
            mapping = StreamMapping("deals", "deals", 10, "deals", rules)
            connection = connect(fake, mapping, kind="hubspot", source="hs", description=fake.description())
            assert laps(connection) == [(4, 7), (7, 7)]

    def test_salesforce_counts_each_object(self):
        fake = SalesforceFake()
        with served(fake):
            fake.worlds["Opportunity"].now = fake.now() - timedelta(days=2)
            salesforce.fill(fake, 4)
            fake.worlds["Lead"].put("00Q001", Name="青木")
            rules = (FieldRule("external_id", column="Id"), FieldRule("created_on", column="CreatedDate"))
            leads = StreamMapping("leads", "leads", 5, "Lead", rules)
            description = fake.description("Lead", "Opportunity")
            connection = connect(fake, leads, salesforce.DEALS, kind="salesforce", source="sf", description=description)
            seen = laps(connection)
            assert {total for _, total in seen} == {5}
            assert seen[0][0] < 5

    def test_kintone_counts_each_app_before_the_first_is_read(self):
        fake = KintoneFake()
        with served(fake):
            fake.world.now = fake.now() - timedelta(days=2)
            for number in range(1, 6):
                fake.world.put(f"D{number:03}", name="一", amount="1", 受注予定日="2026-11-30")
            apps = [{"app": APP, "name": "deals"}, {"app": EMPTY_APP, "name": "activities"}]
            connection = kintone.connect_kintone(fake, kintone.DEALS, kintone.ACTIVITIES, apps=apps)
            assert laps(connection) == [(5, 5)]
            asked = [call.query for call in fake.calls if call.path.endswith("records.json")]
            assert [("limit 1" in each["query"], each["app"]) for each in asked[:2]] == [
                (True, str(APP)),
                (True, str(EMPTY_APP)),
            ]


class TestTrouble:
    def test_a_source_that_does_not_tell_a_total_is_read_all_the_same(self, fake):
        fill(fake, 4)
        connection = two_streams(fake)
        fake.fail(Reply(500, {}), Reply(500, {}))
        seen = laps(connection)
        assert seen[0] == (3, 0)
        assert seen[-1] == (8, 8)
