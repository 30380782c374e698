"""Credentials open with the right key, at the right row of the right company, and nowhere else."""

from __future__ import annotations

import traceback
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.models import Connection, DataKey
from integrations.services.credentials import SealedError, rotate, seal, unseal
from tenants.context import tenant_context

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
