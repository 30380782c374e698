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
from integrations.connectors.kintone import KintoneConnector
from integrations.connectors.kintone_description import read_description
from integrations.connectors.rest import RestConnector, auth_of
from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.credentials import Secrets, unseal

# What a source of no known vendor surely bears.
COURTEOUS = {"calls": Rate(50, 10)}
# At most ten calls within any second; the day's quota of an app is far away at that pace, as a page has 500 records.
KINTONE = {"calls": Rate(5, 1)}
Opener = Callable[[Connection, Secrets], Connector]


@contextmanager
def opened_source(connection: Connection) -> Iterator[Connector]:
    """The connector of a connection for the block. Raises ConnectorError, SealedError."""
    connector = _opened(connection)
    try:
        yield connector
    finally:
        connector.http.close()


def _opened(connection: Connection) -> Connector:
    opener, secrets = OPENERS[ConnectionKind(connection.kind)], unseal(connection=connection)
    try:
        return opener(connection, secrets)
    except DocumentError as error:
        first = error.issues[0]
        raise ConnectorError("config", "bad_document", place=first.field or "·", why=first.message) from error
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error


def needed_secrets(*, kind: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the secrets that a connection of this kind needs. Raises DocumentError."""
    match kind:
        case ConnectionKind.REST:
            return SECRETS[read_document(description).auth.type]
        case ConnectionKind.KINTONE:
            return read_description(description).secrets
    return ()


def is_pulled(connection: Connection) -> bool:
    """Whether the source is called, rather than delivering files itself."""
    return connection.kind in OPENERS


def guard() -> Guard:
    """Where connectors may go in this installation."""
    return Guard(own_domains=(settings.BASE_DOMAIN,), allows_loopback=settings.SOURCES_ON_LOOPBACK)


def _open_rest(connection: Connection, secrets: Secrets) -> Connector:
    document = read_document(connection.description)
    http = Http(document.base_url, guard=guard(), budget=_budget(connection, COURTEOUS), headers=document.headers)
    http.auth = auth_of(document.auth, secrets, lambda url: Http(url, guard=guard()))
    return RestConnector(http, document)


def _open_kintone(connection: Connection, secrets: Secrets) -> Connector:
    description = read_description(connection.description)
    return KintoneConnector.of(description, secrets, guard=guard(), budget=_budget(connection, KINTONE))


def _budget(connection: Connection, rates: dict[str, Rate]) -> SharedBudget:
    return SharedBudget(str(connection.public_id), rates)


OPENERS: Mapping[str, Opener] = {ConnectionKind.REST: _open_rest, ConnectionKind.KINTONE: _open_kintone}
"""By kind; an opener raises DocumentError for a bad description and KeyError for a missing secret."""
