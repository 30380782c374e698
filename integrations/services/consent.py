"""Being let into a source by a person who agrees on its own page (OAuth, authorisation code)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import transaction

from integrations.choices import ConnectionKind
from integrations.connectors import hubspot
from integrations.connectors.document import DocumentError
from integrations.connectors.errors import ConnectorError
from integrations.models import Connection
from integrations.services.credentials import exchange, unseal
from integrations.services.schedule import reschedule
from integrations.services.sources import description_of, hubspot_way
from tenants.context import current_company

SALT = "integrations.consent"
# A person reads what they agree to, and may have to log in there first.
STATE_LIFE = timedelta(minutes=10)


def takes_consent(connection: Connection) -> bool:
    """Whether a source is read by an app that a person lets in on the source's own page."""
    if connection.kind != ConnectionKind.HUBSPOT:
        return False
    try:
        return bool(description_of(connection).auth == "oauth")
    except DocumentError:
        return False


def consent_address(*, connection: Connection, actor: Any, redirect_uri: str) -> str:
    """The page of the source on which `actor` may agree. What comes back is good for them, this connection and a while.

    Raises ConnectorError where the credentials of the app are missing, SealedError.
    """
    try:
        client_id = unseal(connection=connection)["client_id"]
    except KeyError as error:
        raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error
    state = signing.dumps({**_binding(actor), "connection": str(connection.public_id)}, salt=SALT)
    source = description_of(connection)
    return hubspot.consent_address(source, client_id=client_id, redirect_uri=redirect_uri, state=state)


def asked_by(*, state: str, actor: Any) -> Connection:
    """The connection for which `actor` asked for consent. Raises ConnectorError `consent_lost` for any other state."""
    lost = ConnectorError("auth", "consent_lost", minutes=STATE_LIFE // timedelta(minutes=1))
    try:
        said: Mapping[str, Any] = signing.loads(state, salt=SALT, max_age=STATE_LIFE)
    except signing.BadSignature:
        raise lost from None
    if {name: said[name] for name in _binding(actor)} != _binding(actor):
        raise lost
    found = Connection.objects.filter(public_id=UUID(said["connection"])).first()
    if found is None or not takes_consent(found):
        raise lost
    return found


def redeem_consent(*, connection: Connection, code: str, redirect_uri: str, now: datetime) -> None:
    """Keep the tokens that a consent is worth, and ask the source again. Raises ConnectorError, SealedError."""
    with hubspot_way(description_of(connection)) as http:
        http.hurry()
        try:
            exchange(connection=connection, change=partial(hubspot.redeem, http, code=code, redirect_uri=redirect_uri))
        except KeyError as error:
            raise ConnectorError("auth", "no_credentials", name=error.args[0]) from error
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(stopped_by="", last_run_at=None)
        connection.refresh_from_db()
        reschedule(connection=connection, now=now)


def _binding(actor: Any) -> dict[str, Any]:
    return {"company": str(current_company().pk), "user": actor.pk}
