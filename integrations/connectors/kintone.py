"""kintone: apps are streams, changes are told by the minute, deletions not at all.

What shapes the reading: a search may be cut short (x-cybozu-warning) and an offset ends at 10,000, so pages go on by
keys alone; codes of fields are the customer's and may be renamed, and an unknown one is passed over in silence, so the
form is looked at before every reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx

from integrations.connectors.base import (
    Connector,
    Count,
    FieldKind,
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
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Answer, Budget, Http, failure_of, retry_after, said_in
from integrations.connectors.kintone_description import App, Description, auth_of
from integrations.connectors.links import LINK

PAGE_SIZE = 500
MAX_ADDRESS = 4000
MAX_FIELDS_IN_ADDRESS = 100
# Stamps are cut to the minute, so that a change may look up to a minute older than the start of the run before it.
LOOK_BACK = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
# kintone asks for patience without saying how much.
WAIT_SECONDS = 10.0
ID, REVISION = "$id", "$revision"
# No token that was sent opens the app. kintone has said so with different statuses, 520 among them.
WRONG_TOKEN, BUSY = "GAIA_IA02", "GAIA_TO04"
UNREADABLE_APP = frozenset({"app_not_allowed", "app_gone", "field_gone"})

_NUMBER = re.compile(r"-?\d+(\.\d+)?(E[-+]?\d+)?", re.IGNORECASE)
_ENTITIES = frozenset({"USER_SELECT", "ORGANIZATION_SELECT", "GROUP_SELECT", "STATUS_ASSIGNEE"})
_KINDS: Mapping[str, FieldKind] = {
    "NUMBER": "number",
    "DATE": "date",
    "DATETIME": "moment",
    "CREATED_TIME": "moment",
    "UPDATED_TIME": "moment",
    "DROP_DOWN": "choice",
    "RADIO_BUTTON": "choice",
    **dict.fromkeys(("CHECK_BOX", "MULTI_SELECT", "CATEGORY", "FILE", "SUBTABLE", *_ENTITIES), "list"),
}
_CALCULATED: Mapping[str, FieldKind] = {
    "NUMBER": "number",
    "NUMBER_DIGIT": "number",
    "DATE": "date",
    "DATETIME": "moment",
}
# What stands in a form and holds nothing.
_WITHOUT_VALUE = frozenset({"GROUP", "REFERENCE_TABLE", "LABEL", "SPACER", "HR"})


def classify(answer: Answer) -> ConnectorError | None:
    """What an answer means, kintone's own code kept in the message.

    A refusal of one app concerns its stream alone (kind config), because every app has its own token.
    """
    general = failure_of(answer)
    if general is None:
        warning = answer.headers.get("x-cybozu-warning")
        return ConnectorError("data", "filter_aborted", warning=warning) if warning else None
    code = _code_of(answer)
    message = f"{code}: {said_in(answer)}" if code else said_in(answer)
    said: Mapping[str, Any] = {"status": answer.status, "message": message}
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or code == BUSY:
        asked = retry_after(answer)
        wait = WAIT_SECONDS if asked is None else asked
        return ConnectorError("rate_limit", "too_many_calls", permanent=False, wait=wait, **said)
    if answer.status == HTTPStatus.FORBIDDEN or code == WRONG_TOKEN:
        return ConnectorError("config", "app_not_allowed", **said)
    if answer.status == HTTPStatus.NOT_FOUND:
        return ConnectorError("config", "app_gone", **said)
    params = {**general.params, **said} if "message" in general.params else general.params
    return ConnectorError(general.kind, general.code, permanent=general.permanent, wait=general.wait, **params)


class KintoneConnector(Connector):
    """Apps of one kintone."""

    kind = "kintone"
    quota_code = "quota_of_day"

    def __init__(
        self, http: Http, apps: Sequence[App], *, page_size: int = PAGE_SIZE, used: Callable[[], Usage | None]
    ) -> None:
        super().__init__(http)
        self._used = used
        self._apps = {each.name: each for each in apps}
        self._page_size = page_size

    @classmethod
    def of(
        cls,
        description: Description,
        secrets: Mapping[str, str],
        *,
        guard: Guard,
        budget: Budget,
        page_size: int = PAGE_SIZE,
        used: Callable[[], Usage | None] = lambda: None,
    ) -> KintoneConnector:
        """`used`: how many calls of the day are counted. Raises KeyError for a missing secret, ConnectorError."""
        auth = auth_of(description, secrets)
        http = Http(description.base_url, auth=auth, guard=guard, budget=budget, classify=classify)
        return cls(http, description.apps, page_size=page_size, used=used)

    def streams(self) -> Sequence[Stream]:
        return [
            Stream(each.name, each.label or each.name, LOOK_BACK, tells_deletions=False) for each in self._apps.values()
        ]

    def fields(self, stream: str) -> Sequence[SourceField]:
        return self._form(self._apps[stream]).fields

    def steps(self, stream: str, window: Window, fields: Sequence[str]) -> Iterator[Step]:
        """First loads go by id; increments by the time of change, and by id within a minute that fills a page.

        Where a page ends inside a minute, that minute is read anew by id: kintone may sort by seconds it does not tell.
        """
        app = self._apps[stream]
        form = self._form(app)
        codes, link = form.codes(stream, fields), self._link(app, fields)
        count, resume = Count.of(window.resume), dict(window.resume)
        for name in count.kept:
            resume.pop(name, None)
        at: Mapping[str, Any] | None = resume or _beginning(window)
        counts = not window.resume
        while at is not None:
            body = self._records(app, f"{_condition(form.updated, at)} limit {self._page_size}", codes, counts=counts)
            records = tuple(_record(stream, row, form.updated, codes, link) for row in body["records"])
            total = int(body["totalCount"]) if counts and body.get("totalCount") else None
            following = _following(form.updated, at, records, is_full=len(records) >= self._page_size)
            again = _read_again(form.updated, at, following, records)
            before, count, counts = count, count.more(total, len(records) - again), False
            if following is None and count.is_short:
                # Some may have been deleted while we read.
                count = count.more(self._existing(app, form, window), 0)
            is_short = following is None and count.is_short
            going_on, standing = (at, before) if is_short else (following, count)
            yield Step(records, None if going_on is None else {**going_on, **standing.kept}, total)
            if is_short:
                raise count.failure(stream)
            at = following

    def _existing(self, app: App, form: _Form, window: Window) -> int | None:
        """How many records a window has now."""
        query = f"{_condition(form.updated, _beginning(window))} limit 1"
        total = self._records(app, query, (ID,), counts=True).get("totalCount")
        return int(total) if total else None

    def ids(self, stream: str, resume: Mapping[str, Any]) -> Iterator[Listing]:
        at: Mapping[str, Any] | None = resume or {"id": 0}
        while at is not None:
            query = f"{_condition('', at)} limit {self._page_size}"
            found = tuple(_id_of(row) for row in self._records(self._apps[stream], query, (ID,))["records"])
            at = {"id": int(found[-1])} if len(found) >= self._page_size else None
            yield Listing(found, at)

    def read(self, stream: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        app = self._apps[stream]
        form = self._form(app)
        codes, link = form.codes(stream, fields), self._link(app, fields)
        asked = [each for each in dict.fromkeys(ids) if re.fullmatch(r"[0-9]+", each)]
        found: dict[str, Record] = {}
        for first in range(0, len(asked), self._page_size):
            some = ", ".join(f'"{each}"' for each in asked[first : first + self._page_size])
            rows = self._records(app, f"{ID} in ({some}) limit {self._page_size}", codes)["records"]
            found |= {_id_of(row): _record(stream, row, form.updated, codes, link) for row in rows}
        return [found.get(each) or Record(each, {}, is_deleted=True) for each in ids]

    def total(self, stream: str) -> int | None:
        told = self._records(self._apps[stream], f"{_condition('', {'id': 0})} limit 1", (ID,), counts=True)
        return _whole(str(told["totalCount"])) if told.get("totalCount") else None

    def usage(self) -> Usage | None:
        return self._used()

    def check(self) -> Sequence[Finding]:
        found = [each for app in self._apps.values() for each in self._check_app(app)]
        overlap = Finding("reads_again", False, {"minutes": int(LOOK_BACK / MINUTE)})
        return [*found, overlap, *self.quota_findings(), *self.clock_findings()]

    def _check_app(self, app: App) -> Iterator[Finding]:
        """Whether an app opens, with a refusal of it as a finding: the others may be in order."""
        try:
            answer = self._ask_form(app, kind="calls")
            _Form.of(app.name, answer)
            query = f"{_condition('', {'id': 0})} limit 1"
            body = self._records(app, query, (ID,), counts=True, kind="calls")
        except ConnectorError as error:
            if error.code not in UNREADABLE_APP:
                raise
            yield Finding(error.code, True, {"stream": app.name, **error.params})
            return
        count = int(body.get("totalCount") or len(body["records"]))
        yield Finding("stream_read" if count else "stream_empty", False, {"stream": app.name, "count": count})
        running, limit = (_whole(answer.headers.get(f"x-concurrencylimit-{name}")) for name in ("running", "limit"))
        if limit and running * 2 >= limit:
            yield Finding("many_calls_at_once", False, {"running": running, "limit": limit})

    def _link(self, app: App, fields: Sequence[str]) -> str:
        """What stands before the number of a record in the address of its page; "" where nobody asks."""
        return f"{self.http.base_url.removesuffix('v1/')}{app.app}/show#record=" if LINK in fields else ""

    def _form(self, app: App) -> _Form:
        return _Form.of(app.name, self._ask_form(app))

    def _ask_form(self, app: App, *, kind: str = "") -> Answer:
        return self._ask("app/form/fields.json", {"app": app.app}, kind)

    def _records(
        self, app: App, query: str, codes: Sequence[str], *, counts: bool = False, kind: str = ""
    ) -> Mapping[str, Any]:
        body = {"app": app.app, "query": query, "fields": list(codes), **({"totalCount": True} if counts else {})}
        answer = self._ask("records.json", body, kind).object()
        if not isinstance(answer.get("records"), list):
            raise ConnectorError("data", "not_kintone", stream=app.name)
        return answer

    def _ask(self, path: str, body: Mapping[str, Any], kind: str) -> Answer:
        """A question in the address, or where that grows too long in a body that stands for one.

        Calls are counted by their app, whose calls of a day have a limit; those of a test ("calls") are not.
        """
        kind = kind or str(body["app"])
        fields = body.get("fields", ())
        params = {name: value for name, value in body.items() if name != "fields"}
        params |= {f"fields[{index}]": code for index, code in enumerate(fields)}
        if len(fields) > MAX_FIELDS_IN_ADDRESS or len(str(httpx.QueryParams(params))) > MAX_ADDRESS:
            return self.http.post(path, body, headers={"X-HTTP-Method-Override": "GET"}, kind=kind)
        return self.http.get(path, params, kind=kind)


@dataclass(frozen=True)
class _Form:
    """The form of an app as it is now. `updated` is the code of its time of change."""

    updated: str
    fields: tuple[SourceField, ...]

    @classmethod
    def of(cls, stream: str, answer: Answer) -> _Form:
        properties = answer.object().get("properties")
        if not isinstance(properties, dict):
            raise ConnectorError("data", "not_kintone", stream=stream)
        updated = next((code for code, each in properties.items() if each.get("type") == "UPDATED_TIME"), None)
        if updated is None:
            raise ConnectorError("config", "field_gone", stream=stream, fields="UPDATED_TIME")
        own = (SourceField(ID, ID), SourceField(REVISION, REVISION, "number"))
        return cls(updated, (*own, *_source_fields(properties)))

    def codes(self, stream: str, columns: Sequence[str]) -> tuple[str, ...]:
        """The fields to ask for. Raises ConnectorError for columns that the form does not have.

        Numbers in a column are places in a list; of a table all columns come.
        """
        known = {each.name for each in self.fields}
        columns = [column for column in columns if column != LINK]
        gone = [column for column in columns if _without_places(column) not in known]
        if gone:
            raise ConnectorError("config", "field_gone", stream=stream, fields=", ".join(gone))
        return tuple(dict.fromkeys([ID, self.updated, *(column.split(".")[0] for column in columns)]))


def _beginning(window: Window) -> Mapping[str, Any]:
    return {"id": 0} if window.since is None else {"from": _minute_text(window.since)}


def _condition(updated: str, at: Mapping[str, Any]) -> str:
    """Which records come next, and in which order. Without *or*, which makes kintone slow."""
    if "from" in at:
        return f'{updated} >= "{at["from"]}" order by {updated} asc, {ID} asc'
    within = ""
    if "minute" in at:
        end = _minute_text(datetime.fromisoformat(at["minute"]) + MINUTE)
        within = f'{updated} >= "{at["minute"]}" and {updated} < "{end}" and '
    return f"{within}{ID} > {int(at['id'])} order by {ID} asc"


def _following(
    updated: str, at: Mapping[str, Any], records: Sequence[Record], *, is_full: bool
) -> Mapping[str, Any] | None:
    """Where it goes on behind a page; None at the end."""
    if is_full and "id" in at:
        return {**at, "id": int(records[-1].external_id)}
    if is_full:
        return {"minute": _minute_text(datetime.fromisoformat(records[-1].values[updated])), "id": 0}
    if "minute" in at:
        return {"from": _minute_text(datetime.fromisoformat(at["minute"]) + MINUTE)}
    return None


def _read_again(
    updated: str, at: Mapping[str, Any], following: Mapping[str, Any] | None, records: Sequence[Record]
) -> int:
    """How many of a page come again, because the minute in which it ends is read anew."""
    if following is None or "minute" not in following or "minute" in at:
        return 0
    return sum(_minute_text(datetime.fromisoformat(each.values[updated])) == following["minute"] for each in records)


def _minute_text(moment: datetime) -> str:
    return as_utc(moment).strftime("%Y-%m-%dT%H:%M:00Z")


def _id_of(row: Mapping[str, Any]) -> str:
    return str(row[ID]["value"])


def _record(stream: str, row: Mapping[str, Any], updated: str, codes: Iterable[str], link: str) -> Record:
    """A record with plain values. Raises ConnectorError where a field that was asked for has not come."""
    gone = [code for code in codes if code not in row]
    if gone:
        raise ConnectorError("config", "field_gone", stream=stream, fields=", ".join(gone))
    changed = as_utc(datetime.fromisoformat(row[updated]["value"]))
    address = {LINK: f"{link}{_id_of(row)}"} if link else {}
    return Record(_id_of(row), {code: _plain(row[code]) for code in codes} | address, changed)


def _plain(field: Mapping[str, Any]) -> Any:
    """A value without its wrapping: users and their like as codes, files as names, a table as rows with their id."""
    value = field.get("value")
    match field.get("type"):
        case "NUMBER" | "CALC":
            return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value or None
        case "CREATOR" | "MODIFIER":
            return value["code"] if value else None
        case "FILE":
            return [each["name"] for each in value or ()]
        case "SUBTABLE":
            return [
                {ID: row["id"], **{code: _plain(each) for code, each in row["value"].items()}} for row in value or ()
            ]
        case kind if kind in _ENTITIES:
            return [each["code"] for each in value or ()]
        case _:
            return value


def _source_fields(
    properties: Mapping[str, Mapping[str, Any]], above: SourceField | None = None
) -> Iterator[SourceField]:
    """The fields of a form that hold something; those of a table come with its code and a dot before theirs."""
    for code, each in properties.items():
        kind = each.get("type", "")
        if kind in _WITHOUT_VALUE or each.get("enabled") is False:
            continue
        label = each.get("label") or code
        options = sorted(each.get("options", {}).items(), key=lambda option: _whole(str(option[1].get("index", ""))))
        found = SourceField(
            f"{above.name}.{code}" if above else code,
            f"{above.label} › {label}" if above else label,
            _CALCULATED.get(each.get("format", ""), "text") if kind == "CALC" else _KINDS.get(kind, "text"),
            tuple((name, option.get("label") or name) for name, option in options),
        )
        yield found
        if kind == "SUBTABLE":
            yield SourceField(f"{found.name}.{ID}", f"{found.label} › {ID}")
            yield from _source_fields(each.get("fields", {}), found)


def _without_places(column: str) -> str:
    return ".".join(part for part in column.split(".") if not part.isdigit())


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _code_of(answer: Answer) -> str:
    """kintone's code of a refusal; '' where somebody before kintone refused."""
    try:
        return str(answer.object().get("code") or "")
    except ConnectorError:
        return ""
