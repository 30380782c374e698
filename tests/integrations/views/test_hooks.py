"""A source that calls: from the address on its page to the changed deal, and nothing for whoever only pretends."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.choices import EventState, RunKind, RunState
from integrations.models import Connection, InboundEvent, InboundHook, RejectedRecord, SyncRun
from integrations.services.connections import (
    change_source,
    create_source,
    pause_connection,
    resume_connection,
    save_mapping,
)
from integrations.services.hooks import open_hook
from integrations.services.notified import MAX_ATTEMPTS, forget_old_events
from integrations.services.runs import sync_now
from integrations.services.sync import run_sync
from kpis.models import FactStream
from tenants.models import DueSync
from tests.fakes.server import Reply
from tests.integrations.services.test_pulling import DEALS, fill, stored


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def stranger(client_for, acme):
    """The source: nobody who is signed in, and it sends no CSRF token."""
    client = client_for(None, acme)
    client.handler.enforce_csrf_checks = True
    return client


@pytest.fixture
def connection(in_acme, fake) -> Connection:
    made = create_source(
        name="社内CRM",
        kind="rest",
        source="crm",
        carries="sfa",
        description=fake.document(calls=True),
        secrets=fake.secrets(),
        every=timedelta(hours=1),
        now=timezone.now(),
    )
    save_mapping(connection=made, mapping=DEALS, now=timezone.now())
    return made


def sync(connection: Connection) -> SyncRun:
    run = sync_now(connection=connection, actor=None, now=timezone.now())
    return run_sync(run_id=run.pk, owner="worker", now=timezone.now())


class Calls:
    """What the generic source sends to an open address."""

    def __init__(self, client: Any, connection: Connection) -> None:
        opened = open_hook(connection=connection, now=timezone.now())
        self.client, self.secret = client, opened.secret
        self.address = reverse("hook_call", args=[opened.hook.token])

    def tell(self, *ids: str, event: str = "e", secret: str | None = None) -> int:
        """The status of the answer to a call about these deals."""
        events = [{"id": f"{event}-{each}", "deal": {"uid": each, "amount": "a lie"}} for each in ids]
        body = json.dumps({"events": events}).encode()
        digest = hmac.new((secret or self.secret).encode(), body, hashlib.sha256).hexdigest()
        return self.client.post(
            self.address, body, content_type="application/json", headers={"x-signature": f"sha256={digest}"}
        ).status_code


@pytest.fixture
def calls(stranger, connection) -> Calls:
    return Calls(stranger, connection)


def events() -> list[tuple[str, str]]:
    return list(InboundEvent.objects.order_by("id").values_list("external_id", "state"))


class TestFetching:
    def test_a_call_brings_the_record_as_the_source_has_it(self, connection, fake, calls, drain_outbox):
        fill(fake, 3)
        sync(connection)
        before = FactStream.objects.get().last_success_at
        fake.world.put("D002", amount=77)
        fake.world.put("D004", name="新規", created="2026-10-05", amount=4, stage="受注")
        fake.world.delete("D003")
        asked = len(fake.calls)
        assert calls.tell("D002", "D003", "D004") == 204
        drain_outbox()
        assert stored() == {"D001": 1000, "D002": 77, "D004": 4}
        assert len(fake.calls) == asked + 3
        assert {state for _, state in events()} == {EventState.DONE}
        run = SyncRun.objects.get(kind=RunKind.EVENTS)
        assert (run.state, run.read_count, run.inserted_count, run.updated_count, run.deleted_count) == (
            RunState.SUCCEEDED,
            3,
            1,
            1,
            1,
        )
        # Single records do not make a stream complete.
        assert FactStream.objects.get().last_success_at == before

    def test_18_told_twice_it_is_fetched_once(self, connection, fake, calls, drain_outbox):
        fill(fake, 1)
        assert (calls.tell("D001"), calls.tell("D001")) == (204, 204)
        assert calls.tell("D001", event="another") == 204
        drain_outbox()
        assert len(events()) == 2
        assert len([each for each in fake.calls if each.path == "/v1/deals/D001"]) == 1
        hook = InboundHook.objects.get()
        assert (hook.received_count, hook.repeated_count) == (3, 1)
        assert calls.tell("D001") == 204
        drain_outbox()
        assert len([each for each in fake.calls if each.path == "/v1/deals/D001"]) == 1

    def test_18_late_and_out_of_order_the_last_state_counts(self, connection, fake, calls, drain_outbox):
        fill(fake, 1)
        fake.world.put("D001", amount=2)
        calls.tell("D001", event="second")
        drain_outbox()
        calls.tell("D001", event="first")
        drain_outbox()
        assert stored() == {"D001": 2}
        assert SyncRun.objects.filter(kind=RunKind.EVENTS).first().unchanged_count == 1

    def test_18_an_index_that_lags_does_not_bring_the_past_back(self, connection, fake, calls, drain_outbox):
        fill(fake, 2)
        sync(connection)
        old = fake.world.things["D002"]  # the boundary of the next import, which reads it again
        fake.world.tick(minutes=5)
        fake.world.put("D002", amount=2)
        calls.tell("D002")
        drain_outbox()
        fresh = fake.world.things["D002"]
        fake.world.things["D002"] = old
        assert sync(connection).read_count == 1
        assert stored()["D002"] == 2
        fake.world.things["D002"] = fresh
        fake.world.tick(minutes=5)
        fake.world.put("D002", amount=3)
        sync(connection)
        assert stored()["D002"] == 3

    def test_a_bad_record_is_rejected_with_its_reason(self, connection, fake, calls, drain_outbox):
        fill(fake, 2)
        fake.world.put("D001", stage="謎")
        calls.tell("D001")
        drain_outbox()
        fake.world.put("D001", stage="なぞ")
        calls.tell("D001", event="again")
        drain_outbox()
        assert [each.external_id for each in RejectedRecord.objects.all()] == ["D001", "D001"]
        assert {state for _, state in events()} == {EventState.DONE}

    def test_a_stream_that_is_not_read_by_id_is_left_aside(self, connection, fake, calls, drain_outbox):
        fill(fake, 1)
        document = fake.document(calls=True)
        del document["streams"][0]["single"]
        change_source(connection=connection, description=document, now=timezone.now())
        calls.tell("D001")
        drain_outbox()
        assert events() == [("D001", EventState.ASIDE)]
        assert stored() == {}

    def test_a_paused_connection_fetches_when_it_goes_on(self, connection, fake, calls, drain_outbox):
        fill(fake, 1)
        pause_connection(connection=connection, now=timezone.now())
        assert calls.tell("D001") == 204
        drain_outbox()
        assert events() == [("D001", EventState.WAITING)]
        resume_connection(connection=connection, now=timezone.now())
        sync(connection)
        drain_outbox()
        assert events() == [("D001", EventState.DONE)]


class TestSourceAway:
    def test_it_is_asked_again_later_and_the_rhythm_of_imports_stays(self, connection, fake, calls, drain_outbox):
        fill(fake, 2)
        sync(connection)
        rhythm = DueSync.objects.get(kind="integrations.connection").next_run_at
        fake.world.put("D002", amount=5)
        fake.faults = [Reply(503, None)] * 20
        calls.tell("D002")
        drain_outbox()
        run = SyncRun.objects.get(kind=RunKind.EVENTS)
        assert (run.state, events()[0][1]) == (RunState.QUEUED, EventState.WAITING)
        assert timedelta(seconds=25) < run.not_before - timezone.now() < timedelta(seconds=35)
        assert DueSync.objects.get(kind="integrations.connection").next_run_at == rhythm
        connection.refresh_from_db()
        assert connection.failure_count == 0
        fake.faults = []
        assert DueSync.objects.get(kind="integrations.run").next_run_at == run.not_before
        assert run_sync(run_id=run.pk, owner="late", now=run.not_before).state == RunState.SUCCEEDED
        assert stored()["D002"] == 5

    def test_an_import_in_between_does_not_wait_for_it(self, connection, fake, calls, drain_outbox):
        fill(fake, 2)
        fake.faults = [Reply(503, None)] * 20
        calls.tell("D002")
        drain_outbox()
        fake.faults = []
        assert sync(connection).state == RunState.SUCCEEDED

    def test_after_the_last_attempt_it_is_left_to_the_import(self, connection, fake, calls, drain_outbox):
        calls.tell("D001")
        InboundEvent.objects.update(attempts=MAX_ATTEMPTS)
        drain_outbox()
        assert events() == [("D001", EventState.LEFT)]

    def test_wrong_credentials_leave_it_waiting_for_the_import_that_works_again(
        self, connection, fake, calls, drain_outbox
    ):
        fill(fake, 2)
        change_source(connection=connection, secrets={"token": "wr0ng"}, now=timezone.now())
        assert calls.tell("D001") == 204  # the secret of the calls outlives the credentials
        drain_outbox()
        run = SyncRun.objects.get(kind=RunKind.EVENTS)
        assert (run.state, run.problem_code) == (RunState.FAILED, "not_authorised")
        assert events() == [("D001", EventState.WAITING)]
        change_source(connection=connection, secrets=fake.secrets(), now=timezone.now())
        sync(connection)
        drain_outbox()
        assert events() == [("D001", EventState.DONE)]

    def test_what_is_long_done_is_forgotten(self, connection, fake, calls, drain_outbox):
        fill(fake, 1)
        calls.tell("D001")
        drain_outbox()
        forget_old_events(connection=connection, now=timezone.now() + timedelta(days=13))
        assert InboundEvent.objects.exists()
        forget_old_events(connection=connection, now=timezone.now() + timedelta(days=15))
        assert not InboundEvent.objects.exists()
        assert not SyncRun.objects.filter(kind=RunKind.EVENTS).exists()


class TestPretenders:
    def test_learn_nothing_and_bring_nothing(self, calls, stranger, caplog, drain_outbox):
        caplog.set_level(logging.DEBUG)
        assert calls.tell("D001", secret="wr0ng-secret") == 404
        assert (
            stranger.post(reverse("hook_call", args=["no-such-token"]), b"{}", content_type="text/json").status_code
            == 404
        )
        assert stranger.post(calls.address, b"{}", content_type="application/json").status_code == 404
        assert stranger.get(calls.address).status_code == 405
        drain_outbox()
        assert not InboundEvent.objects.exists()
        hook = InboundHook.objects.get()
        assert (hook.refused_count, hook.refused_by, hook.received_count) == (2, "unsigned", 0)
        assert calls.secret not in caplog.text

    def test_a_body_that_is_too_large_is_not_read(self, calls):
        body = b"[" + b"1," * 600_000 + b"1]"
        assert calls.client.post(calls.address, body, content_type="application/json").status_code == 413

    def test_the_address_of_another_company_is_none_here(self, calls, client_for, globex):
        other = client_for(None, globex)
        assert other.post(calls.address, b"{}", content_type="application/json").status_code == 404


class TestPage:
    def test_opens_shows_the_secret_once_and_closes(self, owner, connection, fake, stranger, drain_outbox):
        fill(fake, 1)
        page = reverse("hook", args=[connection.public_id])
        assert page in owner.get(reverse("connection", args=[connection.public_id])).content.decode()
        opened = unescape(owner.post(page, {"secret": "", "open": "1"}).content.decode())
        path = re.search(r"http://[^/]+(/hooks/[\w-]+/)<", opened)[1]
        secret = re.search(r"<code>([\w-]{40,})</code>", opened)[1]
        again = owner.get(page).content.decode()
        assert path in again
        assert secret not in again
        body = json.dumps({"events": [{"id": 1, "deal": {"uid": "D001"}}]}).encode()
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-signature": f"sha256={signed}"}

        def send() -> int:
            return stranger.post(path, body, content_type="application/json", headers=headers).status_code

        assert send() == 204
        drain_outbox()
        assert stored() == {"D001": 1000}
        assert owner.post(page, {"close": "1"}).status_code == 302
        assert send() == 404

    def test_says_why_calls_are_refused(self, owner, connection, calls):
        calls.tell("D001", secret="wr0ng-secret")
        shown = owner.get(reverse("hook", args=[connection.public_id]), headers={"accept-language": "en"})
        assert "Its signature or secret is wrong" in shown.content.decode()

    def test_a_secret_that_is_too_short_is_refused(self, owner, connection):
        answer = owner.post(reverse("hook", args=[connection.public_id]), {"secret": "short", "open": "1"})
        assert answer.status_code == 422
        assert not InboundHook.objects.exists()

    def test_a_source_that_does_not_say_how_it_calls_has_none(self, owner, connection, fake):
        change_source(connection=connection, description=fake.document(), now=timezone.now())
        page = reverse("hook", args=[connection.public_id])
        assert owner.get(page).status_code == 404
        assert page not in owner.get(reverse("connection", args=[connection.public_id])).content.decode()


class TestApi:
    def test_opens_shows_and_closes(self, connection, fake, api, stranger, drain_outbox):
        fill(fake, 1)
        address = f"connections/{connection.public_id}/hook/"
        assert not api.shown(address)["is_open"]
        opened = api.made(address, {})
        body = json.dumps({"events": [{"id": 1, "deal": {"uid": "D001"}}]}).encode()
        signed = hmac.new(opened["secret"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-signature": f"sha256={signed}"}
        path = opened["address"].partition("8000")[2] or opened["address"]
        assert stranger.post(path, body, content_type="application/json", headers=headers).status_code == 204
        drain_outbox()
        shown = api.shown(address)
        assert (shown["is_open"], shown["received"], shown["fetched"]) == (True, 1, 1)
        assert opened["secret"] not in json.dumps(shown)
        assert api.client.delete(f"/api/v1/{address}").status_code == 204
        assert not api.shown(address)["is_open"]
        assert api.post(address, {"secret": "short"}).status_code == 400

    def test_a_source_that_does_not_call_says_so(self, connection, fake, api):
        change_source(connection=connection, description=fake.document(), now=timezone.now())
        answer = api.get(f"connections/{connection.public_id}/hook/")
        assert (answer.status_code, answer.json()["code"]) == (409, "does_not_call")
