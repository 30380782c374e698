"""Credentials of connections: sealed where they lie, opened only where a source is called.

Two layers. Every company has data keys of its own, which seal its credentials; the data keys lie in the company's
schema, sealed by the master key, which is in the environment alone (CREDENTIAL_KEYS, newest first). What is sealed
names the company and the connection it belongs to: copied to another row or another company it does not open.
Everything fails closed: without the right key there is an error, never an empty or a readable value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from integrations.models import Connection, DataKey
from tenants.context import current_company

# Proves the calls of a source to us. It lies beside the credentials for ours to it, and stays when these are replaced.
PROOF_OF_CALLS = "hook_secret"


class SealedError(RuntimeError):
    """Credentials cannot be opened: the key is not the one they were sealed with, or they belong to another row."""


class Secrets(Mapping[str, str]):
    """The opened credentials of one connection. They are not shown where the object is printed or logged."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"


@transaction.atomic
def seal(*, connection: Connection, secrets: Mapping[str, str], now: datetime) -> None:
    """Keep the credentials of a connection, replacing those before."""
    _put(connection, secrets, _company_keys(now=now))


def unseal(*, connection: Connection) -> Secrets:
    """The credentials of a connection; empty where it has none. Raises SealedError."""
    if not connection.sealed:
        return Secrets({})
    try:
        content = json.loads(_company_keys(now=None).decrypt(connection.sealed.encode()))
    except InvalidToken:
        # The token itself and the keys stay out of the chain of errors.
        raise SealedError(f"The credentials of connection {connection.public_id} cannot be opened") from None
    if {name: content.get(name) for name in _binding(connection)} != _binding(connection):
        raise SealedError(f"The credentials of connection {connection.public_id} belong to another one")
    return Secrets(content["secrets"])


@transaction.atomic
def keep_secret(*, connection: Connection, name: str, secret: str | None, now: datetime) -> None:
    """Keep one more secret beside the credentials of a connection, or (None) that secret no longer.

    Raises SealedError where the others cannot be opened.
    """
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    others = {key: value for key, value in unseal(connection=row).items() if key != name}
    seal(connection=row, secrets=others if secret is None else {**others, name: secret}, now=now)
    connection.sealed = row.sealed


@transaction.atomic(durable=True)
def exchange(*, connection: Connection, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Secrets:
    """Replace the credentials of a connection by what `change` makes of them, while no other worker may.

    `change` sees them as they lie there now, whatever `connection` holds, and may call the source: what that gives is
    committed when this returns, so that nothing is used before it is kept. An error in it leaves all as it was.
    Raises SealedError, and what `change` raises.
    """
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    before = unseal(connection=row)
    after = Secrets(change(before))
    if dict(after) != dict(before):
        _put(row, after, _company_keys(now=None))
    return after


@transaction.atomic
def rotate(*, now: datetime) -> int:
    """Give the company a new data key, seal everything with it and drop the old ones; returns how many were sealed.

    Raises SealedError, and changes nothing, when something cannot be opened.
    """
    opened = [(each, unseal(connection=each)) for each in Connection.objects.select_for_update().exclude(sealed="")]
    old = list(DataKey.objects.select_for_update())
    _new_key(now)
    for connection, secrets in opened:
        seal(connection=connection, secrets=secrets, now=now)
    DataKey.objects.filter(pk__in=[each.pk for each in old]).delete()
    return len(opened)


def _put(connection: Connection, secrets: Mapping[str, str], keys: MultiFernet) -> None:
    content = {**_binding(connection), "secrets": dict(secrets)}
    connection.sealed = keys.encrypt(json.dumps(content).encode()).decode()
    Connection.objects.filter(pk=connection.pk).update(sealed=connection.sealed)


def _binding(connection: Connection) -> dict[str, str]:
    return {"company": str(current_company().pk), "connection": str(connection.public_id)}


def _company_keys(*, now: datetime | None) -> MultiFernet:
    """The company's data keys, newest first; the first one is made when `now` is given and there is none yet."""
    keys = [_unwrapped(each) for each in DataKey.objects.order_by("-id")]
    if not keys and now is not None:
        keys = [_new_key(now)]
    if not keys:
        raise SealedError("This company has no data key")
    return MultiFernet([Fernet(key) for key in keys])


def _new_key(now: datetime) -> bytes:
    key = Fernet.generate_key()
    DataKey.objects.create(wrapped=_master().encrypt(key).decode(), created_at=now)
    return key


def _unwrapped(key: DataKey) -> bytes:
    try:
        return _master().decrypt(key.wrapped.encode())
    except InvalidToken:
        raise SealedError("A data key cannot be opened with CREDENTIAL_KEYS") from None


def _master() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])
