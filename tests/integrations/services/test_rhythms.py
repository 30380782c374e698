"""Streams of one source that are due at rhythms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import stamina
from django.utils import timezone

from integrations.choices import DUE_CONNECTION, Health, RunState, Trigger
from integrations.models import Checkpoint, Connection, SyncRun
from integrations.selectors.connections import health_of, stream_states
from integrations.services.comparing import request_comparison
from integrations.services.connections import (
    ConnectionRequestError,
    create_source,
    end_mapping,
    save_mapping,
    set_frequency,
    set_stream_frequencies,
)
from integrations.services.resync import read_again
from integrations.services.runs import look_into, request_run, sync_now
from integrations.services.sync import run_sync
from kpis.models import FactStream
from tenants.models import DueSync
from tests.fakes.rest import RestFake
from tests.fakes.server import Reply, served
from tests.integrations.services.test_pulling import DEALS, fill
from tests.integrations.sources import sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MINUTE = timedelta(minutes=1)
LEADS = replace(DEALS, stream="leads", resource="leads", reads="leads", position=5, rules=DEALS.rules[:1])


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def fake() -> Iterator[RestFake]:
    made = RestFake("keyset", "bearer")
    with served(made):
        made.world.now = made.now() - timedelta(days=2)
        yield made


@pytest.fixture
def source(fake: RestFake) -> Connection:
    """Leads and deals of one source, read every hour, and leads every five minutes."""
    now = timezone.now()
    document = fake.document()
    document["streams"].append({**document["streams"][0], "name": "leads"})
    made = create_source(
        name="CRM",
        kind="rest",
        source="crm",
        carries="both",
        description=document,
        secrets=fake.secrets(),
        every=60 * MINUTE,
        now=now,
    )
    rules = (*DEALS.rules[:1], replace(DEALS.rules[2], field="created_on"))
    for mapping in (replace(LEADS, rules=rules), DEALS):
        save_mapping(connection=made, mapping=mapping, now=now)
    set_stream_frequencies(connection=made, minutes={"leads": 5}, now=now)
    return made


def next_run(source: Connection) -> datetime:
    return DueSync.objects.get(kind=DUE_CONNECTION, object_id=str(source.public_id)).next_run_at


def look(source: Connection, at: datetime) -> SyncRun | None:
    """The scheduled look at this moment, and what it asks for done."""
    run = look_into(connection=Connection.objects.get(pk=source.pk), now=at)
    if run is not None:
        run_sync(run_id=run.pk, owner="worker", now=at)
        run.refresh_from_db()
    return run


class TestDue:
    def test_the_first_run_reads_all_and_the_next_ones_what_is_due(self, source, fake):
        fill(fake, 3)
        began = timezone.now()
        first = look(source, began)
        assert (first.state, first.streams, first.read_count) == (RunState.SUCCEEDED, [], 6)
        soon = next_run(source)
        assert 4 * MINUTE < soon - timezone.now() <= 5 * MINUTE
        second = look(source, soon)
        assert (second.state, second.streams) == (RunState.SUCCEEDED, ["leads"])
        assert [each["stream"] for each in second.report["streams"]] == ["leads"]
        hour = look(source, soon + 56 * MINUTE)
        assert hour.streams == []

    def test_what_is_due_almost_at_once_is_read_along(self, source, fake):
        fill(fake, 1)
        look(source, timezone.now())
        read = Checkpoint.objects.get(stream="deals").read_at
        assert look(source, read + 57 * MINUTE).streams == ["leads"]
        Checkpoint.objects.update(read_at=read)
        assert look(source, read + 58 * MINUTE).streams == []

    def test_before_anything_is_due_nothing_is_asked(self, source, fake):
        look(source, timezone.now())
        calls = len(fake.calls)
        assert look(source, timezone.now() + MINUTE) is None
        assert (len(fake.calls), SyncRun.objects.count()) == (calls, 1)

    def test_a_stream_may_be_read_on_schedule_where_the_rest_is_read_by_hand(self, source, fake):
        look(source, timezone.now())
        set_frequency(connection=source, every=None, now=timezone.now())
        assert look(source, next_run(source)).streams == ["leads"]
        assert look(source, timezone.now() + timedelta(days=90)).streams == ["leads"]
        set_stream_frequencies(connection=source, minutes={}, now=timezone.now())
        assert not DueSync.objects.filter(object_id=str(source.public_id)).exists()

    def test_a_stream_that_is_read_anew_is_due_at_once(self, source, fake):
        look(source, timezone.now())
        read_again(connection=source, streams=["deals"], since=None, now=timezone.now())
        assert look(source, next_run(source)).streams == []

    def test_by_hand_everything_is_read_also_where_less_waits(self, source, fake):
        request_run(connection=source, streams=["leads"], trigger=Trigger.SCHEDULE, actor=None, now=timezone.now())
        run = sync_now(connection=source, actor=None, now=timezone.now())
        assert (run.streams, SyncRun.objects.get().streams) == ([], [])

    def test_what_waits_takes_more_streams_along(self, source, fake):
        for stream in ("leads", "deals"):
            request_run(connection=source, streams=[stream], trigger=Trigger.SCHEDULE, actor=None, now=timezone.now())
        assert SyncRun.objects.get().streams == ["deals", "leads"]


class TestOnlyByHand:
    @pytest.fixture
    def source(self, source):
        set_stream_frequencies(connection=source, minutes={"leads": 5, "deals": None}, now=timezone.now())
        return source

    def test_no_schedule_reads_it_and_a_person_does(self, source, fake):
        fill(fake, 2)
        assert look(source, timezone.now()).streams == ["leads"]
        assert look(source, timezone.now() + timedelta(days=90)).streams == ["leads"]
        run = sync(source)
        assert (run.streams, {each["stream"] for each in run.report["streams"]}) == ([], {"leads", "deals"})
        assert look(source, timezone.now() + timedelta(days=180)).streams == ["leads"]

    def test_it_is_never_late(self, source, fake):
        sync(source)
        assert dict(FactStream.objects.values_list("fact", "expected_every")) == {"leads": 5 * MINUTE, "deals": None}
        assert {each.mapping.stream: each.every for each in stream_states(connection=source)}["deals"] is None

    def test_its_trouble_does_not_make_the_connection_late(self, source, fake):
        document = source.description
        document["streams"][0]["path"] = "v1/nowhere"
        Connection.objects.update(description=document)
        assert sync(Connection.objects.get()).state == RunState.PARTLY
        assert look(source, timezone.now() + 6 * MINUTE).streams == ["leads"]
        source.refresh_from_db()
        assert health_of(connection=source, now=timezone.now() + 7 * MINUTE) == Health.HEALTHY

    def test_where_nothing_else_is_read_nothing_is_promised(self, source, fake):
        set_stream_frequencies(connection=source, minutes={"leads": None, "deals": None}, now=timezone.now())
        sync(source)
        source.refresh_from_db()
        assert (source.every, source.promised_every) == (60 * MINUTE, None)
        assert not DueSync.objects.filter(object_id=str(source.public_id)).exists()
        assert health_of(connection=source, now=timezone.now() + timedelta(days=90)) == Health.HEALTHY

    def test_the_night_does_not_compare_it_and_a_person_does(self, source, fake):
        fill(fake, 1)
        sync(source)
        for trigger, streams in ((Trigger.SCHEDULE, {"leads"}), (Trigger.MANUAL, {"leads", "deals"})):
            run = request_comparison(connection=source, trigger=trigger, actor=None, now=timezone.now())
            done = run_sync(run_id=run.pk, owner="worker", now=timezone.now())
            assert set(done.report["comparison"]) == streams


class TestFailing:
    def test_a_run_that_failed_is_tried_again_soon_with_what_it_was_to_read(self, source, fake):
        look(source, timezone.now())
        at = next_run(source)
        fake.faults = [Reply(502, None)] * 20
        failed = look(source, at)
        assert (failed.state, failed.streams) == (RunState.FAILED, ["leads"])
        fake.faults = []
        assert next_run(source) - at < 6 * MINUTE
        assert look(source, next_run(source)).streams == ["leads"]

    def test_what_failed_by_hand_is_tried_again_soon_though_it_was_not_due(self, source, fake):
        look(source, timezone.now())
        fake.faults = [Reply(502, None)] * 20
        assert sync(source).state == RunState.FAILED
        fake.faults = []
        at = next_run(source)
        assert at - timezone.now() < 6 * MINUTE
        assert look(source, at).streams == []

    def test_one_broken_stream_neither_stops_the_others_nor_is_forgotten(self, source, fake):
        look(source, timezone.now())
        set_stream_frequencies(connection=source, minutes={"leads": 5, "deals": 44640}, now=timezone.now())
        source.refresh_from_db()
        document = source.description
        document["streams"][0]["path"] = "v1/nowhere"
        Connection.objects.update(description=document)
        Checkpoint.objects.filter(stream="deals").update(read_at=timezone.now() - timedelta(days=40))
        Checkpoint.objects.filter(stream="leads").update(read_at=timezone.now())
        broken = look(source, timezone.now())
        source.refresh_from_db()
        assert (broken.state, source.stopped_by) == (RunState.PARTLY, "")
        good = look(source, timezone.now() + 6 * MINUTE)
        assert (good.state, good.streams) == (RunState.SUCCEEDED, ["leads"])
        before = source.last_success_at
        source.refresh_from_db()
        assert source.last_success_at == before
        assert health_of(connection=source, now=before + 21 * MINUTE) == Health.LATE
        assert stream_states(connection=source)[1].problem
        tomorrow = timezone.now() + timedelta(days=1, minutes=1)
        assert "deals" in (look(source, tomorrow).streams or ["deals"])


class TestFreshness:
    def test_is_expected_of_each_resource_at_its_own_rhythm(self, source, fake):
        look(source, timezone.now())
        assert dict(FactStream.objects.values_list("fact", "expected_every")) == {
            "leads": 5 * MINUTE,
            "deals": 60 * MINUTE,
        }
        set_stream_frequencies(connection=source, minutes={"deals": 15}, now=timezone.now())
        assert dict(FactStream.objects.values_list("fact", "expected_every")) == {
            "leads": 60 * MINUTE,
            "deals": 15 * MINUTE,
        }

    def test_a_connection_is_late_by_its_shortest_rhythm(self, source, fake):
        look(source, timezone.now())
        source.refresh_from_db()
        assert health_of(connection=source, now=source.last_success_at + 19 * MINUTE) == Health.HEALTHY
        assert health_of(connection=source, now=source.last_success_at + 21 * MINUTE) == Health.LATE
        set_stream_frequencies(connection=source, minutes={"leads": 1440, "deals": 1440}, now=timezone.now())
        assert health_of(connection=source, now=source.last_success_at + 23 * 60 * MINUTE) == Health.HEALTHY

    def test_what_was_seen_of_a_stream_stays_when_another_is_read(self, source, fake):
        fill(fake, 3)
        look(source, timezone.now())
        look(source, next_run(source))
        seen = {each.mapping.stream: (each.every, each.report["read"]) for each in stream_states(connection=source)}
        assert seen["deals"] == (60 * MINUTE, 3)
        assert seen["leads"][0] == 5 * MINUTE


class TestAsking:
    def test_refuses_a_stream_that_is_not_read(self, source):
        with pytest.raises(ConnectionRequestError, match="quotes"):
            set_stream_frequencies(connection=source, minutes={"quotes": 5}, now=timezone.now())
        source.refresh_from_db()
        assert source.stream_every == {"leads": 5}

    def test_what_is_read_no_longer_has_no_rhythm(self, source):
        end_mapping(connection=source, stream="leads", now=timezone.now())
        source.refresh_from_db()
        assert source.stream_every == {}
        assert sync(source).state == RunState.SUCCEEDED
