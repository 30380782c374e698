"""Logging in to an org: a token by client credentials or by a signed assertion, and the way to the instance it names.

A token says nothing about its life, which the org decides: it is used until it is refused, and then replaced once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrations.connectors.auth import Headers, Token, TokenAuth, basic, read_token
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Answer, Http, said_in
from integrations.connectors.salesforce.description import SECRETS, Description

TOKEN_PATH = "services/oauth2/token"  # noqa: S105 - an address
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Three minutes is the most that is accepted.
ASSERTION_LIFE = timedelta(minutes=2)
OpenHttp = Callable[[str], Http]


def open_instance(description: Description, secrets: Mapping[str, str], open_http: OpenHttp) -> Http:
    """Log in, and give the way to the org's instance; calls and tokens go there alone.

    `open_http` gives a guarded way to an address. Raises KeyError for a missing secret, ConnectorError.
    """
    login = _Login(description, {name: secrets[name] for name in SECRETS[description.auth]}, open_http)
    auth = TokenAuth(login, hidden=login.hidden)
    instance = str(auth.token.answer["instance_url"])
    http = open_http(instance)
    http.auth = auth
    try:
        http.guard.check_url(httpx.URL(instance))
    except (ConnectorError, httpx.InvalidURL) as error:
        http.close()
        if isinstance(error, ConnectorError):
            raise
        raise ConnectorError("config", "bad_address", url=instance) from error
    return http


class _Login:
    """Fetches tokens. All of them must be for the instance of the first: the way to it is open already."""

    def __init__(self, description: Description, secrets: Mapping[str, str], open_http: OpenHttp) -> None:
        self._description = description
        self._secrets = secrets
        self._open_http = open_http
        self._instance = ""

    @property
    def hidden(self) -> tuple[str, ...]:
        return tuple(self._secrets[name] for name in ("client_secret", "private_key") if name in self._secrets)

    def __call__(self) -> Token:
        with self._open_http(self._description.login_url) as http:
            http.classify = refusal_of_login
            form, auth = self._request(http)
            answer = http.call("POST", TOKEN_PATH, data=form, auth=auth).object()
        if "access_token" not in answer or not isinstance(answer.get("instance_url"), str):
            raise ConnectorError("auth", "no_token")
        if self._instance and self._instance != answer["instance_url"]:
            raise ConnectorError("remote", "instance_moved", permanent=False)
        self._instance = answer["instance_url"]
        return read_token(answer)

    def _request(self, http: Http) -> tuple[Mapping[str, str], Headers]:
        given = self._secrets
        if self._description.auth == "client_credentials":
            return {"grant_type": "client_credentials"}, basic(given["client_id"], given["client_secret"])
        # By the clock of the source: ours may be wrong by more than an assertion lives.
        assertion = signed_assertion(
            issuer=given["client_id"],
            subject=given["username"],
            audience=self._description.login_url,
            until=http.now() + ASSERTION_LIFE,
            private_key=given["private_key"],
        )
        return {"grant_type": JWT_BEARER, "assertion": assertion}, Headers({}, (assertion, given["private_key"]))


def signed_assertion(*, issuer: str, subject: str, audience: str, until: datetime, private_key: str) -> str:
    """A JWT signed with RS256 (RFC 7523). Raises ConnectorError for a key that is no RSA key in PEM."""
    try:
        key = load_pem_private_key(private_key.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConnectorError("auth", "bad_private_key") from error
    if not isinstance(key, RSAPrivateKey):
        raise ConnectorError("auth", "bad_private_key")
    claims = {"iss": issuer, "sub": subject, "aud": audience, "exp": int(until.timestamp())}
    signing = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signing}.{_encoded(key.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def refusal_of_login(answer: Answer) -> ConnectorError | None:
    """What the token endpoint means; its errors are an object, with their own status for nearly everything."""
    if answer.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return None
    try:
        error = answer.object().get("error", "")
    except ConnectorError:
        return None
    if error == "unknown_error":
        # Its description is “retry your request”.
        return ConnectorError("remote", "source_busy", permanent=False, status=answer.status, message=said_in(answer))
    if not isinstance(error, str) or not error:
        return None
    return ConnectorError("auth", "login_refused", error=error, message=said_in(answer))


def _part(content: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(content, separators=(",", ":")).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
