"""On pages: what is kept of a source, for how long, and mapping it again."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import RawRecord, SyncRun
from kpis.models import Deal

pytestmark = pytest.mark.django_db
FILES = {"deals.csv": "external_id,created_on,outcome,amount\nD1,2026-10-01,won,100\nD2,2026-10-02,maybe,200\n"}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def delivered(connection, sync):
    sync(connection, FILES, timezone.now())
    return connection


def page_of(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


class TestKeeping:
    def test_the_page_says_how_much_is_kept_and_maps_it_again(self, owner, delivered, drain_outbox):
        english = {"accept-language": "en"}
        page = page_of(owner.get(reverse("connection", args=[delivered.public_id]), headers=english))
        assert "2 records, received since" in page
        Deal.objects.update(name="…", content_hash="")
        answer = owner.post(reverse("connection_remap", args=[delivered.public_id]))
        run = SyncRun.objects.first()
        assert answer.url == reverse("sync_run", args=[run.public_id])
        drain_outbox()
        run.refresh_from_db()
        assert (run.kind, run.read_count, run.rejected_count) == ("remap", 2, 1)

    def test_rejected_rows_can_be_tried_again_from_their_run(self, owner, delivered):
        page = page_of(owner.get(reverse("sync_run", args=[SyncRun.objects.first().public_id])))
        assert reverse("connection_remap", args=[delivered.public_id]) in page

    def test_says_what_is_lost(self, owner, delivered):
        RawRecord.objects.filter(external_id="D1").update(received_at=timezone.now() - timedelta(days=30))
        owner.post(reverse("connection_keep", args=[delivered.public_id]), {"days": "20"})
        delivered.refresh_from_db()
        assert delivered.keep_days == 20
        page = page_of(owner.get(reverse("connection", args=[delivered.public_id]), headers={"accept-language": "en"}))
        assert "1 record is no longer kept" in page

    def test_refuses_days_that_cannot_be(self, owner, delivered):
        owner.post(reverse("connection_keep", args=[delivered.public_id]), {"days": "-1"})
        delivered.refresh_from_db()
        assert delivered.keep_days == 400

    def test_nothing_kept_is_said(self, owner, delivered):
        RawRecord.objects.all().delete()
        answer = owner.post(reverse("connection_remap", args=[delivered.public_id]))
        assert answer.url == reverse("connection", args=[delivered.public_id])
