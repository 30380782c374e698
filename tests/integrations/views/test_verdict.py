"""The verdict of testing a source: what the mappings read is there, what is left of the quota, whether clocks agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import stamina
from django.core.cache import caches
from django.urls import reverse
from django.utils import timezone

from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection
from integrations.services.connections import save_mapping
from kpis.models import Metric, MetricVersion
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.kintone import APP, KintoneFake
from tests.fakes.rest import RestFake
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import Reply, served
from tests.integrations.sources import connect

pytestmark = pytest.mark.usefixtures("in_acme")

RULES = {"external_id": "id", "created_on": "createdate", "closed_on": "closedate", "amount": "amount"}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def hubspot() -> Iterator[HubSpotFake]:
    fake = HubSpotFake("deals")
    fake.extra["deals"] = [{"name": "closedate", "label": "完了日", "type": "datetime"}]
    with served(fake):
        fake.world.put("1", amount="5")
        yield fake


@pytest.fixture
def connection(hubspot) -> Connection:
    return connect(hubspot, mapped(), name="HubSpot", kind="hubspot", source="hs", description=hubspot.description())


def mapped(reads: str = "deals", **columns: str) -> StreamMapping:
    rules = tuple(FieldRule(field, column=column) for field, column in (columns or RULES).items())
    return StreamMapping("deals", "deals", 10, reads, rules)


def verdict_of(owner: Any, connection: Connection, language: str = "en") -> str:
    address = reverse("source_test", args=[connection.public_id])
    return unescape(owner.get(address, headers={"accept-language": language}).content.decode())


def without(fake: HubSpotFake, *names: str) -> None:
    rows = fake._properties

    def told(call: Any, kind: str) -> Reply:
        reply = rows(call, kind)
        reply.body["results"] = [each for each in reply.body["results"] if each["name"] not in names]
        return reply

    fake._properties = told


class TestFields:
    def test_all_that_the_mappings_read_are_there(self, owner, connection):
        page = verdict_of(owner, connection)
        assert "The source can be read." in page
        assert "All 4 fields that the mappings read are there." in page
        assert "対応付けが読む 4 個の項目は、すべてあります。" in verdict_of(owner, connection, "ja")

    def test_one_that_is_missing_stands_there_with_its_stream_and_the_kpis_it_hurts(self, owner, connection, hubspot):
        made = Metric.objects.create(code="bookings", name="受注額", unit="jpy", accumulation="sum")
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "sum", "field": "amount"}
        MetricVersion.objects.create(metric=made, number=1, spec=spec)
        without(hubspot, "amount")
        page = verdict_of(owner, connection)
        assert "cannot be read completely yet" in page
        assert "deals — Deals・Amount: the source has no field “amount” any more" in page
        assert "KPIs computed from it: 受注額." in page
        assert page.index("To mend") < page.index("Fine")
        assert "fields that the mappings read are there" not in page

    def test_a_stream_that_cannot_be_read_is_said_once(self, owner, connection, hubspot):
        hubspot.scopes -= {"crm.objects.deals.read"}
        page = verdict_of(owner, connection)
        assert page.count("crm.objects.deals.read") == 2  # of the deals and of their stages
        assert "fields that the mappings read" not in page

    def test_before_anything_is_mapped_nothing_is_said_of_fields(self, owner, hubspot):
        bare = connect(hubspot, kind="hubspot", source="hs", description=hubspot.description())
        assert "fields that the mappings read" not in verdict_of(owner, bare)

    def test_an_object_that_may_be_missing_stops_the_mapping_that_reads_it(self, owner):
        fake = SalesforceFake()
        with served(fake):
            rules = {"external_id": "Id", "lead": "LeadId", "stage": "NewValue", "entered_at": "CreatedDate"}
            stages = StreamMapping(
                "stages", "lead-stage-events", 10, "LeadHistory",
                tuple(FieldRule(field, column=column) for field, column in rules.items()),
            )  # fmt: skip
            described = fake.description("Lead", "LeadHistory")
            made = connect(fake, stages, kind="salesforce", source="sf", description=described)
            assert "All 4 fields" in verdict_of(owner, made)
            fake.hidden = {"LeadHistory"}
            page = verdict_of(owner, made)
        assert "cannot be read completely yet" in page
        assert "“LeadHistory” does not exist at the source" in page

    def test_of_a_source_that_tells_only_records_one_that_none_has_is_to_be_looked_at(self, owner):
        fake = RestFake()
        with served(fake):
            fake.world.put("1", name="案件", amount=5)
            made = connect(
                fake, mapped(external_id="uid", created_on="updated_at", amount="amount", lost_reason="reason")
            )
            page = verdict_of(owner, made)
            assert "The source can be read." in page
            assert "none of the first records has “reason”" in page
            assert "Look at this" in page
            save_mapping(connection=made, mapping=mapped(external_id="uid", created_on="begun"), now=timezone.now())
            assert "cannot be read completely yet" in verdict_of(owner, made)


class TestQuotaAndClock:
    def test_a_source_without_a_quota_says_so_and_its_clock_agrees(self, owner):
        fake = RestFake()
        with served(fake):
            made = connect(fake)
            page = verdict_of(owner, made)
            assert "The source tells no quota." in page
            assert "The clock of the source agrees with ours." in page
            japanese = verdict_of(owner, made, "ja")
            assert "接続先は呼び出し回数の上限を知らせていません。" in japanese
            assert "接続先の時計は、こちらの時計と合っています。" in japanese
            fake.clock_ahead = timedelta(minutes=10)
            assert "agrees with ours" not in verdict_of(owner, made)

    def test_of_kintone_the_calls_of_the_day_are_those_counted_here(self, owner):
        fake = KintoneFake()
        with served(fake):
            described = {**fake.description(), "apps": [{"app": APP, "name": "deals"}]}
            made = connect(fake, kind="kintone", source="kt", description=described)
            caches["default"].clear()
            assert "0 of 10000 calls of today are used." in verdict_of(owner, made)
            save_mapping(connection=made, mapping=mapped(external_id="$id", created_on="作成日時"), now=timezone.now())
            verdict_of(owner, made)
            assert "1 of 10000 calls of today are used." in verdict_of(owner, made)
