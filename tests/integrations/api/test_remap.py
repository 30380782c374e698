"""Over the API: what is kept of a source, for how long, and mapping it again."""

from __future__ import annotations

import pytest

from integrations.models import RawRecord
from kpis.models import Deal
from tests.integrations.sources import DEALS, fill

ROOT = "connections/"


@pytest.fixture
def address(in_acme, api, fake, drain_outbox) -> str:
    """A source with three deals that were read once."""
    given = {"name": "社内CRM", "kind": "rest", "carries": "sfa", "source": "crm", "description": fake.document()}
    made = api.made(ROOT, {**given, "secrets": fake.secrets(), "keep_days": 100})
    address = f"{ROOT}{made['id']}/"
    fill(fake, 3)
    body = {"mappings": [DEALS]}
    api.client.put(f"/api/v1/{address}mappings/", body, content_type="application/json")
    api.post(f"{address}sync/")
    drain_outbox()
    fake.calls.clear()
    return address


class TestRemap:
    def test_says_what_is_kept_and_since_when(self, api, address):
        assert api.shown(address)["keep_days"] == 100
        kept = api.shown(f"{address}remap/")
        assert (kept["count"], kept["lost"]) == (3, 0)
        assert kept["since"] is not None

    def test_maps_it_again_without_asking_the_source(self, api, address, fake, drain_outbox):
        Deal.objects.update(name="", content_hash="")
        asked = api.post(f"{address}remap/")
        assert (asked.status_code, asked.json()["kind"]) == (202, "remap")
        drain_outbox()
        done = api.shown(f"{address}runs/")["results"][0]
        assert (done["state"], done["counts"]["read"], done["counts"]["updated"]) == ("succeeded", 3, 3)
        assert set(Deal.objects.values_list("name", flat=True)) == {"案件1", "案件2", "案件3"}
        assert not fake.calls

    def test_is_refused_where_nothing_is_kept(self, api, address):
        assert api.patch(address, {"keep_days": 0}).json()["keep_days"] == 0
        assert not RawRecord.objects.exclude(payload=None).exists()
        refused = api.post(f"{address}remap/")
        assert (refused.status_code, refused.json()["code"]) == (400, "nothing_kept")
        assert api.shown(f"{address}remap/") == {"count": 0, "since": None, "lost": 3}

    def test_keeps_nothing_for_longer_than_it_can(self, api, address):
        assert api.patch(address, {"keep_days": 99_999}).status_code == 400
