"""A call of a source is in the numbers within seconds while a worker runs."""

import hashlib
import hmac
import json
import statistics
import time
from datetime import timedelta

import pytest
import stamina
from django.urls import reverse
from django.utils import timezone

from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.services.connections import create_source, save_mapping
from integrations.services.hooks import open_hook
from tenants.context import tenant_context
from tenants.outbox.services import emit
from tests.fakes.rest import RestFake
from tests.fakes.server import served
from tests.worker import all_done, wait_for

pytestmark = [pytest.mark.gate, pytest.mark.alone]
SECONDS = 5
CALLS = 20
RULES = (
    FieldRule("external_id", column="uid"),
    FieldRule("created_on", column="created"),
    FieldRule("closed_on", column="created"),
    FieldRule("amount", column="amount"),
    FieldRule("outcome", column="stage", values={"受注": "won"}),
)


class TestCall:
    def test_is_in_the_matrix_within_five_seconds(self, committed_db, plan, api, worker, acme, client_for):
        fake = RestFake("keyset", "bearer")
        with served(fake), stamina.set_testing(True, attempts=2, cap=True):
            with tenant_context(acme):
                made = create_source(
                    name="CRM",
                    kind="rest",
                    source="crm",
                    carries="sfa",
                    description=fake.document(calls=True),
                    secrets=fake.secrets(),
                    now=timezone.now(),
                )
                save_mapping(
                    connection=made, mapping=StreamMapping("deals", "deals", 10, "deals", RULES), now=timezone.now()
                )
                opened = open_hook(connection=made, now=timezone.now())
            worker()
            emit(topic="facts.changed", company_id=acme.pk)
            assert wait_for(all_done)  # the worker has started
            asked = {"tree": plan["tree"], "grain": "month", "from": "2026-10-01", "to": "2026-11-01"}
            source, took = client_for(None, acme), []
            for number in range(1, CALLS + 1):
                fake.world.now = fake.now() - timedelta(seconds=1)
                fake.world.put("D1", created="2026-10-05", amount=number, stage="受注")
                body = json.dumps({"events": [{"id": number, "deal": {"uid": "D1"}}]}).encode()
                signed = hmac.new(opened.secret.encode(), body, hashlib.sha256).hexdigest()
                began = time.monotonic()
                answer = source.post(
                    reverse("hook_call", args=[opened.hook.token]),
                    body,
                    content_type="application/json",
                    headers={"x-signature": f"sha256={signed}"},
                )
                assert answer.status_code == 204
                assert time.monotonic() - began < 1  # the source is not kept waiting
                wanted = [[[number]]]
                assert wait_for(lambda: api.shown("matrix/", nodes="bookings", **asked)["cells"]["value"] == wanted)  # noqa: B023
                took.append(time.monotonic() - began)
        assert statistics.quantiles(took, n=20)[-1] < SECONDS
