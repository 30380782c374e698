"""Misses wait for the data of their period: a source that could not be read misses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from kpis.models import FactStream, KpiNode, KpiTree, Metric, MetricVersion
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.streams import expect_stream, record_stream
from reviews.models import Meeting, Miss
from reviews.services.meetings import add_kpi, open_meeting
from reviews.services.misses import RecordedMisses, record_misses
from tenants.models import Company
from tenants.outbox.models import Event
from tests.reviews.conftest import NOW, SEPTEMBER, aim, finish, type_in

HOUR = timedelta(hours=1)
BROKE_OFF = datetime(2026, 10, 20, 3, tzinfo=UTC)
WON = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}


def deal(name: str, day: str) -> dict[str, Any]:
    return {"external_id": name, "name": name, "created_on": "2026-09-01", "closed_on": day, "outcome": "won"}


def read_again(now: datetime = NOW, every: timedelta | None = HOUR) -> None:
    record_stream(source="crm", fact="deals", last_success_at=now, expected_every=every)


@pytest.fixture
def deals(tree: KpiTree) -> KpiNode:
    """Closed deals, ten aimed at in October; the hourly source broke off in the middle of it, after one."""
    metric = Metric.objects.create(code="closed", name="決着件数", unit="count", accumulation="sum")
    MetricVersion.objects.create(metric=metric, number=1, spec=WON)
    node = KpiNode.objects.create(tree=tree, level="kpi", code="closed", name="決着件数", metric=metric, position=9)
    aim(node, "10")
    upsert_facts(resource="deals", source="crm", records=[deal("d1", "2026-10-05")], now=BROKE_OFF)
    recompute(now=BROKE_OFF)
    expect_stream(source="crm", fact="deals", expected_every=HOUR)
    Event.objects.all().delete()
    return node


class TestWaiting:
    def test_a_period_that_was_not_read_to_its_end_opens_no_miss(self, deals: KpiNode) -> None:
        assert record_misses(period=finish(), now=NOW) == RecordedMisses()

    def test_nor_does_one_that_began_after_the_source_broke_off(self, deals: KpiNode) -> None:
        FactStream.objects.update(last_success_at=datetime(2026, 9, 20, tzinfo=UTC))
        assert record_misses(period=finish(), now=NOW) == RecordedMisses()

    def test_it_opens_when_the_source_is_read_again(
        self, deals: KpiNode, drain_outbox: Callable[[], int], any_db: None
    ) -> None:
        finish()
        upsert_facts(resource="deals", source="crm", records=[deal("d2", "2026-10-29")], run=1, now=NOW)
        drain_outbox()
        assert not Miss.objects.exists()
        read_again()
        drain_outbox()
        assert Miss.objects.get().value == 2

    def test_however_long_that_took(self, deals: KpiNode, drain_outbox: Callable[[], int]) -> None:
        aim(deals, "10", SEPTEMBER)
        finish(SEPTEMBER)
        FactStream.objects.update(last_success_at=datetime(2026, 9, 20, tzinfo=UTC), covered_from=date(2026, 9, 1))
        read_again()
        drain_outbox()
        assert (Miss.objects.get().period_start, Miss.objects.get().value) == (SEPTEMBER, 0)

    def test_a_push_tells_by_delivering_again(self, deals: KpiNode, drain_outbox: Callable[[], int]) -> None:
        FactStream.objects.update(expected_every=None)
        assert record_misses(period=finish(), now=NOW) == RecordedMisses()
        upsert_facts(resource="deals", source="crm", records=[], now=NOW)
        drain_outbox()
        assert Miss.objects.get().value == 1

    def test_closing_by_hand_does_not_wait(self, deals: KpiNode) -> None:
        assert record_misses(period=finish(state="closed"), now=NOW).opened_count == 1

    def test_typed_values_do_not_wait(self, deals: KpiNode, bookings: KpiNode) -> None:
        aim(bookings, "1000000")
        type_in(bookings, "800000")
        record_misses(period=finish(), now=NOW)
        assert Miss.objects.get().node == bookings

    def test_a_source_is_told_of_once_a_day(self, deals: KpiNode) -> None:
        read_again()
        read_again(NOW + HOUR)
        assert [event.object_id for event in Event.objects.filter(topic="stream.read")] == ["2026-10-20"]


@pytest.fixture
def as_alice(client_for: Callable[..., Client], alice: Any, acme: Company) -> Client:
    return client_for(alice, acme)


MARK = "更新が止まっています（最後の成功 11/24 21:00）"


class TestMark:
    @pytest.fixture
    def late(self, deals: KpiNode) -> Miss:
        """A miss of October, whose source then fell silent."""
        read_again()
        record_misses(period=finish(), now=NOW)
        FactStream.objects.update(last_success_at=NOW - timedelta(hours=12))
        return Miss.objects.get()

    def test_stands_beside_a_provisional_miss(self, late: Miss, as_alice: Client) -> None:
        assert MARK in as_alice.get("/misses/").content.decode()
        assert MARK in as_alice.get(f"/misses/{late.public_id}/").content.decode()
        read_again()
        assert "更新が止まっています" not in as_alice.get("/misses/").content.decode()

    def test_not_beside_a_confirmed_one(self, late: Miss, as_alice: Client) -> None:
        Miss.objects.update(confirmed_at=NOW)
        assert MARK not in as_alice.get("/misses/").content.decode()

    def test_the_list_says_that_misses_wait(self, deals: KpiNode, as_alice: Client) -> None:
        page = re.sub(r"<[^>]+>", "", as_alice.get("/misses/").content.decode())
        assert "crm: 更新が止まっています" in page
        assert "改めて取得できるまで未達になりません" in page

    def test_stays_with_the_numbers_of_a_meeting(
        self, late: Miss, deals: KpiNode, next_meeting: Meeting, alice: Any, as_alice: Client
    ) -> None:
        item = add_kpi(meeting=next_meeting, node=deals, now=NOW)
        address = f"/meetings/{next_meeting.public_id}/?item={item.public_id}"
        assert MARK in as_alice.get(address).content.decode()
        open_meeting(meeting=next_meeting, actor=alice, now=NOW)
        read_again()
        assert MARK in as_alice.get(address).content.decode()
