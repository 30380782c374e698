"""The one way to a source over HTTP: guarded, patient, within its budget, and silent about secrets.

A call is tried again where trying again can help (the network, a busy source, a full budget), as often as there is
patience; what a person has to change fails at once. Redirects are refused: where a source has moved, its address in
the connection is changed by a person.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Protocol, Self

import httpx
import stamina

from integrations.connectors.auth import Auth, no_auth
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard, guarded_transport

TIMEOUT = httpx.Timeout(60, connect=10)
ATTEMPTS = 5
# Longer than this a run does not wait in its task: it is given back and taken on when the source is ready again.
PATIENCE_SECONDS = 20.0
# A person who waits in front of a page is told sooner.
WATCHED_TIMEOUT = httpx.Timeout(20, connect=5)
MAX_ANSWER_BYTES = 128 * 1024 * 1024
MESSAGE_LENGTH = 300
# What every request says. The rest of what a browser-like client would add (cookies, redirects) is not wanted.
PLAIN_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "Mawaru"}
BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY, 477, 524})
Params = Mapping[str, Any] | list[tuple[str, Any]]


class Budget(Protocol):
    """How fast a source may be called, counted over all workers of the company."""

    def take(self, name: str) -> float:
        """Take one call, and say how many seconds to wait before making it."""


class NoBudget:
    """A source without a limit of its own."""

    def take(self, name: str) -> float:
        return 0.0


@dataclass(frozen=True)
class Answer:
    """What a source answered."""

    status: int
    headers: httpx.Headers
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """The body, numbers with a fraction as Decimal. Raises ConnectorError of kind data."""
        try:
            return json.loads(self.content, parse_float=Decimal)
        except ValueError as error:
            raise ConnectorError("data", "not_json") from error

    def object(self) -> dict[str, Any]:
        """The body where it must be one JSON object. Raises ConnectorError of kind data."""
        body = self.json()
        if not isinstance(body, dict):
            raise ConnectorError("data", "not_json")
        return body


Classifier = Callable[[Answer], ConnectorError | None]


def no_vendor_rules(answer: Answer) -> ConnectorError | None:
    """A source that says with the status alone what went wrong."""
    return None


@dataclass
class Http:
    """Calls to one source.

    `classify` says what an answer means to this vendor (None: what its status says); an answer of 200 may be a
    refusal too. `clock_skew` is how far the source's clock is ahead of ours, as its last answer said; `is_clock_told`
    whether one did.
    """

    base_url: str
    auth: Auth = field(default_factory=no_auth)
    guard: Guard = field(default_factory=Guard)
    budget: Budget = field(default_factory=NoBudget)
    classify: Classifier = no_vendor_rules
    headers: Mapping[str, str] = field(default_factory=dict)
    clock_skew: timedelta = timedelta()

    def __post_init__(self) -> None:
        self._knows_clock = False
        self.is_clock_told = False
        self._attempts = ATTEMPTS
        self._last: tuple[str, httpx.URL] | None = None
        self._timeout = TIMEOUT
        self._transport = guarded_transport(self.guard)

    def close(self) -> None:
        self._transport.close()

    def hurry(self) -> None:
        """A person waits for the answer: try once, and not for long."""
        self._attempts = 1
        self._timeout = WATCHED_TIMEOUT

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def now(self) -> datetime:
        """The time by the clock of the source: never later than it is there. Asks once, before the first answer."""
        if not self._knows_clock:
            self._ask_clock()
        return datetime.now(UTC) + self.clock_skew

    def get(self, path: str, params: Params | None = None, **options: Any) -> Answer:
        return self.call("GET", path, params=params, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        return self.call("POST", path, json=json, **options)

    def call(self, method: str, path: str, *, kind: str = "calls", auth: Auth | None = None, **options: Any) -> Answer:
        """One call, tried again where that can help. `path` is below the base address, or a whole address at it.

        `kind` names the budget the call is taken from; `options` go to httpx. Raises ConnectorError: permanent where
        a person has to act, else when patience is over or the source asks for more of it than a task has.
        """
        url = self._url(path)
        acting = self.auth if auth is None else auth
        for attempt in stamina.retry_context(
            on=_whether_again, attempts=self._attempts, timeout=None, wait_initial=0.5, wait_max=PATIENCE_SECONDS / 2
        ):
            with attempt, _clearing(acting):
                self._wait_for_budget(kind)
                return self._authorised(method, url, acting, options)
        raise AssertionError("a retried call ends with an answer or an error")

    def _wait_for_budget(self, kind: str) -> None:
        seconds = self.budget.take(kind)
        if seconds > PATIENCE_SECONDS:
            raise ConnectorError("rate_limit", "budget_spent", permanent=False, wait=seconds)
        if seconds > 0:
            time.sleep(seconds)

    def _authorised(self, method: str, url: httpx.URL, auth: Auth, options: dict[str, Any]) -> Answer:
        """One attempt; a refused token is replaced once."""
        try:
            return self._attempt(method, url, auth, options)
        except ConnectorError as error:
            if error.code != "not_authorised" or not auth.renew():
                raise
            return self._attempt(method, url, auth, options)

    def _attempt(self, method: str, url: httpx.URL, auth: Auth, options: dict[str, Any]) -> Answer:
        extra = options.get("headers", {})
        headers = {**self.headers, **auth.headers(), **extra}
        try:
            with self._sent(method, url, **{**options, "headers": headers}) as response:
                answer = Answer(response.status_code, response.headers, _read(response))
        except httpx.TimeoutException as error:
            raise ConnectorError("timeout", "no_answer", permanent=False, host=url.host) from error
        except httpx.HTTPError as error:
            raise ConnectorError("remote", "not_reached", permanent=False, host=url.host) from error
        self._note_clock(answer.headers)
        failure = self.classify(answer) or failure_of(answer)
        if failure is not None:
            raise failure
        return answer

    @contextmanager
    def _sent(
        self, method: str, url: httpx.URL, headers: Mapping[str, str] = MappingProxyType({}), **options: Any
    ) -> Iterator[httpx.Response]:
        """The answer as it begins to come; what is not read of it by the end of the block is left."""
        timeout = {"timeout": self._timeout.as_dict()}
        said = httpx.Headers(PLAIN_HEADERS)
        said.update(headers)
        request = httpx.Request(method, url, headers=said, extensions=timeout, **options)
        response = self._transport.handle_request(request)
        try:
            yield response
        finally:
            response.close()

    def _ask_clock(self) -> None:
        """Any answer tells the time, a refusal too. Where there is none, the calls that follow say why."""
        self._knows_clock = True
        try:
            with self._sent("HEAD", self._url("")) as response:
                self._note_clock(response.headers)
        except httpx.HTTPError:
            return

    def _note_clock(self, headers: httpx.Headers) -> None:
        try:
            said = email.utils.parsedate_to_datetime(headers.get("date", ""))
        except (ValueError, TypeError):
            return
        self.clock_skew = said.astimezone(UTC) - datetime.now(UTC)
        self._knows_clock = self.is_clock_told = True

    def _url(self, path: str) -> httpx.URL:
        """The address of a path. Page after page has the same, so that it is taken apart once."""
        if self._last is None or self._last[0] != path:
            self._last = (path, self._joined(path))
        return self._last[1]

    def _joined(self, path: str) -> httpx.URL:
        try:
            base = _base(self.base_url)
        except httpx.InvalidURL as error:
            raise ConnectorError("config", "bad_address", url=self.base_url[:MESSAGE_LENGTH]) from error
        try:
            url = base.join(path)
        except httpx.InvalidURL as error:
            raise ConnectorError("config", "bad_address", url=path[:MESSAGE_LENGTH]) from error
        self.guard.check_url(url)
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            # Where an answer says to go on: it must not send the credentials to somebody else.
            raise ConnectorError("data", "foreign_address", host=url.host)
        return url


@lru_cache
def _base(address: str) -> httpx.URL:
    return httpx.URL(address if address.endswith("/") else f"{address}/")


def failure_of(answer: Answer) -> ConnectorError | None:
    """What the status says, where a vendor has no words of its own; None for an answer that is fine."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    said: Mapping[str, Any] = {"status": status, "message": said_in(answer)}
    wait = retry_after(answer)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return ConnectorError("auth", "not_authorised", **said)
        case HTTPStatus.FORBIDDEN:
            return ConnectorError("auth", "not_allowed", **said)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return ConnectorError("rate_limit", "too_many_calls", permanent=False, wait=wait, **said)
        case _ if status in BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ConnectorError("remote", "source_busy", permanent=False, wait=wait, **said)
        case _ if status < HTTPStatus.BAD_REQUEST:
            return ConnectorError("config", "moved", status=status)
        case _:
            return ConnectorError("config", "refused", **said)


