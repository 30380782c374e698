"""The connector of a connection, with its credentials, its budget and the guard around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings

from integrations.choices import ConnectionKind
from integrations.connectors import hubspot
from integrations.connectors.base import Connector
from integrations.connectors.document import SECRETS, DocumentError, read_document
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http
from integrations.connectors.rest import RestConnector, auth_of
from integrations.connectors.salesforce import SECRETS as SALESFORCE_SECRETS
from integrations.connectors.salesforce import SalesforceConnector, open_instance, read_description
from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.credentials import Secrets, exchange, unseal

# What a source of no known vendor surely bears.
COURTEOUS = {"calls": Rate(50, 10)}
SALESFORCE = {"calls": Rate(25, 1)}
# HubSpot allows 100 calls in any ten seconds, and of searches five in any second. A bucket that is full gives all it
# holds at once and fills while they are made: size and inflow together are what the window allows.
HUBSPOT = {"calls": Rate(9, 1), "search": Rate(1, 0.25)}
Opener = Callable[[Connection, Secrets], Connector]
Described = TypeVar("Described")


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
        case ConnectionKind.SALESFORCE:
            return SALESFORCE_SECRETS[read_description(description).auth]
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
    document = _described(read_document, connection)
    budget = SharedBudget(str(connection.public_id), COURTEOUS)
    http = Http(document.base_url, guard=guard(), budget=budget, headers=document.headers)
    with _naming_missing_secrets():
        http.auth = auth_of(document.auth, secrets, _way_to)
    return RestConnector(http, document)


def _open_salesforce(connection: Connection, secrets: Secrets) -> Connector:
    description = _described(read_description, connection)
    with _naming_missing_secrets():
        http = open_instance(description, secrets, _way_to)
    http.budget = SharedBudget(str(connection.public_id), SALESFORCE)
    return SalesforceConnector(http, description)


def _open_hubspot(connection: Connection, secrets: Secrets) -> Connector:
    source = _described(hubspot.read_hubspot, connection)
    http = Http(source.base_url, guard=guard(), budget=SharedBudget(str(connection.public_id), HUBSPOT))
    with _naming_missing_secrets():
        http.auth = hubspot.auth_of(
            source, secrets, lambda change: exchange(connection=connection, change=change), http
        )
    return hubspot.HubSpotConnector(http, source)


def _way_to(url: str) -> Http:
    return Http(url, guard=guard())


def _described(read: Callable[[object], Described], connection: Connection) -> Described:
    """What a connection says about its source. Raises ConnectorError."""
    try:
        return read(connection.description)
    except DocumentError as error:
        first = error.issues[0]
        raise ConnectorError("config", "bad_document", place=first.field or "·", why=first.message) from error


@contextmanager
def _naming_missing_secrets() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error


OPENERS: Mapping[str, Opener] = {
    ConnectionKind.REST: _open_rest,
    ConnectionKind.SALESFORCE: _open_salesforce,
    ConnectionKind.HUBSPOT: _open_hubspot,
}
