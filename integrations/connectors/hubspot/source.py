"""Which account is read, where it is, and how calls to it are authorised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from integrations.connectors.auth import Auth, Exchange, Headers, Kept, RotatingTokens, TokenAuth, bearer
from integrations.connectors.document import DocumentError, Reader
from integrations.connectors.http import Http
from kpis.engine.issues import gettext_noop

# Supported for 18 months from its date; every path is built with it.
VERSION = "2026-09"
BASE_URL = "https://api.hubapi.com/"
OWNERS = f"crm/owners/{VERSION}"
PIPELINES = f"crm/pipelines/{VERSION}/deals"
PROPERTIES = f"crm/properties/{VERSION}"
OBJECTS = f"crm/objects/{VERSION}"
ASSOCIATIONS = f"crm/associations/{VERSION}"
ACCOUNT = f"account-info/{VERSION}/details"
TOKEN = f"oauth/{VERSION}/token"
AuthKind = Literal["service_key", "oauth"]
SECRETS: Mapping[str, tuple[str, ...]] = {
    "service_key": ("token",),
    "oauth": ("client_id", "client_secret", "refresh_token"),
}
"""What a connection must hold secretly, by kind of authentication."""
MODIFIED = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate", "deals": "hs_lastmodifieddate"}


@dataclass(frozen=True)
class HubSpotSource:
    """What is read of which account; the secrets are kept with the connection."""

    auth: AuthKind
    objects: tuple[str, ...]
    base_url: str = BASE_URL


def read_hubspot(description: object) -> HubSpotSource:
    """The source a description names. Raises DocumentError with every fault.

    >>> read_hubspot({"auth": "service_key", "objects": ["deals"]}).objects
    ('deals',)
    """
    reader = _SourceReader()
    found = reader.source(description)
    if reader.issues:
        raise DocumentError(reader.issues)
    return found


class _SourceReader(Reader):
    """Walks the description of a HubSpot account."""

    def source(self, value: object) -> HubSpotSource:
        body = self._object(value, "", {"auth", "objects", "base_url"})
        objects = body.get("objects", list(MODIFIED))
        if not isinstance(objects, list) or not objects or any(each not in list(MODIFIED) for each in objects):
            text = gettext_noop("Give a list of one or more of: %(known)s.")
            self.note("objects", "invalid", text, known=", ".join(MODIFIED))
            objects = []
        return HubSpotSource(
            auth=cast("AuthKind", self._choice(body, "", "auth", tuple(SECRETS))),
            objects=tuple(each for each in MODIFIED if each in objects),
            base_url=self._text(body, "", "base_url", required=True, default=BASE_URL),
        )


def auth_of(source: HubSpotSource, secrets: Kept, exchange: Exchange, http: Http) -> Auth:
    """The authentication a description names. Raises KeyError for a missing secret."""
    given = {name: secrets[name] for name in SECRETS[source.auth]}
    if source.auth == "service_key":
        return bearer(given["token"])

    def ask(kept: Kept) -> Mapping[str, Any]:
        form = {"grant_type": "refresh_token", **{name: kept[name] for name in SECRETS["oauth"]}}
        hidden = Headers({}, (kept["client_secret"], kept["refresh_token"]))
        return http.call("POST", TOKEN, data=form, auth=hidden).object()

    return TokenAuth(RotatingTokens(exchange, ask).fetch, hidden=(given["client_secret"], given["refresh_token"]))
