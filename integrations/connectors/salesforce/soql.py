"""SOQL as the connector writes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote_plus

from integrations.connectors.base import as_utc
from integrations.connectors.errors import ConnectorError

# An address longer than 16 KB is refused by the servers before Salesforce sees it.
MAX_ADDRESS_BYTES = 16_000
# Of these objects a part is read alone. A history has a row for every field; its values themselves cannot be asked for.
PARTS = {"LeadHistory": "Field = 'Status'"}


def select(name: str, columns: Iterable[str], *conditions: str, order: Sequence[str] = (), limit: int = 0) -> str:
    """One query, of the part of an object that is read.

    >>> select("Lead", ["Id"], "IsDeleted = false", "", order=["Id"])
    'SELECT Id FROM Lead WHERE IsDeleted = false ORDER BY Id'
    """
    given = [condition for condition in (PARTS.get(name, ""), *conditions) if condition]
    query = f"SELECT {', '.join(columns)} FROM {name}"  # noqa: S608 - names come from the org's own description
    query += f" WHERE {' AND '.join(given)}" if given else ""
    query += f" ORDER BY {', '.join(order)}" if order else ""
    return f"{query} LIMIT {limit}" if limit else query


def moment(value: datetime) -> str:
    """A moment, which has whole seconds and no quotation marks; a fraction is dropped, so that it is never later."""
    return as_utc(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: str) -> str:
    r"""A text in quotation marks.

    >>> text("O'Neill")
    "'O\\'Neill'"
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def behind(cursor: str, stamp: datetime, record_id: str) -> str:
    """What comes behind a record in the order of (cursor, Id)."""
    return f"({cursor} > {moment(stamp)} OR ({cursor} = {moment(stamp)} AND Id > {text(record_id)}))"


def sendable(query: str, *, stream: str, columns: int) -> str:
    """The query, where it fits into an address. Raises ConnectorError."""
    size = len(quote_plus(query))
    if size > MAX_ADDRESS_BYTES:
        raise ConnectorError(
            "config", "query_too_long", stream=stream, columns=columns, size=size, limit=MAX_ADDRESS_BYTES
        )
    return query
