"""The declarative document of a generic REST source: read once into frozen parts, refused with every fault named.

docs/generic-rest.md explains it for the person who writes one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast

from kpis.engine.issues import Issue, gettext_noop

AuthType = Literal["none", "header", "bearer", "basic", "oauth2_client_credentials"]
PaginatorType = Literal["single", "next_link", "header_link", "page", "offset", "cursor", "keyset"]
SECRETS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "header": ("key",),
    "bearer": ("token",),
    "basic": ("username", "password"),
    "oauth2_client_credentials": ("client_id", "client_secret"),
}
"""What a connection must hold secretly, by kind of authentication."""
FORMATS = ("iso", "date", "epoch", "epoch_ms")
MAX_STREAMS = 50
STREAM_NAME = re.compile(r"[\w.-]{1,60}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
# Headers that carry credentials; these are entered apart and kept sealed.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

EXAMPLE: Mapping[str, Any] = {
    "base_url": "https://api.example.com/v1/",
    "auth": {"type": "bearer"},
    "paginator": {
        "type": "cursor",
        "param": "cursor",
        "path": "meta.next_cursor",
        "size": 100,
        "size_param": "limit",
    },
    "streams": [
        {
            "name": "deals",
            "path": "deals",
            "id": "id",
            "records": "data",
            "total": "meta.total",
            "incremental": {"field": "updated_at", "param": "updated_since"},
            "deleted": {"field": "status", "values": ["deleted"]},
        }
    ],
}
"""A document to begin with: a bearer token, pages by cursor, changes asked for by time."""


@dataclass(frozen=True)
class AuthSpec:
    """How calls are authorised; the secrets are kept with the connection, never in the document."""

    type: AuthType = "none"
    name: str = ""
    prefix: str = ""
    token_url: str = ""
    scope: str = ""


@dataclass(frozen=True)
class PaginatorSpec:
    """How one page leads to the next.

    `single`: there is one page. `next_link`: the address stands at `path` in the body; `header_link`: in the Link
    header. `page` and `offset` count in `param`, beginning at `start`. `cursor`: what stands at `path` is sent as
    `param`. `keyset`: the id of the last record is sent as `param`; the source must sort by id. `size` is the page
    length, sent as `size_param` where that is given.
    """

    type: PaginatorType = "single"
    param: str = ""
    path: str = ""
    size: int = 100
    size_param: str = ""
    start: int = 1


@dataclass(frozen=True)
class IncrementSpec:
    """How only what changed is asked for: `field` of a record says when it changed, `param` asks from a moment on."""

    field: str
    param: str
    format: str = "iso"
    look_back: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class StreamSpec:
    """One kind of record of the source. `records` is the path of the list in the body; '' is the body itself.

    `single_path` is the path of one record, with {id} for its id; '': single records cannot be asked for. The record
    stands at `single_record` in that answer.
    """

    name: str
    path: str
    label: str = ""
    id: str = "id"
    records: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    total: str = ""
    paginator: PaginatorSpec = PaginatorSpec()
    increment: IncrementSpec | None = None
    deleted_field: str = ""
    deleted_values: tuple[str, ...] = ("true",)
    merged_into: str = ""
    single_path: str = ""
    single_record: str = ""


@dataclass(frozen=True)
class WebhookSpec:
    """How the source calls us: the header of its signature, and where a body names the records it is about.

    `events` is the path of the list of events ('': the body itself, one event or a list of them); the other paths lie
    within an event. `stream` is the stream they are all about, or `stream_at` the path of its name.
    """

    header: str
    record_id: str
    prefix: str = ""
    events: str = ""
    event_id: str = ""
    stream: str = ""
    stream_at: str = ""


@dataclass(frozen=True)
class Document:
    """A whole source."""

    base_url: str
    auth: AuthSpec
    streams: tuple[StreamSpec, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    webhook: WebhookSpec | None = None


class DocumentError(ValueError):
    """A document cannot be used; `issues` are all its faults."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("; ".join(f"{issue.field}: {issue.message}" for issue in issues))


