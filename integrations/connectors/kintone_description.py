"""Which apps of which kintone are read, and how calls prove themselves: read once, refused with every fault named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from integrations.connectors.auth import Headers, basic_header
from integrations.connectors.document import DocumentError, Reader
from integrations.connectors.errors import ConnectorError
from kpis.engine.issues import gettext_noop

# Every app has a token of its own, and a call carries no more of them.
MAX_TOKENS = 9

# Of the usual course; the wide one has ten times as many.
DAILY_CALLS = 10_000
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True)
class App:
    """One app, read as the stream `name`."""

    app: int
    name: str
    label: str = ""


@dataclass(frozen=True)
class Description:
    """Which apps of which kintone are read; `base_url` is the address of its API, of the guest space where one is."""

    base_url: str
    apps: tuple[App, ...]
    has_basic_auth: bool = False
    daily_calls: int = DAILY_CALLS
    """How many calls a day each app allows, which its course says."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it needs. `tokens` are API tokens with commas between."""
        return ("tokens", "username", "password") if self.has_basic_auth else ("tokens",)


def read_description(value: object) -> Description:
    """The apps a description names. Raises DocumentError with every fault.

    >>> read_description({"subdomain": "example", "guest_space": 7, "apps": [{"app": 12, "name": "deals"}]}).base_url
    'https://example.cybozu.com/k/guest/7/v1/'
    """
    reader = _DescriptionReader()
    found = reader.description(value)
    if reader.issues:
        raise DocumentError(reader.issues)
    return found


def auth_of(description: Description, secrets: Mapping[str, str]) -> Headers:
    """API tokens, and what stands before kintone in addition. Raises KeyError for a missing secret, ConnectorError."""
    tokens = [token for token in re.split(r"[\s,、]+", secrets["tokens"]) if token]
    if not 1 <= len(tokens) <= MAX_TOKENS or not all(re.fullmatch(r"[!-~]+", token) for token in tokens):
        raise ConnectorError("auth", "bad_tokens", most=MAX_TOKENS)
    headers, hidden = {"X-Cybozu-API-Token": ",".join(tokens)}, tuple(tokens)
    if description.has_basic_auth:
        headers["Authorization"] = basic_header(secrets["username"], secrets["password"])
        hidden = (*hidden, secrets["password"])
    return Headers(headers, hidden)


class _DescriptionReader(Reader):
    """Reads a description, noting every fault with its path."""

    def description(self, value: object) -> Description:
        body = self._object(value, "", {"subdomain", "base_url", "guest_space", "basic_auth", "apps", "daily_calls"})
        root = self._root(body)
        guest = body.get("guest_space")
        if guest is not None:
            guest = self._integer(body, "", "guest_space", default=1, least=1, most=2**53)
        has_basic_auth = body.get("basic_auth", False)
        if not isinstance(has_basic_auth, bool):
            self.note("basic_auth", "invalid", gettext_noop("Give true or false."))
        space = f"guest/{guest}/" if guest is not None else ""
        apps, most = tuple(self._apps(body.get("apps"))), DAILY_CALLS
        if body.get("daily_calls") is not None:
            most = self._integer(body, "", "daily_calls", default=DAILY_CALLS, least=100, most=10_000_000)
        return Description(f"{root}/k/{space}v1/", apps, has_basic_auth is True, most)

    def _root(self, body: Mapping[str, Any]) -> str:
        subdomain, base_url = self._text(body, "", "subdomain"), self._text(body, "", "base_url")
        if bool(body.get("subdomain")) == bool(body.get("base_url")):
            text = gettext_noop("Give either subdomain (“example” of example.cybozu.com) or base_url.")
            self.note("subdomain", "invalid" if subdomain else "required", text)
        elif subdomain and not _SUBDOMAIN.fullmatch(subdomain):
            self.note("subdomain", "invalid", gettext_noop("Give “example” of example.cybozu.com alone."))
        elif base_url and not _is_root(base_url):
            self.note("base_url", "invalid", gettext_noop("Give the address alone, like https://example.cybozu.com."))
        return base_url.rstrip("/") if base_url else f"https://{subdomain.lower()}.cybozu.com"

    def _apps(self, value: object) -> Iterator[App]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_TOKENS:
            text = gettext_noop("Give a list of 1 to %(most)s apps; kintone takes no more API tokens at once.")
            self.note("apps", "invalid", text, most=MAX_TOKENS)
            return
        found = [self._app(each, f"apps.{index}") for index, each in enumerate(value)]
        names = [each.name for each in found if each.name]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.note("apps", "duplicated", gettext_noop("Two streams are called “%(name)s”."), name=name)
        yield from found

    def _app(self, value: object, path: str) -> App:
        body = self._object(value, path, {"app", "name", "label"})
        return App(
            app=self._integer(body, path, "app", default=0, least=1, most=2**53),
            name=self._text(body, path, "name", required=True),
            label=self._text(body, path, "label"),
        )


def _is_root(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and not (parts.path.strip("/") or parts.query)
