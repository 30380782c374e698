"""Every model is in the admin; what is changed there is changed by the services."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from integrations.models import (
    ApiKey,
    Connection,
    DataKey,
    FieldMapping,
    InboundEvent,
    InboundHook,
    ListedPart,
    MendRequest,
    MergedRecord,
    SyncRun,
)
from integrations.services.connections import create_source
from integrations.services.credentials import seal
from tenants.models import DueSync
from tests.fakes.rest import TOKEN
from tests.integrations.conftest import NOW
from tests.integrations.services.test_sync import DEALS

MODELS = [model._meta.model_name for model in apps.get_app_config("integrations").get_models()]


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.mark.parametrize("name", MODELS)
def test_lists_and_shows_each_model(owner, connection, sync, key_for, name):
    key_for("read")
    sync(connection, {"deals.csv": DEALS + "D9,x,,,,\n"})
    seal(connection=connection, secrets={"token": "t0ken"}, now=NOW)
    InboundHook.objects.create(connection=connection, token="t0ken-of-the-address", opened_at=NOW)
    InboundEvent.objects.create(connection=connection, event_id="e1", stream="deals", external_id="D1", received_at=NOW)
    MergedRecord.objects.create(connection=connection, resource="deals", loser="D8", winner="D1", noted_at=NOW)
    MendRequest.objects.create(connection=connection, problem="reconnect", since=NOW, sent_at=NOW)
    ListedPart.objects.create(run=SyncRun.objects.first(), stream="deals", ids=["D1"])
    assert owner.get(reverse(f"admin:integrations_{name}_changelist")).status_code == 200
    row = apps.get_model("integrations", name)._default_manager.first()
    shown = owner.get(reverse(f"admin:integrations_{name}_change", args=[row.pk]))
    assert shown.status_code == 200
    assert "t0ken-of-the-address" not in shown.content.decode()


def test_sealed_credentials_and_keys_are_shown_nowhere(owner, fake, in_acme):
    made = create_source(
        name="CRM",
        kind="rest",
        source="crm",
        carries="sfa",
        description=fake.document(),
        secrets=fake.secrets(),
        now=NOW,
    )
    made.refresh_from_db()
    Connection.objects.filter(pk=made.pk).update(stopped_by="not_authorised")
    key = DataKey.objects.get()
    addresses = [
        reverse("admin:integrations_connection_changelist"),
        reverse("admin:integrations_connection_change", args=[made.pk]),
        reverse("admin:integrations_datakey_changelist"),
        reverse("admin:integrations_datakey_change", args=[key.pk]),
    ]
    pages = [owner.get(address).content.decode() for address in addresses]
    assert "not_authorised" in pages[1]
    assert "updated_since" in pages[1]
    for secret in (made.sealed, key.wrapped, TOKEN):
        assert not any(secret in page for page in pages)
    assert owner.post(addresses[3], {"wrapped": "x"}).status_code == 403
    description = {
        "description": "{}",
        "sealed": "x",
        "stopped_by": "",
        "every": "",
        "keep_days": "400",
        "kind": "file",
    }
    assert owner.post(addresses[1], description).status_code == 302
    after = Connection.objects.get()
    assert (after.sealed, after.stopped_by, after.kind) == (made.sealed, "not_authorised", "rest")
    assert after.description == fake.document()


def test_every_model_is_registered():
    assert all(admin.site.is_registered(apps.get_model("integrations", name)) for name in MODELS)


def test_a_new_connection_has_its_mappings_and_schedule(owner, in_acme, acme):
    form = {"name": "SFA", "carries": "sfa", "preset": "japanese_sales", "source": "sfa", "every": "1 00:00:00"}
    answer = owner.post(reverse("admin:integrations_connection_add"), form)
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    connection = Connection.objects.get()
    assert FieldMapping.objects.filter(connection=connection).count() == 12
    assert DueSync.objects.filter(company=acme, object_id=str(connection.public_id)).exists()


def test_pausing_ends_the_schedule(owner, connection, acme):
    address = reverse("admin:integrations_connection_change", args=[connection.pk])
    assert owner.post(address, {"every": "1 00:00:00", "keep_days": "30", "is_paused": "on"}).status_code == 302
    connection.refresh_from_db()
    assert (connection.is_paused, connection.keep_days) == (True, 30)
    assert not DueSync.objects.filter(company=acme, object_id=str(connection.public_id)).exists()


def test_a_changed_mapping_is_a_new_version(owner, connection):
    mapping = FieldMapping.objects.get(connection=connection, stream="products")
    address = reverse("admin:integrations_fieldmapping_change", args=[mapping.pk])
    form = {
        "connection": connection.pk,
        "stream": "products",
        "resource": "products",
        "position": 40,
        "reads": "items*",
        "rules": '[{"field": "external_id", "column": "id"}, {"field": "name", "column": "name"}]',
        "date_formats": "[]",
        "skip_blank": "[]",
        "headings": "[]",
    }
    assert owner.post(address, form).status_code == 302
    versions = FieldMapping.objects.filter(connection=connection, stream="products").order_by("version")
    assert [(each.version, each.is_current, each.reads) for each in versions] == [
        (1, False, "products[._]*"),
        (2, True, "items*"),
    ]
    faulty = owner.post(address, {**form, "rules": '[{"field": "colour", "column": "c"}]'})
    assert faulty.status_code == 200
    assert "colour" in faulty.content.decode()
    assert owner.post(address, {**form, "rules": '[{"wrong": 1}]'}).status_code == 200


def test_a_new_key_is_shown_once(owner, in_acme):
    answer = owner.post(reverse("admin:integrations_apikey_add"), {"name": "BI", "scopes": ["read"]}, follow=True)
    assert re.search(r"[0-9a-f]{8}\.[\w-]{43}", answer.content.decode())
    assert ApiKey.objects.get().scopes == ["read"]


def test_others_stay_outside(client_for, acme, alice, hana, connection):
    for user in (alice, hana):
        assert client_for(user, acme).get(reverse("admin:integrations_connection_changelist")).status_code in (302, 403)