class Reader:
    """Walks a description, noting every fault with its path."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def note(self, path: str, code: str, template: str, **params: object) -> None:
        self.issues.append(Issue(path, code, template, tuple(params.items())))

    def _object(self, value: object, path: str, known: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.note(path, "invalid", gettext_noop("Give an object."))
            return {}
        for name in sorted(set(value) - known, key=str):
            text = gettext_noop("There is no such entry. Use one of: %(known)s.")
            self.note(_join(path, name), "unknown", text, known=", ".join(sorted(known)))
        return value

    def _text(self, body: Mapping[str, Any], path: str, name: str, *, required: bool = False, default: str = "") -> str:
        value = body.get(name, default)
        if not isinstance(value, str):
            self.note(_join(path, name), "invalid", gettext_noop("Give a text."))
            return default
        if required and not value.strip():
            self.note(_join(path, name), "required", gettext_noop("This is required."))
        return value.strip()

    def _choice(self, body: Mapping[str, Any], path: str, name: str, known: Sequence[str], *, default: str = "") -> str:
        value = body.get(name, default)
        if value not in known:
            text = gettext_noop("Use one of: %(known)s.")
            self.note(_join(path, name), "invalid", text, known=", ".join(known))
            return known[0]
        return str(value)

    def _integer(self, body: Mapping[str, Any], path: str, name: str, *, default: int, least: int, most: int) -> int:
        value = body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            text = gettext_noop("Give a whole number from %(least)s to %(most)s.")
            self.note(_join(path, name), "invalid", text, least=least, most=most)
            return default
        return value

    def _texts(self, body: Mapping[str, Any], path: str, name: str) -> Mapping[str, str]:
        value = body.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(each, str | int) for each in value.values()):
            self.note(_join(path, name), "invalid", gettext_noop("Give an object of texts."))
            return {}
        return {str(key): str(each) for key, each in value.items()}


def read_document(document: object) -> Document:
    """The source a document describes. Raises DocumentError with every fault.

    >>> read_document({"base_url": "https://api.example.com/", "streams": [{"name": "deals", "path": "deals"}]}).auth
    AuthSpec(type='none', name='', prefix='', token_url='', scope='')
    """
    reader = _DocumentReader()
    found = reader.document(document)
    if reader.issues:
        raise DocumentError(reader.issues)
    return found


class _DocumentReader(Reader):
    """Reads the document of a REST source."""

    def document(self, value: object) -> Document:
        body = self._object(value, "", {"base_url", "auth", "headers", "paginator", "streams", "webhook"})
        base_url = self._text(body, "", "base_url", required=True)
        paginator = self._paginator(body.get("paginator"), "paginator", PaginatorSpec())
        streams = tuple(self._streams(body.get("streams"), paginator))
        return Document(
            base_url=base_url,
            auth=self._auth(body.get("auth")),
            streams=streams,
            headers=self._headers(body),
            webhook=self._webhook(body.get("webhook"), [stream.name for stream in streams]),
        )

    def _webhook(self, value: object, streams: Sequence[str]) -> WebhookSpec | None:
        if value is None:
            return None
        names = ("header", "prefix", "events", "event_id", "record_id", "stream", "stream_at")
        body = self._object(value, "webhook", set(names))
        needed = {"header", "record_id"}
        spec = WebhookSpec(**{name: self._text(body, "webhook", name, required=name in needed) for name in names})
        if spec.header and not HEADER_NAME.fullmatch(spec.header):
            fault = gettext_noop("A header may only have letters, digits and signs of ASCII.")
            self.note("webhook.header", "invalid", fault)
        if bool(spec.stream) == bool(spec.stream_at):
            text = gettext_noop("Give either stream or stream_at, the path of its name.")
            self.note("webhook.stream", "invalid", text)
        elif spec.stream and spec.stream not in streams:
            text = gettext_noop("Use one of: %(known)s.")
            self.note("webhook.stream", "invalid", text, known=", ".join(streams))
        return spec

    def _headers(self, body: Mapping[str, Any]) -> Mapping[str, str]:
        headers = self._texts(body, "", "headers")
        for name, value in headers.items():
            if name.casefold() in SECRET_HEADERS:
                text = gettext_noop("Credentials do not belong into the description. Say how in “auth”.")
                self.note(f"headers.{name}", "secret", text)
            elif not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
                text = gettext_noop("A header may only have letters, digits and signs of ASCII.")
                self.note(f"headers.{name}", "invalid", text)
        return headers

    def _streams(self, value: object, paginator: PaginatorSpec) -> list[StreamSpec]:
        if not isinstance(value, list) or not value or len(value) > MAX_STREAMS:
            self.note("streams", "invalid", gettext_noop("Give a list of 1 to %(most)s streams."), most=MAX_STREAMS)
            return []
        streams = [self._stream(each, f"streams.{index}", paginator) for index, each in enumerate(value)]
        names = [stream.name for stream in streams if stream.name]
        for name in {name for name in names if names.count(name) > 1}:
            self.note("streams", "duplicated", gettext_noop("Two streams are called “%(name)s”."), name=name)
        return streams

    def _stream(self, value: object, path: str, paginator: PaginatorSpec) -> StreamSpec:
        known = {"name", "label", "path", "id", "records", "params", "total", "paginator", "incremental", "deleted"}
        body = self._object(value, path, {*known, "merged_into", "single"})
        single = self._object(body.get("single") or {}, f"{path}.single", {"path", "record"})
        deleted = self._object(body.get("deleted") or {}, f"{path}.deleted", {"field", "values"})
        values = deleted.get("values", ["true"])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            self.note(f"{path}.deleted.values", "invalid", gettext_noop("Give a list of texts."))
            values = []
        spec = StreamSpec(
            name=self._text(body, path, "name", required=True),
            label=self._text(body, path, "label"),
            path=self._text(body, path, "path", required=True),
            id=self._text(body, path, "id", default="id"),
            records=self._text(body, path, "records"),
            params=self._texts(body, path, "params"),
            total=self._text(body, path, "total"),
            paginator=self._paginator(body.get("paginator"), f"{path}.paginator", paginator),
            increment=self._increment(body.get("incremental"), f"{path}.incremental"),
            deleted_field=self._text(deleted, f"{path}.deleted", "field", required=bool(body.get("deleted"))),
            deleted_values=tuple(values),
            merged_into=self._text(body, path, "merged_into"),
            single_path=self._text(single, f"{path}.single", "path", required=bool(body.get("single"))),
            single_record=self._text(single, f"{path}.single", "record"),
        )
        if spec.name and not STREAM_NAME.fullmatch(spec.name):
            text = gettext_noop("Give a name of at most 60 letters, digits, dots, - and _.")
            self.note(f"{path}.name", "invalid", text)
        for place, below in (("path", spec.path), ("single.path", spec.single_path)):
            if below.startswith(("http:", "https:", "//")):
                self.note(f"{path}.{place}", "invalid", gettext_noop("Give the path below base_url, without the host."))
        if spec.single_path and "{id}" not in spec.single_path:
            self.note(f"{path}.single.path", "invalid", gettext_noop("Write {id} where the record's id stands."))
        return spec

    def _auth(self, value: object) -> AuthSpec:
        if value is None:
            return AuthSpec()
        body = self._object(value, "auth", {"type", "name", "prefix", "token_url", "scope"})
        kind = self._choice(body, "auth", "type", tuple(SECRETS))
        name, prefix = self._text(body, "auth", "name", required=kind == "header"), self._text(body, "auth", "prefix")
        for place, text, pattern in (("name", name, HEADER_NAME), ("prefix", prefix, HEADER_VALUE)):
            if text and not pattern.fullmatch(text):
                fault = gettext_noop("A header may only have letters, digits and signs of ASCII.")
                self.note(f"auth.{place}", "invalid", fault)
        return AuthSpec(
            type=cast("AuthType", kind),
            name=name,
            prefix=prefix,
            token_url=self._text(body, "auth", "token_url", required=kind == "oauth2_client_credentials"),
            scope=self._text(body, "auth", "scope"),
        )

    def _paginator(self, value: object, path: str, default: PaginatorSpec) -> PaginatorSpec:
        if value is None:
            return default
        body = self._object(value, path, {"type", "param", "path", "size", "size_param", "start"})
        kinds = ("single", "next_link", "header_link", "page", "offset", "cursor", "keyset")
        kind = self._choice(body, path, "type", kinds)
        return PaginatorSpec(
            type=cast("PaginatorType", kind),
            param=self._text(body, path, "param", required=kind in {"page", "offset", "cursor", "keyset"}),
            path=self._text(body, path, "path", required=kind in {"next_link", "cursor"}),
            size=self._integer(body, path, "size", default=100, least=1, most=10_000),
            size_param=self._text(body, path, "size_param"),
            start=self._integer(body, path, "start", default=0 if kind == "offset" else 1, least=0, most=1),
        )

    def _increment(self, value: object, path: str) -> IncrementSpec | None:
        if value is None:
            return None
        body = self._object(value, path, {"field", "param", "format", "look_back_seconds"})
        return IncrementSpec(
            field=self._text(body, path, "field", required=True),
            param=self._text(body, path, "param", required=True),
            format=self._choice(body, path, "format", FORMATS, default="iso"),
            look_back=timedelta(
                seconds=self._integer(body, path, "look_back_seconds", default=300, least=0, most=31 * 86_400)
            ),
        )


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
