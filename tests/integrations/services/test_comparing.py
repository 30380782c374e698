"""Comparing with the source: whatever increments never told is found, and nothing is withdrawn on a mere suspicion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.choices import RunKind, RunState, Trigger
from integrations.connectors.comparison import ALWAYS_FINE, LARGEST_SHARE
from integrations.models import Connection, ListedPart, RawRecord, SyncRun
from integrations.selectors.comparisons import held_back, last_comparison
from integrations.services.comparing import request_comparison
from integrations.services.connections import pause_connection, save_mapping
from integrations.services.listing import compare_listed, keep_listed
from integrations.services.schedule import DUE_COMPARISON, next_night
from integrations.services.sync import run_sync
from kpis.models import Deal, DealLine, FactStream
from kpis.services.facts import upsert_facts
from tenants.models import DueSync
from tests.fakes.server import Reply
from tests.integrations.services.test_pulling import DEALS, LINES, fill, stored
from tests.integrations.sources import connect, sync

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture(params=[False, True], ids=["whole", "single"])
def connection(request, in_acme, fake) -> Connection:
    return connect(fake, DEALS, description=fake.document(calls=request.param))


def compared(connection: Connection, **more: Any) -> SyncRun:
    run = request_comparison(connection=connection, trigger=Trigger.MANUAL, actor=None, now=timezone.now(), **more)
    return run_sync(run_id=run.pk, owner="worker", now=timezone.now())


def vanish(fake: Any, *ids: str) -> None:
    """Deleted for good: no increment tells of it."""
    for id in ids:
        del fake.world.things[id]


def found(run: SyncRun) -> dict[str, Any]:
    return run.report["comparison"]["deals"]


class TestDifferences:
    def test_07_what_is_equal_is_left_alone(self, connection, fake):
        fill(fake, 5)
        sync(connection)
        before = FactStream.objects.get().last_success_at
        run = compared(connection)
        assert (run.state, run.kind, run.read_count) == (RunState.SUCCEEDED, RunKind.COMPARE, 0)
        counts = ("listed", "known", "missing", "surplus", "fetched", "withdrawn", "held")
        assert [found(run)[name] for name in counts] == [5, 5, 0, 0, 0, 0, 0]
        assert FactStream.objects.get().last_success_at == before

    def test_07_what_is_gone_is_withdrawn_and_what_is_missing_is_fetched(self, connection, fake):
        fill(fake, 5)
        sync(connection)
        vanish(fake, "D002")
        old = fake.world.now - timedelta(days=300)
        fake.world.put("D009", at=old, name="埋もれた", created="2026-10-05", amount=9, stage="受注")
        sync(connection)
        assert "D009" not in stored()
        assert "D002" in stored()
        run = compared(connection)
        assert stored() == {"D001": 1000, "D003": 3000, "D004": 4000, "D005": 5000, "D009": 9}
        assert (run.inserted_count, run.deleted_count) == (1, 1)
        counts = ("listed", "known", "missing", "surplus", "fetched", "withdrawn")
        assert [found(run)[name] for name in counts] == [5, 5, 1, 1, 1, 1]
        assert [found(compared(connection))[name] for name in ("missing", "surplus")] == [0, 0]

    def test_07_what_was_deleted_here_and_not_there_comes_back(self, connection, fake):
        fill(fake, 3)
        sync(connection)
        gone = [{"external_id": "D002", "deleted": True}]
        upsert_facts(resource="deals", source="crm", records=gone, now=timezone.now())
        assert found(compared(connection))["missing"] == 1
        assert stored()["D002"] == 2000

    def test_facts_of_others_under_the_same_source_stay(self, connection, fake):
        fill(fake, 3)
        sync(connection)
        pushed = [{"external_id": "P1", "created_on": "2026-10-01", "amount": 1}]
        upsert_facts(resource="deals", source="crm", records=pushed, now=timezone.now())
        assert found(compared(connection))["surplus"] == 0
        assert "P1" in stored()

    def test_what_was_refused_is_not_fetched_every_night(self, connection, fake):
        fill(fake, 3)
        fake.world.put("D002", stage="謎")
        sync(connection)
        run = compared(connection)
        assert (found(run)["missing"], run.rejected_count) == (0, 0)

    def test_elements_of_a_list_leave_with_their_record(self, connection, fake):
        save_mapping(connection=connection, mapping=LINES, now=timezone.now())
        for number in (1, 2):
            lines = [{"no": 1, "product": "P1", "amount": 10}]
            fake.world.put(f"D00{number}", name="一", created="2026-10-05", amount=30, lines=lines)
        sync(connection)
        vanish(fake, "D002")
        compared(connection)
        assert [each.external_id for each in DealLine.objects.filter(deleted_at=None)] == ["D001-1"]
        assert set(stored()) == {"D001"}


class TestGuards:
    def test_an_empty_list_withdraws_nothing_and_asks_a_person(self, connection, fake):
        fill(fake, 3)
        sync(connection)
        vanish(fake, "D001", "D002", "D003")
        run = compared(connection)
        assert (run.state, found(run)["held"], found(run)["withdrawn"]) == (RunState.PARTLY, 3, 0)
        assert len(stored()) == 3

    def test_very_many_are_held_until_a_person_agrees(self, connection, fake, monkeypatch):
        monkeypatch.setattr("integrations.connectors.comparison.ALWAYS_FINE", 1)
        fill(fake, 5)
        sync(connection)
        vanish(fake, "D001", "D002")
        held = compared(connection)
        assert (held.state, found(held)["held"], len(stored())) == (RunState.PARTLY, 2, 5)
        allowed = held_back(connection=connection, run=held.public_id)
        assert allowed == {"deals": 2}
        agreed = compared(connection, allowed=allowed)
        assert (found(agreed)["withdrawn"], set(stored())) == (2, {"D003", "D004", "D005"})
        assert held_back(connection=connection, run=held.public_id) == {}

    def test_what_a_person_agreed_to_is_not_more(self, connection, fake, monkeypatch):
        monkeypatch.setattr("integrations.connectors.comparison.ALWAYS_FINE", 1)
        fill(fake, 6)
        sync(connection)
        vanish(fake, "D001", "D002", "D003")
        assert found(compared(connection, allowed={"deals": 2}))["withdrawn"] == 0

    def test_a_list_that_fails_withdraws_nothing(self, connection, fake):
        fill(fake, 3)
        sync(connection)
        vanish(fake, "D001")
        fake.faults = [Reply(200, {"data": {"unexpected": 1}})] * 9
        run = compared(connection)
        assert (run.state, found(run)["problem"]["code"], len(stored())) == (RunState.PARTLY, "no_records_at", 3)
        connection.refresh_from_db()
        assert (connection.failure_count, connection.stopped_by) == (0, "")

    def test_a_list_that_breaks_off_in_the_middle_withdraws_nothing(self, connection, fake):
        fill(fake, 7)
        sync(connection)
        fake.fail(None, *[Reply(502, None)] * 9)
        run = compared(connection)
        assert (found(run)["problem"]["code"], len(stored())) == ("source_busy", 7)

    def test_07_a_long_list_goes_on_in_the_next_lap(self, connection, fake):
        fill(fake, 9)
        sync(connection)
        vanish(fake, "D004", "D008")
        run = request_comparison(connection=connection, trigger=Trigger.MANUAL, actor=None, now=timezone.now())
        before, laps = len(fake.calls), 1
        while (run := run_sync(run_id=run.pk, owner="one", now=timezone.now(), lap_seconds=0)).is_under_way:
            laps += 1
            assert (found(run)["done"], found(run)["withdrawn"]) == (False, 0)
        listing = {str(sorted(call.query.items())) for call in fake.calls[before : before + laps]}
        assert len(listing) == laps > 2, "every page of the list was asked for once"
        assert [found(run)[name] for name in ("listed", "surplus", "withdrawn")] == [7, 2, 2]
        assert len(stored()) == 7
        assert not ListedPart.objects.exists()

    def test_only_the_source_itself_says_that_a_record_is_gone(self, connection, fake):
        fill(fake, 3)
        sync(connection)
        listed = {"data": {"items": [fake._item(fake.world.things[id]) for id in ("D001", "D002")], "total": 2}}
        fake.fail(Reply(200, listed), Reply(200, {"data": {"items": [], "total": 2}}))
        run = compared(connection)
        assert (found(run)["surplus"], found(run)["withdrawn"], len(stored())) == (1, 0, 3)

    def test_a_lap_that_is_over_goes_on(self, connection, fake, monkeypatch):
        save_mapping(connection=connection, mapping=LINES, now=timezone.now())
        fill(fake, 3)
        sync(connection)
        vanish(fake, "D001")
        run = request_comparison(connection=connection, trigger=Trigger.MANUAL, actor=None, now=timezone.now())
        while (done := run_sync(run_id=run.pk, owner="one", now=timezone.now(), lap_seconds=0)).is_under_way:
            assert done.lease_until <= timezone.now(), "another worker may take it on"
        assert done.state == RunState.SUCCEEDED
        assert set(stored()) == {"D002", "D003"}


IDS = st.sets(st.integers(0, 30).map(str))


@given(listed=IDS, kept=IDS, living=IDS, dead=IDS, is_told_alike=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_after_mending_both_sides_are_equal(connection, listed, kept, living, dead, is_told_alike):
    """`kept`: what the source said once; `living` and `dead`: rows that were made of it or of something else."""
    run = request_comparison(connection=connection, trigger=Trigger.MANUAL, actor=None, now=NOW)
    with transaction.atomic():
        half = len(listed) // 2
        for part in (sorted(listed)[:half], sorted(listed)[half:]):
            keep_listed(run=run, stream="deals", ids=part)
        RawRecord.objects.bulk_create(
            RawRecord(connection=connection, stream="deals", external_id=each, received_at=NOW) for each in kept
        )
        Deal.objects.bulk_create(
            Deal(
                source="crm",
                external_id=each,
                deleted_at=None if each in living else NOW,
                recorded_at=NOW,
                changed_at=NOW,
            )
            for each in living | dead
        )
        result = compare_listed(run=run, stream="deals", resources=["deals"] if is_told_alike else [])
        transaction.set_rollback(True)
    known = (kept & (living | listed)) if is_told_alike else kept
    lost = (dead - living) & known & listed if is_told_alike else set()
    assert (result.listed_count, result.known_count) == (len(listed), len(known - lost))
    assert result.surplus == known - listed
    assert result.missing == (listed - known) | lost
    assert (known - lost) - result.surplus | result.missing == listed
    if result.may_withdraw():
        assert listed or not result.surplus
        assert len(result.surplus) <= max(ALWAYS_FINE, result.known_count * LARGEST_SHARE / 100)


class TestNight:
    def test_every_night_at_its_own_minute(self, connection, fake, drain_outbox):
        fill(fake, 2)
        sync(connection)
        due = DueSync.objects.get(kind=DUE_COMPARISON, object_id=str(connection.public_id))
        assert 1 <= due.next_run_at.astimezone(TOKYO).hour < 5
        assert timezone.now() < due.next_run_at <= timezone.now() + timedelta(days=1)

    def test_runs_and_is_due_again(self, connection, fake, drain_outbox, acme):
        from integrations.tasks import compare_connection

        fill(fake, 2)
        sync(connection)
        compare_connection(company_id=str(acme.pk), object_id=str(connection.public_id))
        drain_outbox()
        run = SyncRun.objects.get(kind=RunKind.COMPARE)
        assert (run.state, run.trigger) == (RunState.SUCCEEDED, Trigger.SCHEDULE)
        assert DueSync.objects.filter(kind=DUE_COMPARISON).exists()

    def test_a_paused_one_is_left_alone(self, connection, drain_outbox, acme):
        from integrations.tasks import compare_connection

        pause_connection(connection=connection, now=timezone.now())
        assert not DueSync.objects.filter(kind=DUE_COMPARISON).exists()
        compare_connection(company_id=str(acme.pk), object_id=str(connection.public_id))
        assert not SyncRun.objects.exists()

    @given(number=st.integers(0, 2**128 - 1), minutes=st.integers(0, 3 * 1440))
    def test_is_the_coming_one(self, number, minutes):
        now = NOW + timedelta(minutes=minutes)
        at = next_night(UUID(int=number), now, TOKYO)
        assert now < at <= now + timedelta(days=1)
        assert 1 <= at.hour < 5


class TestPage:
    def test_shows_what_was_held_and_withdraws_it_when_told(
        self, connection, fake, client_for, acme, dave, monkeypatch, drain_outbox
    ):
        monkeypatch.setattr("integrations.connectors.comparison.ALWAYS_FINE", 0)
        owner = client_for(dave, acme)
        fill(fake, 4)
        sync(connection)
        page = reverse("connection", args=[connection.public_id])
        compare_now = reverse("source_compare", args=[connection.public_id])
        assert compare_now in owner.get(page).content.decode()
        vanish(fake, "D001", "D002")
        owner.post(compare_now)
        drain_outbox()
        shown = owner.get(page, headers={"accept-language": "en"}).content.decode()
        held = last_comparison(connection=connection)
        assert "2 records are not at the source any more" in shown
        assert str(held.run.public_id) in shown
        assert len(stored()) == 4
        answer = owner.post(compare_now, {"confirm": str(held.run.public_id)})
        drain_outbox()
        assert set(stored()) == {"D003", "D004"}
        assert "D00" not in owner.get(answer.url).content.decode()
        assert "any more" not in owner.get(page, headers={"accept-language": "en"}).content.decode()

    def test_over_the_api(self, connection, fake, api, drain_outbox):
        fill(fake, 3)
        sync(connection)
        vanish(fake, "D001")
        address = f"connections/{connection.public_id}/"
        asked = api.post(f"{address}compare/")
        assert (asked.status_code, asked.json()["kind"]) == (202, "compare")
        drain_outbox()
        assert set(stored()) == {"D002", "D003"}
        again = api.post(f"{address}resync/", {"since": "2026-01-01T00:00:00+09:00"})
        assert (again.status_code, again.json()["kind"]) == (202, "sync")
        drain_outbox()
        assert SyncRun.objects.filter(kind=RunKind.SYNC).first().read_count == 2
        assert api.post(f"{address}resync/", {"since": "yesterday"}).status_code == 400
