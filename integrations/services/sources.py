"""The connector of a connection, with its credentials, its budget and the guard around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from integrations.choices import ConnectionKind
from integrations.connectors.base import Connector
from integrations.connectors.document import SECRETS, DocumentError, read_document
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http
from integrations.connectors.rest import RestConnector, auth_of
from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.credentials import Secrets, unseal

# What a source of no known vendor surely bears.
COURTEOUS = {"calls": Rate(50, 10)}
Opener = Callable[[Connection, Secrets], Connector]


@contextmanager
def opened_source(connection: Connection, *, is_watched: bool = False) -> Iterator[Connector]:
    """The connector of a connection for the block; `is_watched`: a person waits for it, so it does not try for long.

    Raises ConnectorError, SealedError.
    """
    connector = OPENERS[ConnectionKind(connection.kind)](connection, unseal(connection=connection))
    if is_watched:
        connector.http.hurry()
    try:
        yield connector
    finally:
        connector.http.close()


def needed_secrets(*, kind: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the secrets that a connection of this kind needs. Raises DocumentError."""
    return SECRETS[read_document(description).auth.type] if kind == ConnectionKind.REST else ()


def is_pulled(connection: Connection) -> bool:
    """Whether the source is called, rather than delivering files itself."""
    return connection.kind in OPENERS


def guard() -> Guard:
    """Where connectors may go in this installation."""
    return Guard(own_domains=(settings.BASE_DOMAIN,), allows_loopback=settings.SOURCES_ON_LOOPBACK)


def _open_rest(connection: Connection, secrets: Secrets) -> Connector:
    try:
        document = read_document(connection.description)
    except DocumentError as error:
        first = error.issues[0]
        raise ConnectorError("config", "bad_document", place=first.field or "·", why=first.message) from error
    budget = SharedBudget(str(connection.public_id), COURTEOUS)
    http = Http(document.base_url, guard=guard(), budget=budget, headers=document.headers)
    try:
        http.auth = auth_of(document.auth, secrets, lambda url: Http(url, guard=guard()))
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error
    return RestConnector(http, document)


OPENERS: Mapping[str, Opener] = {ConnectionKind.REST: _open_rest}
