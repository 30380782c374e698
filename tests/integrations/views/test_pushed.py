"""Sources that send their data themselves: a person says how often it is due, and silence is seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from integrations.choices import Health
from integrations.selectors.connections import health_of
from kpis.models import FactStream
from kpis.selectors.operation import read_health
from kpis.selectors.sources import read_sources
from kpis.services.facts import upsert_facts
from tests.integrations.conftest import NOW

DAY = timedelta(days=1)


def push(now=NOW, *records, source="erp"):
    upsert_facts(resource="deals", source=source, records=records, now=now)


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def say(owner, in_acme):
    """Saves a frequency and shows the page that follows."""

    def post(**fields):
        return owner.post(reverse("pushed_frequency"), fields, follow=True).content.decode()

    return post


class TestPushedFrequency:
    def test_a_source_without_one_is_named(self, owner, in_acme):
        push()
        page = owner.get(reverse("connections")).content.decode()
        assert "送られてくるデータ" in page
        assert "erp" in page
        assert "更新頻度が未設定" in page

    def test_makes_a_silent_source_late(self, say):
        push()
        assert "更新頻度を保存しました" in say(source="erp", every="1440")
        assert FactStream.objects.get().expected_every == DAY
        (source,) = read_sources(now=NOW + 2 * DAY)
        assert source.is_stale

    def test_stays_when_the_source_delivers_again(self, say):
        push()
        say(source="erp", every="1440")
        push(NOW + DAY)
        assert FactStream.objects.get().expected_every == DAY

    def test_can_be_taken_back(self, say):
        push()
        say(source="erp", every="1440")
        say(source="erp", every="")
        assert not read_sources(now=NOW + 9 * DAY)[0].is_stale

    def test_a_source_that_a_connection_reads_is_not_offered(self, owner, say, connection):
        push(source=connection.source)
        page = owner.get(reverse("connections")).content.decode()
        assert "送られてくるデータ" not in page
        assert "データ連携で取り込んでいます" in say(source=connection.source, every="1440")
        assert FactStream.objects.get().expected_every is None

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"source": "nobody", "every": "60"}, "「nobody」からはまだ何も届いていません"),
            ({"source": "erp", "every": "7"}, "更新頻度"),
        ],
    )
    def test_says_what_is_wrong(self, say, fields, told):
        push()
        assert told in say(**fields)
        assert FactStream.objects.get().expected_every is None

    def test_is_for_those_who_manage_connections(self, client_for, acme, alice):
        client = client_for(alice, acme)
        assert client.post(reverse("pushed_frequency"), {"source": "erp", "every": "60"}).status_code == 403


class TestOneRule:
    @pytest.mark.parametrize(("minutes", "is_late"), [(70, False), (76, True)])
    def test_connection_strip_and_api_agree(self, connection, minutes, is_late):
        connection.every = connection.read_every = timedelta(hours=1)
        connection.last_success_at = NOW
        FactStream.objects.create(
            source=connection.source, fact="deals", last_success_at=NOW, expected_every=timedelta(hours=1)
        )
        now = NOW + timedelta(minutes=minutes)
        assert (health_of(connection=connection, now=now) is Health.LATE) is is_late
        assert read_sources(now=now)[0].is_stale is is_late
        assert (read_health(now=now).status == "late") is is_late
