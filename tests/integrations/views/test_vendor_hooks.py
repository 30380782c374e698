"""How each vendor calls: signed with the secret of its app, or proven by the address alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import stamina
from django.urls import reverse
from django.utils import timezone

from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection
from integrations.services.connections import create_source, save_mapping
from integrations.services.hooks import open_hook
from kpis.models import Deal
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.kintone import KintoneFake
from tests.fakes.server import served
from tests.integrations.connectors.test_hooks import hubspot_call


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def stranger(client_for, acme):
    client = client_for(None, acme)
    client.handler.enforce_csrf_checks = True
    return client


def connected(fake: Any, kind: str, **columns: str) -> Connection:
    """A connection that reads the deals of a fake."""
    made = create_source(
        name=kind,
        kind=kind,
        source=kind,
        carries="both",
        description=fake.description(),
        secrets=fake.secrets(),
        now=timezone.now(),
    )
    rules = (
        FieldRule("created_on", constant="2026-10-05"),
        *(FieldRule(ours, theirs) for ours, theirs in columns.items()),
    )
    mapping = StreamMapping("deals", "deals", 10, "deals", rules)
    save_mapping(connection=made, mapping=mapping, now=timezone.now())
    return made


class TestHubSpot:
    def test_signs_with_the_secret_of_its_app(self, in_acme, stranger, drain_outbox):
        fake = HubSpotFake("deals", "oauth")
        with served(fake):
            made = connected(fake, "hubspot", external_id="id", amount="amount")
            fake.world.put("7", dealname="案件", amount="900")
            opened = open_hook(connection=made, now=timezone.now())
            assert opened.secret == ""
            path = reverse("hook_call", args=[opened.hook.token])
            told = {"eventId": 1, "subscriptionType": "deal.propertyChange", "objectId": 7, "propertyValue": "1"}
            body = json.dumps([told]).encode()
            public = f"https://{stranger.defaults['HTTP_HOST']}{path}"
            signed = hubspot_call(body, at=timezone.now(), url=public, secret=fake.secrets()["client_secret"])
            answer = stranger.post(path, body, content_type="application/json", headers=dict(signed.headers))
            assert answer.status_code == 204
            drain_outbox()
        assert {each.external_id: int(each.amount) for each in Deal.objects.all()} == {"7": 900}


class TestKintone:
    def test_proves_itself_by_its_address(self, in_acme, client_for, acme, dave, stranger, drain_outbox):
        fake, owner = KintoneFake(), client_for(dave, acme)
        with served(fake):
            made = connected(fake, "kintone", external_id="$id", name="name")
            fake.world.put("D001", name="案件", amount=1)
            record = fake.external_id("D001")
            page = reverse("hook", args=[made.public_id])
            opened = unescape(owner.post(page, {"secret": "", "open": "1"}).content.decode())
            path = re.search(r"http://[^/]+(/hooks/[\w-]+/[\w-]+/)<", opened)[1]
            assert path not in owner.get(page).content.decode()
            app = str(fake.description()["apps"][0]["app"])
            told = {"id": "n1", "type": "ADD_RECORD", "app": {"id": app}, "record": {"$id": {"value": record}}}

            def send(path: str) -> int:
                return stranger.post(path, told, content_type="application/json").status_code

            assert send(path) == 204
            assert send(f"{path.rsplit('/', 2)[0]}/wrong/") == 404
            drain_outbox()
        assert Deal.objects.get().external_id == record
