"""How a call proves who makes it. Secrets live in these objects alone; they never show them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from integrations.connectors.errors import ConnectorError

# A token is renewed this long before it ends, so that none ends on its way.
MARGIN_SECONDS = 60
# Answers of a token endpoint name the life of a token in several spellings.
LIFE_NAMES = ("expires_in", "expire_in")


class Auth(Protocol):
    """Adds to the headers of a call what the source asks for."""

    def headers(self) -> Mapping[str, str]:
        """The headers of the next call. May fetch a token; raises ConnectorError where none is given."""

    def renew(self) -> bool:
        """After a refusal: whether another attempt with fresh credentials makes sense."""

    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a message."""


@dataclass(frozen=True)
class Headers:
    """Fixed headers: an API key, a bearer token, basic authentication, or none at all."""

    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def headers(self) -> Mapping[str, str]:
        return self.fixed

    def renew(self) -> bool:
        return False

    def secrets(self) -> tuple[str, ...]:
        return self.hidden


def no_auth() -> Headers:
    return Headers()


def bearer(token: str) -> Headers:
    return Headers({"Authorization": f"Bearer {token}"}, (token,))


def header_key(name: str, value: str) -> Headers:
    return Headers({name: value}, (value, value.rpartition(" ")[2]))


def basic(username: str, password: str) -> Headers:
    header = basic_header(username, password)
    return Headers({"Authorization": header}, (password, header.removeprefix("Basic ")))


def basic_header(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass(frozen=True)
class Token:
    """What a token endpoint gave: the token, the whole answer, and the moment (monotonic) it is too old."""

    value: str = field(repr=False)
    answer: Mapping[str, Any] = field(repr=False)
    until: float | None


def read_token(answer: Mapping[str, Any]) -> Token:
    """Raises KeyError for an answer without a token."""
    life = next((float(answer[name]) for name in LIFE_NAMES if answer.get(name) not in (None, "")), None)
    until = None if life is None else time.monotonic() + max(life - MARGIN_SECONDS, life / 2)
    return Token(str(answer["access_token"]), answer, until)


class TokenAuth:
    """A bearer token fetched when it is needed, again before it ends, and once more after a refusal."""

    def __init__(self, fetch: Callable[[], Token], *, hidden: tuple[str, ...] = (), header: str = "Bearer") -> None:
        self._fetch = fetch
        self._hidden = hidden
        self._header = header
        self._token: Token | None = None

    @property
    def token(self) -> Token:
        """The token in force."""
        if self._token is None or (self._token.until is not None and time.monotonic() >= self._token.until):
            self._token = self._fetch()
        return self._token

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"{self._header} {self.token.value}"}

    def renew(self) -> bool:
        self._token = None
        return True

    def secrets(self) -> tuple[str, ...]:
        return (*self._hidden, *((self._token.value,) if self._token is not None else ()))


Kept = Mapping[str, str]
Exchange = Callable[[Callable[[Kept], Kept]], Kept]
"""Changes the kept credentials of a connection, given from above.

It calls the change with the credentials as they lie there at that moment, while nobody else may change them, and what
it returns is safely kept already.
"""

GIVEN = ("access_token", "access_until")
"""What is kept beside the credentials that a person entered: the token in force, and its end (seconds since 1970)."""


class RotatingTokens:
    """Access tokens for a refresh token that dies with its use: each exchange gives the next one.

    Access tokens are kept beside it (GIVEN), so that one worker uses what another one was given. `ask` hands the kept
    credentials to the token endpoint and returns its answer; it raises ConnectorError `reconnect` where the source
    does not know the refresh token any more.
    """

    def __init__(self, exchange: Exchange, ask: Callable[[Kept], Mapping[str, Any]]) -> None:
        self._exchange = exchange
        self._ask = ask
        # Whoever fetches again was refused with this one, or it is at its end.
        self._used = ""
        self._dead = ""

    def fetch(self) -> Token:
        """A token with life in it. Raises ConnectorError; `reconnect` where a person has to allow it anew."""
        try:
            kept = self._exchange(self._renewed)
        except ConnectorError as error:
            if error.code != "reconnect":
                raise
            # Somebody may have connected anew, or come between, while we asked: what is kept is looked at once more.
            kept = self._exchange(self._renewed)
        self._used = kept["access_token"]
        return read_token({"access_token": self._used, "expires_in": float(kept["access_until"]) - time.time()})

    def _renewed(self, kept: Kept) -> Kept:
        is_another = kept.get("access_token", "") not in {"", self._used}
        if is_another and float(kept["access_until"]) - MARGIN_SECONDS > time.time():
            return kept
        if kept["refresh_token"] == self._dead:
            raise ConnectorError("auth", "reconnect")
        try:
            answer = self._ask(kept)
        except ConnectorError as error:
            self._dead = kept["refresh_token"] if error.code == "reconnect" else self._dead
            raise
        return with_tokens(kept, answer)


def with_tokens(kept: Kept, answer: Mapping[str, Any]) -> Kept:
    """The credentials with what a token endpoint gave: GIVEN, and the next refresh token. Raises ConnectorError."""
    token = str(answer.get("access_token") or "")
    if not token:
        raise ConnectorError("auth", "no_token")
    life = next((float(answer[name]) for name in LIFE_NAMES if answer.get(name)), 0.0)
    following = str(answer.get("refresh_token") or kept["refresh_token"])
    return {**kept, "refresh_token": following, "access_token": token, "access_until": str(time.time() + life)}