def retry_after(answer: Answer) -> float | None:
    """The seconds a source asks to be left alone (`Retry-After`, as seconds or as a date); None where it does not."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def said_in(answer: Answer) -> str:
    """The source's own words about a refusal, shortened; '' where it has none."""
    try:
        body = answer.json()
    except ConnectorError:
        return ""
    found = body[0] if isinstance(body, list) and body else body
    if not isinstance(found, dict):
        return ""
    names = ("message", "error_description", "detail", "title", "error")
    words = next((found[name] for name in names if isinstance(found.get(name), str)), "")
    return words[:MESSAGE_LENGTH]


def _whether_again(error: Exception) -> bool | float:
    """What stamina asks: no, yes with its own jittered pause, or yes after the pause the source asked for."""
    if not isinstance(error, ConnectorError) or error.permanent:
        return False
    if error.wait is None:
        return True
    return max(error.wait, 0.1) if error.wait <= PATIENCE_SECONDS else False


def _read(response: httpx.Response) -> bytes:
    """The whole body, up to a bearable size."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise ConnectorError("data", "answer_too_large", limit=MAX_ANSWER_BYTES // 1_048_576)
        parts.append(part)
    return b"".join(parts)


@contextmanager
def _clearing(auth: Auth) -> Iterator[None]:
    """Errors leave the block without the secrets that the source may have repeated in its words."""
    try:
        yield
    except ConnectorError as error:
        cleared = {name: _cleared(value, auth.secrets()) for name, value in error.params.items()}
        if cleared == error.params:
            raise
        raise ConnectorError(error.kind, error.code, permanent=error.permanent, wait=error.wait, **cleared) from None


def _cleared(value: Any, secrets: tuple[str, ...]) -> Any:
    for secret in filter(None, secrets):
        value = value.replace(secret, "•••") if isinstance(value, str) else value
    return value
