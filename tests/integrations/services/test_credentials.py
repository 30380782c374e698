"""Credentials open with the right key, at the right row of the right company, and nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from io import StringIO

import pytest
import stamina
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.choices import RunState
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, DataKey
from integrations.services.connections import change_source, create_source, save_mapping
from integrations.services.credentials import SealedError, exchange, rotate, seal, unseal
from integrations.services.runs import sync_now
from integrations.services.sources import opened_source
from integrations.services.sync import run_sync
from kpis.models import Deal
from tenants.context import tenant_context
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.server import served

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECRET = "t0p-s3cret-value"


@pytest.fixture
def connection(in_acme) -> Connection:
    made = Connection.objects.create(name="CRM", source="crm", carries="sfa", created_at=NOW)
    seal(connection=made, secrets={"token": SECRET}, now=NOW)
    return made


def test_opens_what_it_sealed(connection):
    assert dict(unseal(connection=Connection.objects.get())) == {"token": SECRET}


def test_is_not_readable_where_it_lies(connection):
    assert SECRET not in Connection.objects.get().sealed
    assert SECRET not in repr(unseal(connection=connection))


def test_does_not_open_at_another_row(connection):
    other = Connection.objects.create(
        name="MA", source="ma", carries="ma", created_at=NOW, sealed=Connection.objects.get().sealed
    )
    with pytest.raises(SealedError, match="belong to another"):
        unseal(connection=other)


def test_does_not_open_in_another_company(connection, globex):
    key = DataKey.objects.get()
    with tenant_context(globex):
        DataKey.objects.create(wrapped=key.wrapped, created_at=NOW)
        same = {"public_id": connection.public_id, "sealed": connection.sealed}
        copy = Connection.objects.create(name="CRM", source="crm", carries="sfa", created_at=NOW, **same)
        with pytest.raises(SealedError, match="belong to another"):
            unseal(connection=copy)


def test_does_not_open_with_another_master_key(connection, settings):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealedError) as caught:
        unseal(connection=connection)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("sealed", ["x", "gAAAAABnothing", SECRET])
def test_what_is_damaged_is_an_error_not_an_empty_value(connection, sealed):
    Connection.objects.update(sealed=sealed)
    with pytest.raises(SealedError):
        unseal(connection=Connection.objects.get())


def test_a_new_master_key_opens_what_the_old_one_sealed_until_it_is_rotated_away(connection, settings):
    new = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [new, *settings.CREDENTIAL_KEYS]
    before = Connection.objects.get().sealed
    assert rotate(now=NOW) == 1
    settings.CREDENTIAL_KEYS = [new]
    after = Connection.objects.get()
    assert after.sealed != before
    assert unseal(connection=after)["token"] == SECRET
    assert DataKey.objects.count() == 1


def test_a_rotation_that_cannot_open_something_changes_nothing(connection):
    Connection.objects.create(name="MA", source="ma", carries="ma", created_at=NOW, sealed="damaged")
    before = list(Connection.objects.order_by("pk").values_list("sealed", flat=True))
    with pytest.raises(SealedError):
        rotate(now=NOW)
    assert list(Connection.objects.order_by("pk").values_list("sealed", flat=True)) == before


class TestCommand:
    def test_every_company_gets_new_keys(self, connection, settings, globex):
        with tenant_context(globex):
            seal(
                connection=Connection.objects.create(name="MA", source="ma", carries="ma", created_at=NOW),
                secrets={"a": "b"},
                now=NOW,
            )
        new = Fernet.generate_key().decode()
        settings.CREDENTIAL_KEYS = [new, *settings.CREDENTIAL_KEYS]
        call_command("rotate_credentials", stdout=StringIO())
        settings.CREDENTIAL_KEYS = [new]
        assert unseal(connection=Connection.objects.get())["token"] == SECRET
        with tenant_context(globex):
            assert unseal(connection=Connection.objects.get())["a"] == "b"

    def test_a_company_that_cannot_be_opened_is_named_and_the_others_are_done(self, connection, globex):
        with tenant_context(globex):
            Connection.objects.create(name="MA", source="ma", carries="ma", created_at=NOW, sealed="damaged")
        before, told = connection.sealed, StringIO()
        with pytest.raises(CommandError, match="globex"):
            call_command("rotate_credentials", stdout=told, stderr=StringIO())
        assert "acme: 1 sealed anew" in told.getvalue()
        assert Connection.objects.get().sealed != before


class TestExchange:
    def test_keeps_what_the_change_gives(self, connection):
        given = exchange(connection=connection, change=lambda kept: {**kept, "token": "second"})
        assert given["token"] == "second"
        assert dict(unseal(connection=Connection.objects.get())) == {"token": "second"}

    def test_sees_what_lies_there_now_and_not_what_the_caller_read(self, connection):
        stale = Connection.objects.get()
        exchange(connection=connection, change=lambda kept: {**kept, "token": "second"})
        seen = []
        exchange(connection=stale, change=lambda kept: seen.append(kept["token"]) or kept)
        assert seen == ["second"]

    def test_holds_the_row_until_it_is_written(self, connection):
        with CaptureQueriesContext(
            database,
        ) as queries:
            exchange(connection=connection, change=lambda kept: {**kept, "token": "second"})
        said = [each["sql"] for each in queries.captured_queries]
        locking = next(place for place, sql in enumerate(said) if "FOR UPDATE" in sql)
        writing = next(place for place, sql in enumerate(said) if sql.startswith("UPDATE"))
        assert locking < writing

    def test_an_error_leaves_all_as_it_was(self, connection):
        def fail(kept):
            raise ConnectorError("auth", "reconnect")

        with pytest.raises(ConnectorError):
            exchange(connection=connection, change=fail)
        assert dict(unseal(connection=Connection.objects.get())) == {"token": SECRET}

    def test_refuses_to_wait_for_the_end_of_somebody_elses_transaction(self, connection, monkeypatch):
        """Within one, the token would be used before it is kept."""
        with transaction.atomic():
            monkeypatch.setattr(database.atomic_blocks[-1], "_from_testcase", False)
            with pytest.raises(RuntimeError, match="durable"):
                exchange(connection=connection, change=lambda kept: {**kept, "token": "second"})


class TestRotationOfTokens:
    @pytest.fixture(autouse=True)
    def _no_waiting(self) -> Iterator[None]:
        with stamina.set_testing(True, attempts=2, cap=True):
            yield

    @pytest.fixture
    def fake(self) -> Iterator[HubSpotFake]:
        made = HubSpotFake("deals", "oauth")
        with served(made):
            made.world.put("1", dealname="案件", amount=5000, createdate="2026-10-05", at=NOW)
            yield made

    @pytest.fixture
    def account(self, in_acme, fake) -> Connection:
        made = create_source(
            name="HubSpot",
            kind="hubspot",
            source="hubspot",
            carries="both",
            description=fake.description(),
            secrets=fake.secrets(),
            now=NOW,
        )
        rules = (
            FieldRule("external_id", column="id"),
            FieldRule("name", column="dealname"),
            FieldRule("amount", column="amount"),
            FieldRule("created_on", column="createdAt"),
        )
        save_mapping(connection=made, mapping=StreamMapping("deals", "deals", 10, "deals", rules), now=NOW)
        return made

    def sync(self, account: Connection) -> str:
        run = sync_now(connection=account, actor=None, now=timezone.now())
        run_sync(run_id=run.pk, owner="worker", now=timezone.now())
        run.refresh_from_db()
        return run.state

    def test_a_run_goes_on_with_the_token_that_the_run_before_it_was_given(self, account, fake):
        assert self.sync(account) == RunState.SUCCEEDED
        fake.expire_token()
        assert self.sync(account) == RunState.SUCCEEDED
        assert fake.exchanges == 2
        assert unseal(connection=Connection.objects.get())["refresh_token"] == fake.refresh_token
        assert [int(each.amount) for each in Deal.objects.all()] == [5000]

    def test_15_two_workers_that_renew_at_once_both_go_on(self, account, fake):
        stale = [Connection.objects.get() for _ in range(2)]
        for each in stale:
            with opened_source(each) as connector:
                assert connector.read("deals", ["1"], ("amount",))[0].values["amount"] == "5000"
        assert fake.exchanges == 1

    def test_a_token_that_somebody_else_replaced_while_we_asked_is_read_again(self, account, fake):
        with opened_source(Connection.objects.get()) as late:
            with opened_source(Connection.objects.get()) as first:
                first.read("deals", ["1"], ())
            fake.expire_token()
            with opened_source(Connection.objects.get()) as second:
                second.read("deals", ["1"], ())
            assert late.read("deals", ["1"], ())[0].external_id == "1"
        assert fake.exchanges == 2

    def test_a_permission_that_was_withdrawn_stops_the_connection_until_a_person_connects_it_anew(self, account, fake):
        fake.refresh_token = "somebody-else-used-it"
        assert self.sync(account) == RunState.FAILED
        account.refresh_from_db()
        assert account.stopped_by == "reconnect"
        change_source(connection=account, secrets={**fake.secrets(), "refresh_token": fake.refresh_token}, now=NOW)
        assert self.sync(account) == RunState.SUCCEEDED

    def test_a_description_can_change_beside_the_tokens_that_were_given(self, account, fake):
        self.sync(account)
        account.refresh_from_db()
        change_source(connection=account, description={**fake.description(), "objects": ["deals"]}, now=NOW)
        assert self.sync(account) == RunState.SUCCEEDED
        assert fake.exchanges == 1
