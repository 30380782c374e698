"""The connector of a connection, with its credentials, its budget and the guard around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from integrations.choices import ConnectionKind
from integrations.connectors import hubspot
from integrations.connectors.base import Connector
from integrations.connectors.document import SECRETS, DocumentError, read_document
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http
from integrations.connectors.rest import RestConnector, auth_of
from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.credentials import Secrets, exchange, unseal

# What a source of no known vendor surely bears.
COURTEOUS = {"calls": Rate(50, 10)}
# HubSpot allows 100 calls in any ten seconds, and of searches five in any second. A bucket that is full gives all it
# holds at once and fills while they are made: size and inflow together are what the window allows.
HUBSPOT = {"calls": Rate(9, 1), "search": Rate(1, 0.25)}
Opener = Callable[[Connection, Secrets], Connector]


@contextmanager
def opened_source(connection: Connection) -> Iterator[Connector]:
    """The connector of a connection for the block. Raises ConnectorError, SealedError."""
    connector = OPENERS[ConnectionKind(connection.kind)](connection, unseal(connection=connection))
    try:
        yield connector
    finally:
        connector.http.close()


def needed_secrets(*, kind: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the secrets that a connection of this kind needs. Raises DocumentError."""
    match kind:
        case ConnectionKind.REST:
            return SECRETS[read_document(description).auth.type]
        case ConnectionKind.HUBSPOT:
            return hubspot.SECRETS[hubspot.read_hubspot(description).auth]
        case _:
            return ()


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
        raise _bad_document(error) from error
    budget = SharedBudget(str(connection.public_id), COURTEOUS)
    http = Http(document.base_url, guard=guard(), budget=budget, headers=document.headers)
    try:
        http.auth = auth_of(document.auth, secrets, lambda url: Http(url, guard=guard()))
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error
    return RestConnector(http, document)


def _open_hubspot(connection: Connection, secrets: Secrets) -> Connector:
    try:
        source = hubspot.read_hubspot(connection.description)
    except DocumentError as error:
        raise _bad_document(error) from error
    http = Http(source.base_url, guard=guard(), budget=SharedBudget(str(connection.public_id), HUBSPOT))
    try:
        http.auth = hubspot.auth_of(
            source, secrets, lambda change: exchange(connection=connection, change=change), http
        )
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error
    return hubspot.HubSpotConnector(http, source)


def _bad_document(error: DocumentError) -> ConnectorError:
    first = error.issues[0]
    return ConnectorError("config", "bad_document", place=first.field or "·", why=first.message)


OPENERS: Mapping[str, Opener] = {ConnectionKind.REST: _open_rest, ConnectionKind.HUBSPOT: _open_hubspot}
