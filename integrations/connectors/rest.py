"""Any REST source, as its document describes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from integrations.connectors import values
from integrations.connectors.auth import (
    Auth,
    Token,
    TokenAuth,
    basic,
    basic_header,
    bearer,
    header_key,
    no_auth,
    read_token,
)
from integrations.connectors.base import (
    Connector,
    Count,
    Finding,
    Listing,
    Record,
    SourceField,
    Step,
    Stream,
    Usage,
    Window,
    as_utc,
)
from integrations.connectors.document import AuthSpec, Document, PaginatorSpec, StreamSpec
from integrations.connectors.errors import BadValueError, ConnectorError
from integrations.connectors.http import Answer, Http
from integrations.connectors.records import cells_at, dig, has_path, texts_at

SAMPLE = 20
# What a source answers for a record that it does not have any more.
_UTC = ZoneInfo("UTC")
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
# What is wrong with the source as a whole, not with one stream of it.
HOST_FAULTS = frozenset({"bad_address", "not_https", "closed_address"})
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*rel="?next"?')
Params = dict[str, Any]


class RestConnector(Connector):
    """A source described by a document."""

    kind = "rest"
    describes_fields = False

    def __init__(self, http: Http, document: Document) -> None:
        super().__init__(http)
        self._usage: Usage | None = None
        http.classify = self._note_usage
        self._specs = {spec.name: spec for spec in document.streams}

    def streams(self) -> Sequence[Stream]:
        return [
            Stream(
                spec.name,
                spec.label or spec.name,
                spec.increment.look_back if spec.increment else None,
                reads_by_id=bool(spec.single_path),
            )
            for spec in self._specs.values()
        ]

    def fields(self, stream: str) -> Sequence[SourceField]:
        """Every path that a sample of the records has, with the kind of value found there first."""
        first = next(self.steps(stream, Window(None, self.http.now()), ()), None)
        found: dict[str, SourceField] = {}
        for record in first.records[:SAMPLE] if first else ():
            for path, value in _leaves(record.values):
                found.setdefault(path, SourceField(path, path, _kind_of(value)))
        return list(found.values())

    def steps(self, stream: str, window: Window, fields: Sequence[str]) -> Iterator[Step]:
        spec = self._specs[stream]
        base: Params = {**spec.params}
        if spec.increment and window.since is not None:
            base[spec.increment.param] = _moment_text(window.since, spec.increment.format)
        count, shown = Count.of(window.resume), set[str]()
        at: Mapping[str, Any] | None = {name: each for name, each in window.resume.items() if name not in count.kept}
        while at is not None:
            answer = self._get(spec, base, at)
            body = answer.json()
            rows = _rows(spec, body)
            records = _records(spec, rows)
            following = _following(spec.paginator, answer, body, records, at)
            if following is not None and following == at:
                raise ConnectorError("data", "page_repeats", stream=spec.name)
            said = dig(body, spec.total) if spec.total else None
            total = int(said) if isinstance(said, int | str) and str(said).isdigit() else None
            ids = {record.external_id for record in records}
            # By place in the list, what was shown may be shown again.
            before, count, shown = count, count.more(total, len(ids - shown)), ids
            is_short = following is None and count.is_short
            going_on, standing = (at, before) if is_short else (following, count)
            yield Step(records, None if going_on is None else {**going_on, **standing.kept}, total)
            if is_short:
                raise count.failure(stream)
            at = following

    def ids(self, stream: str, resume: Mapping[str, Any]) -> Iterator[Listing]:
        for step in self.steps(stream, Window(None, self.http.now(), resume), ()):
            yield Listing(tuple(record.external_id for record in step.records if not record.is_deleted), step.resume)

    def read(self, stream: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """By the address of single records, else the stream is read and what was asked for is kept."""
        if self._specs[stream].single_path:
            return [self._single(self._specs[stream], each) for each in ids]
        wanted = set(ids)
        found = {
            record.external_id: record
            for step in self.steps(stream, Window(None, self.http.now()), fields)
            for record in step.records
            if record.external_id in wanted
        }
        return [found.get(each) or Record(each, {}, is_deleted=True) for each in ids]

    def _single(self, spec: StreamSpec, external_id: str) -> Record:
        try:
            body = self.http.get(spec.single_path.replace("{id}", quote(external_id, safe=""))).json()
        except ConnectorError as error:
            if error.params.get("status") in GONE:
                return Record(external_id, {}, is_deleted=True)
            raise
        row = dig(body, spec.single_record) if spec.single_record else body
        if not isinstance(row, dict):
            raise ConnectorError("data", "no_records_at", stream=spec.name, path=spec.single_record or "·")
        (record,) = _records(spec, [row])
        if record.external_id != external_id:
            raise ConnectorError("data", "other_record", stream=spec.name, asked=external_id, given=record.external_id)
        return record

    def total(self, stream: str) -> int | None:
        """As the first page says it, where the document knows the place.

        Where there is one stream alone, reading begins with that page anyway.
        """
        if not self._specs[stream].total or len(self._specs) == 1:
            return None
        first = next(self.steps(stream, Window(None, self.http.now()), ()), None)
        return first.total if first else None

    def usage(self) -> Usage | None:
        return self._usage

    def _note_usage(self, answer: Answer) -> None:
        """By the headers that most sources use, with the names of the draft of IETF or the X- before them."""
        for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
            limit, left = (answer.headers.get(f"{prefix}{name}", "") for name in ("limit", "remaining"))
            if limit.isdigit() and left.isdigit() and int(limit) >= int(left):
                self._usage = Usage(int(limit) - int(left), int(limit))

    def check(self) -> Sequence[Finding]:
        found = [each for spec in self._specs.values() for each in self._check_stream(spec)]
        return [*found, *self.quota_findings(), *self.clock_findings()]

    def _check_stream(self, spec: StreamSpec) -> Iterator[Finding]:
        try:
            first = next(self.steps(spec.name, Window(None, self.http.now()), ()), None)
            is_found = first is None or self._finds_single(spec, first.records)
        except ConnectorError as error:
            if error.kind not in {"config", "data"} or error.code in HOST_FAULTS:
                raise
            problem = {"code": error.code, "params": dict(error.params)}
            yield Finding("stream_failed", True, {"stream": spec.name, "problem": problem})
            return
        records = first.records if first else ()
        yield Finding("stream_read" if records else "stream_empty", False, {"stream": spec.name, "count": len(records)})
        if spec.increment and any(record.updated_at is None for record in records):
            yield Finding("no_change_time", True, {"stream": spec.name, "field": spec.increment.field})
        if not is_found:
            yield Finding("single_not_found", True, {"stream": spec.name, "path": spec.single_path})

    def _finds_single(self, spec: StreamSpec, records: Sequence[Record]) -> bool:
        """Whether a record of the list is there by itself too; if not, every one asked for would seem to be gone."""
        living = next((record for record in records if not record.is_deleted and not record.merged_into), None)
        return not spec.single_path or living is None or not self._single(spec, living.external_id).is_deleted

    def _get(self, spec: StreamSpec, params: Params, at: Mapping[str, Any]) -> Answer:
        if link := at.get("link"):
            return self.http.get(link)
        page = spec.paginator
        sent = {**params, **({page.size_param: page.size} if page.size_param else {})}
        if page.type in {"page", "offset"}:
            sent[page.param] = at.get("next", page.start)
        elif "next" in at:
            sent[page.param] = at["next"]
        return self.http.get(spec.path, sent)


def auth_of(spec: AuthSpec, secrets: Mapping[str, str], open_http: Callable[[str], Http]) -> Auth:
    """The authentication a document names, with the secrets of its connection. Raises KeyError for a missing one.

    `open_http` gives a way to the host of the token endpoint, which is used for one token and closed.
    """
    match spec.type:
        case "none":
            return no_auth()
        case "header":
            return header_key(spec.name, f"{spec.prefix} {secrets['key']}".strip())
        case "bearer":
            return bearer(secrets["token"])
        case "basic":
            return basic(secrets["username"], secrets["password"])
        case "oauth2_client_credentials":
            return _client_credentials(spec, secrets, open_http)


def _client_credentials(spec: AuthSpec, secrets: Mapping[str, str], open_http: Callable[[str], Http]) -> Auth:
    def fetch() -> Token:
        form = {"grant_type": "client_credentials", **({"scope": spec.scope} if spec.scope else {})}
        header = {"Authorization": basic_header(secrets["client_id"], secrets["client_secret"])}
        with open_http(spec.token_url) as http:
            answer = http.call("POST", spec.token_url, data=form, headers=header).object()
        if "access_token" not in answer:
            raise ConnectorError("auth", "no_token")
        return read_token(answer)

    encoded = basic_header(secrets["client_id"], secrets["client_secret"]).removeprefix("Basic ")
    return TokenAuth(fetch, hidden=(secrets["client_secret"], encoded))


def _rows(spec: StreamSpec, body: Any) -> list[Mapping[str, Any]]:
    found = dig(body, spec.records) if spec.records else body
    if found is None and spec.records and has_path(body, spec.records):
        return []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ConnectorError("data", "no_records_at", stream=spec.name, path=spec.records or "·")
    return found


def _records(spec: StreamSpec, rows: Sequence[Mapping[str, Any]]) -> tuple[Record, ...]:
    """What a page tells of its records."""
    ids = texts_at(rows, spec.id)
    if not all(ids):
        raise ConnectorError("data", "record_without_id", stream=spec.name, path=spec.id)
    gone, merged = [False] * len(rows), [""] * len(rows)
    if spec.deleted_field:
        gone = [mark in spec.deleted_values for mark in texts_at(rows, spec.deleted_field)]
    if spec.merged_into:
        merged = texts_at(rows, spec.merged_into)
    return tuple(map(Record._make, zip(ids, rows, _changes(spec, rows), gone, merged, strict=True)))


def _changes(spec: StreamSpec, rows: Sequence[Mapping[str, Any]]) -> list[datetime | None]:
    """When each row was last changed; None where it does not say, or nobody can read it."""
    if spec.increment is None:
        return [None] * len(rows)
    form = spec.increment.format
    return [_moment_of(cell, form) for cell in cells_at(rows, spec.increment.field)]


def _moment_of(cell: values.Cell, form: str) -> datetime | None:
    try:
        match form:
            case "epoch":
                return datetime.fromtimestamp(float(str(cell)), UTC)
            case "epoch_ms":
                return datetime.fromtimestamp(float(str(cell)) / 1000, UTC)
            case _:
                found = values.parse_moment(cell, zone=_UTC)
                return as_utc(found) if found else None
    except (BadValueError, ValueError, OverflowError):
        return None


def _following(
    page: PaginatorSpec, answer: Answer, body: Any, records: Sequence[Record], at: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Where the next page begins; None when this was the last."""
    match page.type:
        case "single":
            return None
        case "next_link":
            link = dig(body, page.path)
            return {"link": str(link)} if link else None
        case "header_link":
            found = _LINK.search(answer.headers.get("link", ""))
            return {"link": found[1]} if found else None
        case "cursor":
            following = dig(body, page.path)
            return {"next": following} if following not in (None, "", False) else None
        case "keyset":
            return {"next": records[-1].external_id} if records else None
        case "page":
            return {"next": at.get("next", page.start) + 1} if records else None
        case "offset":
            return {"next": at.get("next", page.start) + len(records)} if records else None


def _moment_text(moment: datetime, form: str) -> str:
    utc = as_utc(moment)
    match form:
        case "date":
            return utc.date().isoformat()
        case "epoch":
            return str(int(utc.timestamp()))
        case "epoch_ms":
            return str(int(utc.timestamp() * 1000))
        case _:
            return utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, here)
        else:
            yield here, inner


def _kind_of(value: Any) -> Any:
    match value:
        case bool():
            return "flag"
        case int() | float():
            return "number"
        case list():
            return "list"
        case _:
            return "text"
