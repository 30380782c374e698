"""Which account is read, where it is, and how calls to it are authorised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import urlencode

from integrations.connectors.auth import Auth, Exchange, Headers, Kept, RotatingTokens, TokenAuth, bearer, with_tokens
from integrations.connectors.document import DocumentError, Reader
from integrations.connectors.errors import ConnectorError
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
AUTHORIZE = "https://app.hubspot.com/oauth/authorize"
SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.companies.read",
    "crm.objects.deals.read",
    "crm.objects.owners.read",
)
"""What an app has to be allowed so that everything can be read that is read here."""
MODIFIED = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate", "deals": "hs_lastmodifieddate"}


@dataclass(frozen=True)
class HubSpotSource:
    """What is read of which account; the secrets are kept with the connection."""

    auth: AuthKind
    objects: tuple[str, ...]
    base_url: str = BASE_URL

    @property
    def authorize_url(self) -> str:
        """Where a person agrees to be read; a fake has the page itself."""
        return AUTHORIZE if self.base_url == BASE_URL else f"{self.base_url.rstrip('/')}/oauth/authorize"


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
    """The authentication a description names. Raises KeyError for a missing secret, ConnectorError `not_connected`
    where nobody has agreed at HubSpot yet."""
    if source.auth == "oauth" and not secrets.get("refresh_token"):
        raise ConnectorError("auth", "not_connected")
    given = {name: secrets[name] for name in SECRETS[source.auth]}
    if source.auth == "service_key":
        return bearer(given["token"])

    def ask(kept: Kept) -> Mapping[str, Any]:
        form = {"grant_type": "refresh_token", **{name: kept[name] for name in SECRETS["oauth"]}}
        hidden = Headers({}, (kept["client_secret"], kept["refresh_token"]))
        return http.call("POST", TOKEN, data=form, auth=hidden).object()

    return TokenAuth(RotatingTokens(exchange, ask).fetch, hidden=(given["client_secret"], given["refresh_token"]))


def consent_address(source: HubSpotSource, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Where a person lets our app read the account; HubSpot sends them back to `redirect_uri` with `state`."""
    asked = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": " ".join(SCOPES), "state": state}
    return f"{source.authorize_url}?{urlencode(asked)}"


def redeem(http: Http, kept: Kept, *, code: str, redirect_uri: str) -> Kept:
    """The credentials with the tokens that a person's consent is worth. Raises ConnectorError, KeyError."""
    client = {name: kept[name] for name in ("client_id", "client_secret")}
    form = {"grant_type": "authorization_code", **client, "redirect_uri": redirect_uri, "code": code}
    try:
        answer = http.call("POST", TOKEN, data=form, auth=Headers({}, (kept["client_secret"], code))).object()
    except ConnectorError as error:
        if error.code != "refused":
            raise
        raise ConnectorError("auth", "consent_refused", error=error.params["message"]) from error
    if not answer.get("access_token") or not answer.get("refresh_token"):
        raise ConnectorError("auth", "no_token")
    return with_tokens(kept, answer)
