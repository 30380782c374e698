"""The connector of a connection, with its credentials, its budget and the guard around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from integrations.choices import ConnectionKind
from integrations.connectors import hubspot, kintone_description, rest, salesforce
from integrations.connectors.base import Connector
from integrations.connectors.document import SECRETS, Document, DocumentError, read_document
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http
from integrations.connectors.kintone import KintoneConnector
from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.credentials import Secrets, exchange, unseal
from integrations.services.daily_calls import CountedCalls
from tenants.context import current_company


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: how its description is read, which secrets that asks for, and how it is opened.

    `read` raises DocumentError; `open` raises KeyError for a missing secret, ConnectorError. `rates` is how fast one
    account may be called, by kind of call. `asks_database`: reading from it may have to keep something at once
    (credentials that are good for one use). `granted` secrets are given by the source itself once a person has agreed
    there; nobody has to enter them.
    """

    read: Callable[[object], Any]
    secrets: Callable[[Any], tuple[str, ...]]
    open: Callable[[Connection, Any, Secrets, SharedBudget], Connector]
    rates: dict[str, Rate]
    asks_database: bool = False
    granted: frozenset[str] = frozenset()


@contextmanager
def opened_source(connection: Connection, *, is_watched: bool = False) -> Iterator[Connector]:
    """The connector of a connection for the block; `is_watched`: a person waits for it, so it does not try for long.

    Raises ConnectorError, SealedError.
    """
    connector = _opened(connection)
    if is_watched:
        connector.http.hurry()
    with connector.http:
        try:
            yield connector
        finally:
            _keep_usage(connection, connector)


def _keep_usage(connection: Connection, connector: Connector) -> None:
    """Remember how much of the source's limit is used, for whoever looks at the connection."""
    usage = connector.usage()
    if usage is not None:
        quota = {"used": usage.used, "limit": usage.limit, "at": connector.http.now().isoformat(timespec="seconds")}
        Connection.objects.filter(pk=connection.pk).update(quota=quota)


def needed_secrets(*, kind: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the secrets that a person has to enter for a connection of this kind. Raises DocumentError."""
    source = KINDS.get(ConnectionKind(kind))
    asked = source.secrets(source.read(description)) if source is not None else ()
    return tuple(name for name in asked if source is not None and name not in source.granted)


def granted_secrets(*, kind: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the secrets that such a source gives itself; they may be entered too. Raises DocumentError."""
    source = KINDS.get(ConnectionKind(kind))
    asked = source.secrets(source.read(description)) if source is not None else ()
    return tuple(name for name in asked if source is not None and name in source.granted)


def is_pulled(connection: Connection) -> bool:
    """Whether the source is called, rather than delivering files itself."""
    return connection.kind in KINDS


def can_be_read_beside(connection: Connection) -> bool:
    """Whether the source can be read without the database."""
    return not KINDS[ConnectionKind(connection.kind)].asks_database


def description_of(connection: Connection) -> Any:
    """What a connection's description says, as its connector reads it. Raises DocumentError."""
    return KINDS[ConnectionKind(connection.kind)].read(connection.description)


def guard() -> Guard:
    """Where connectors may go in this installation."""
    return Guard(own_domains=(settings.BASE_DOMAIN,), allows_loopback=settings.SOURCES_ON_LOOPBACK)


def _opened(connection: Connection) -> Connector:
    kind, secrets = KINDS[ConnectionKind(connection.kind)], unseal(connection=connection)
    try:
        described = kind.read(connection.description)
        return kind.open(connection, described, secrets, SharedBudget(_account(connection, described), kind.rates))
    except DocumentError as error:
        first = error.issues[0]
        raise ConnectorError("config", "bad_document", place=first.field or "·", why=first.message) from error
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error


def _account(connection: Connection, described: Any) -> str:
    """What shares a budget: all connections of the company to one host of a vendor, whose limits know nothing of ours.

    Two accounts on one host share it too: that is slower than need be, the other way round would be refused.
    """
    root = described.login_url if connection.kind == ConnectionKind.SALESFORCE else described.base_url
    try:
        place = urlsplit(root).netloc.lower()
    except ValueError:
        # No address at all: whoever calls it is told so.
        place = root
    return f"{current_company().pk}:{connection.kind}:{place}"


def _open_rest(_connection: Connection, document: Document, secrets: Secrets, budget: SharedBudget) -> Connector:
    http = Http(document.base_url, guard=guard(), budget=budget, headers=document.headers)
    http.auth = rest.auth_of(document.auth, secrets, _way_to)
    return rest.RestConnector(http, document)


def _open_salesforce(_connection: Connection, description: Any, secrets: Secrets, budget: SharedBudget) -> Connector:
    http = salesforce.open_instance(description, secrets, _way_to)
    http.budget = budget
    return salesforce.SalesforceConnector(http, description)


def _open_hubspot(connection: Connection, source: Any, secrets: Secrets, budget: SharedBudget) -> Connector:
    http = Http(source.base_url, guard=guard(), budget=budget)
    http.auth = hubspot.auth_of(source, secrets, partial(_exchange, connection), http)
    return hubspot.HubSpotConnector(http, source)


def hubspot_way(source: Any) -> Http:
    """A guarded way to an account of HubSpot, without authentication."""
    return Http(source.base_url, guard=guard())


def _exchange(connection: Connection, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Mapping[str, str]:
    return exchange(connection=connection, change=change)


def _open_kintone(_connection: Connection, description: Any, secrets: Secrets, budget: SharedBudget) -> Connector:
    apps = [str(each.app) for each in description.apps]
    counted = CountedCalls(budget, description.base_url, description.daily_calls, apps)
    return KintoneConnector.of(description, secrets, guard=guard(), budget=counted, used=lambda: counted.usage)


def _way_to(url: str) -> Http:
    return Http(url, guard=guard())


KINDS: Mapping[str, SourceKind] = {
    # What a source of no known vendor surely bears.
    ConnectionKind.REST: SourceKind(
        read_document, lambda document: SECRETS[document.auth.type], _open_rest, {"calls": Rate(50, 10)}
    ),
    ConnectionKind.SALESFORCE: SourceKind(
        salesforce.read_description,
        lambda described: salesforce.SECRETS[described.auth],
        _open_salesforce,
        {"calls": Rate(25, 1)},
    ),
    # HubSpot allows 100 calls in any ten seconds, and of searches five in any second. A bucket that is full gives all
    # it holds at once and fills while they are made: size and inflow together are what the window allows.
    ConnectionKind.HUBSPOT: SourceKind(
        hubspot.read_hubspot,
        lambda source: hubspot.SECRETS[source.auth],
        _open_hubspot,
        {"calls": Rate(9, 1), "search": Rate(1, 0.25)},
        asks_database=True,
        granted=frozenset({"refresh_token"}),
    ),
    # At most ten calls within any second; those of a day are counted by app.
    ConnectionKind.KINTONE: SourceKind(
        kintone_description.read_description,
        lambda described: described.secrets,
        _open_kintone,
        {"calls": Rate(5, 1)},
    ),
}
