"""Reading a HubSpot account, stream by stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
)
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Answer, Http
from integrations.connectors.hubspot.answers import failure_in, rows_in, usage_in
from integrations.connectors.hubspot.shapes import (
    ASSOCIATED,
    FIXED_FIELDS,
    HISTORIES,
    MERGED,
    OWN,
    PAGES,
    associated_fields,
    associations_of,
    field_of,
    history_fields,
    moment_of,
    owner_row,
    pages_of,
    records_of,
    stage_row,
    with_pipelines,
)
from integrations.connectors.hubspot.source import (
    ACCOUNT,
    ASSOCIATIONS,
    MODIFIED,
    OBJECTS,
    OWNERS,
    PIPELINES,
    PROPERTIES,
    HubSpotSource,
)
from integrations.connectors.links import LINK
from integrations.connectors.quota import DailyShare
from integrations.connectors.records import dig
from kpis.engine.issues import gettext_noop

LABELS = {
    "contacts": gettext_noop("Contacts"),
    "companies": gettext_noop("Companies"),
    "deals": gettext_noop("Deals"),
}
LOOK_BACK = timedelta(minutes=10)
# The source tells its time in whole seconds, less the way of the answer: its clock may be past the start of the run.
END_MARGIN = timedelta(minutes=1)
LIST_LIMIT, HISTORY_LIMIT, SEARCH_LIMIT = 100, 50, 200
# Where the account's midnight is not known, its daily budget is looked at again after this.
UNKNOWN_MIDNIGHT_SECONDS = 3600.0
# Names of properties beyond this many bytes go in a body instead of an address.
MAX_QUERY_BYTES = 4000


@dataclass(frozen=True)
class _Ask:
    """What is asked of one kind of object."""

    object: str
    properties: tuple[str, ...]
    histories: tuple[str, ...]
    associated: Mapping[str, str]
    """As in ASSOCIATED, those that are asked for."""
    is_linked: bool

    @property
    def path(self) -> str:
        return f"{OBJECTS}/{self.object}"

    @property
    def limit(self) -> int:
        return HISTORY_LIMIT if self.histories else LIST_LIMIT

    @property
    def fits_address(self) -> bool:
        return sum(len(quote(f"{name},", safe="")) for name in (*self.properties, *self.histories)) <= MAX_QUERY_BYTES


def _ask(stream: str, fields: Sequence[str]) -> _Ask:
    """The properties behind the columns of a mapping, and those whose history it reads."""
    paths = [name.split(".") for name in fields]
    histories = dict.fromkeys(path[1] for path in paths if path[0] == "history" and len(path) > 1)
    wanted = {path[1] for path in paths if path[0] == "associations" and len(path) > 1}
    associated = {kind: one for kind, one in ASSOCIATED.get(stream, {}).items() if {kind, one} & wanted}
    others = {*OWN, "history", "associations", LINK}
    columns = [name for name, path in zip(fields, paths, strict=True) if path[0] not in others]
    asked = tuple(dict.fromkeys([*columns, MODIFIED[stream], MERGED]))
    return _Ask(stream, asked, tuple(histories), associated, LINK in fields)


class HubSpotConnector(Connector):
    """One HubSpot account."""

    kind = "hubspot"

    def __init__(self, http: Http, source: HubSpotSource) -> None:
        super().__init__(http)
        self._source = source
        self._zone: ZoneInfo | None = None
        self._portal = ""
        self._knows_account = False
        self._living: dict[str, int] = {}
        self.share = DailyShare(http.budget, self._until_midnight)
        http.budget = self.share
        http.classify = self._classify

    def streams(self) -> Sequence[Stream]:
        stages = Stream("pipelines", gettext_noop("Deal stages"), None, reads_by_id=False)
        pipelines = [stages] if "deals" in self._source.objects else []
        objects = [Stream(name, LABELS[name], LOOK_BACK) for name in self._source.objects]
        people = [
            Stream("owners", gettext_noop("Owners"), None, reads_by_id=False),
            Stream("teams", gettext_noop("Teams"), None, reads_by_id=False),
        ]
        return [*people, *pipelines, *objects]

    def fields(self, stream: str) -> Sequence[SourceField]:
        """The fixed fields of owners, teams and stages; of an object every property that the account has.

        The words of a deal's stage and pipeline stand with the pipelines alone.
        """
        if stream in FIXED_FIELDS:
            return FIXED_FIELDS[stream]
        properties = [field_of(row) for row in self._properties(stream)]
        if stream == "deals":
            properties = with_pipelines(properties, self._pipelines())
        past = next((each for each in properties if each.name == HISTORIES[stream]), None)
        own = [SourceField(name, label, "moment" if name.endswith("At") else "text") for name, label in OWN.items()]
        linked = associated_fields(stream, self._source.objects)
        return [*own, *properties, *linked, *(history_fields(past) if past else ())]

    def steps(self, stream: str, window: Window, fields: Sequence[str]) -> Iterator[Step]:
        self._learn_account()
        match stream:
            case "owners":
                yield from self._owners(window.resume)
            case "teams":
                yield Step(tuple(self._teams()), None)
            case "pipelines":
                yield Step(tuple(self._stages()), None)
            case _:
                yield from self._objects(_ask(stream, fields), window)

    def ids(self, stream: str, resume: Mapping[str, Any]) -> Iterator[Listing]:
        if stream in FIXED_FIELDS:
            for step in self.steps(stream, Window(None, self.http.now(), resume), ()):
                yield Listing(tuple(record.external_id for record in step.records), step.resume)
            return
        after: str | None = resume.get("after", "")
        while after is not None:
            rows, after = self._listed(f"{OBJECTS}/{stream}", {"properties": "hs_object_id"}, after=after)
            yield Listing(tuple(str(row["id"]) for row in rows), None if after is None else {"after": after})

    def read(self, stream: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        if stream in FIXED_FIELDS:
            steps = self.steps(stream, Window(None, self.http.now()), fields)
            found = {record.external_id: record for step in steps for record in step.records}
        else:
            ask = _ask(stream, fields)
            if ask.is_linked:
                self._learn_account()
            found = {record.external_id: record for record in self._records(ask, self._batch(ask, ids))}
        return [found.get(each) or Record(each, {"id": each}, is_deleted=True) for each in ids]

    def total(self, stream: str) -> int | None:
        """What is there by search; how much was archived nobody tells before it is read."""
        if stream in FIXED_FIELDS:
            return None
        filters = [{"propertyName": "hs_object_id", "operator": "GT", "value": "0"}]
        asked = {"filterGroups": [{"filters": filters}], "properties": [], "limit": 1}
        told = self.http.post(f"{OBJECTS}/{stream}/search", asked, kind="search").object().get("total")
        if isinstance(told, int):
            self._living[stream] = told
        return self._living.get(stream)

    def usage(self) -> Usage | None:
        return self.share.usage

    def check(self) -> Sequence[Finding]:
        with self.share.ignored():
            found = [self._check(name, path) for name, path in self._places().items()]
        return [*found, *self.quota_findings(), *self.clock_findings()]

    def quota_findings(self) -> Sequence[Finding]:
        usage = self.usage()
        if usage is None:
            return super().quota_findings()
        return [Finding("quota_left", False, {"left": usage.limit - usage.used, "most": usage.limit})]

    def _check(self, name: str, path: str) -> Finding:
        try:
            answer = self.http.get(path, {"limit": 1})
        except ConnectorError as error:
            if error.code != "missing_scopes":
                raise
            return Finding(error.code, True, {"stream": name, **error.params})
        count = len(rows_in(answer.object(), name))
        return Finding("stream_read" if count else "stream_empty", False, {"stream": name, "count": count})

    def _places(self) -> Mapping[str, str]:
        """A path for every right that is needed, by stream."""
        pipelines = {"pipelines": PIPELINES} if "deals" in self._source.objects else {}
        return {"owners": OWNERS, **pipelines, **{name: f"{OBJECTS}/{name}" for name in self._source.objects}}

    # Owners, teams and stages: few, and read whole.

    def _owners(self, resume: Mapping[str, Any]) -> Iterator[Step]:
        """Who has left comes too, as a record like the others: deals of theirs keep a name."""
        at: Mapping[str, Any] | None = resume or {"archived": True}
        while at is not None:
            rows, after = self._listed(OWNERS, {}, archived=at["archived"], after=at.get("after", ""))
            following = {"archived": at["archived"], "after": after} if after is not None else None
            at = following or ({"archived": False} if at["archived"] else None)
            yield Step(tuple(Record(str(row["id"]), owner_row(row)) for row in rows), at)

    def _teams(self) -> Iterator[Record]:
        """Teams have no endpoint that a reader of the CRM may ask: they stand with their owners."""
        owners = [record.values for step in self._owners({}) for record in step.records]
        teams = {str(team["id"]): team for owner in owners for team in owner.get("teams") or ()}
        for id, team in sorted(teams.items()):
            yield Record(id, {"id": id, "name": team.get("name")})

    def _stages(self) -> Iterator[Record]:
        """Every stage of every deal pipeline with whether it closes and wins a deal."""
        for pipeline in self._pipelines():
            for stage in pipeline.get("stages") or ():
                yield Record(str(stage["id"]), stage_row(pipeline, stage))

    def _pipelines(self) -> Sequence[Mapping[str, Any]]:
        return rows_in(self.http.get(PIPELINES).object(), "pipelines")

    # Objects: many, and read by change.

    def _objects(self, ask: _Ask, window: Window) -> Iterator[Step]:
        at: Mapping[str, Any] | None = window.resume
        if not at:
            self._check_properties(ask)
            at = {"phase": "archived"}
        while at is not None:
            match at["phase"]:
                case "archived":
                    records, at = self._archived_page(ask, window, at)
                case "list":
                    records, at = self._list_page(ask, at)
                case "short":
                    raise Count.of(at).failure(ask.object)
                case _:
                    records, at = self._search_page(ask, window, at)
            yield Step(tuple(records), at, self._told(ask, at) if at else None)

    def _told(self, ask: _Ask, at: Mapping[str, Any]) -> int | None:
        """How many records the window has, as far as it was told: of a first load the archived ones come besides."""
        if at["phase"] == "list" and ask.object in self._living:
            return self._living[ask.object] + int(at.get("archived", 0))
        return at.get("total")

    def _archived_page(
        self, ask: _Ask, window: Window, at: Mapping[str, Any]
    ) -> tuple[list[Record], Mapping[str, Any] | None]:
        """What was archived within the window; the list is told apart by nothing else, so all of it is looked at."""
        params = {"properties": MODIFIED[ask.object]}
        rows, after = self._listed(ask.path, params, archived=True, after=at.get("after", ""))
        records = [
            Record(str(row["id"]), {"id": str(row["id"])}, moment_of(row.get("archivedAt")), is_deleted=True)
            for row in rows
        ]
        since = window.since
        shown = [each for each in records if since is None or each.updated_at is None or each.updated_at >= since]
        archived = at.get("archived", 0) + len(shown)
        if after is not None:
            return shown, {"phase": "archived", "after": after, "archived": archived}
        return shown, {"phase": "list", "archived": archived} if window.is_first_load else {"phase": "search"}

    def _list_page(self, ask: _Ask, at: Mapping[str, Any]) -> tuple[list[Record], Mapping[str, Any] | None]:
        if ask.fits_address:
            asked = {"properties": ",".join(ask.properties)}
            asked |= {"propertiesWithHistory": ",".join(ask.histories)} if ask.histories else {}
            rows, after = self._listed(ask.path, asked, after=at.get("after", ""), limit=ask.limit)
        else:
            rows, after = self._listed(ask.path, {"properties": "hs_object_id"}, after=at.get("after", ""))
            rows = self._batch(ask, [str(row["id"]) for row in rows])
        return self._records(ask, rows), None if after is None else {**at, "after": after}

    def _search_page(
        self, ask: _Ask, window: Window, at: Mapping[str, Any]
    ) -> tuple[list[Record], Mapping[str, Any] | None]:
        """One page of the window, behind the last id; after it what is open, whatever its stamp says.

        Who a record is associated with may change without its stamp.
        """
        phase = at["phase"]
        body = self._found(ask, window, phase, last=at.get("last", "0"))
        rows = rows_in(body, ask.object)
        total = at.get("total", body.get("total"))
        count = Count(total, at.get("read", 0) + len(rows))
        following: Mapping[str, Any] | None = {"phase": "open"} if ask.associated and phase != "open" else None
        if rows and dig(body, "paging.next.after") is not None:
            following = {"phase": phase, "last": str(rows[-1]["id"]), "total": total, "read": count.read}
        elif count.is_short:
            # Some may have been changed again, and so have left the window.
            count = count.more(self._found(ask, window, phase, last="0", limit=1).get("total"), 0)
            following = {"phase": "short", **count.kept} if count.is_short else following
        if ask.histories:
            # Search knows no history.
            rows = self._batch(ask, [str(row["id"]) for row in rows])
        return self._records(ask, rows), following

    def _found(
        self, ask: _Ask, window: Window, phase: str, *, last: str, limit: int = SEARCH_LIMIT
    ) -> Mapping[str, Any]:
        """An answer of search: the records of the window, or those that are open, behind an id."""
        modified, until = MODIFIED[ask.object], window.started + END_MARGIN
        filters = [
            {"propertyName": modified, "operator": "GTE", "value": _milliseconds(window.since or window.started)},
            {"propertyName": modified, "operator": "LTE", "value": _milliseconds(until)},
        ]
        if phase == "open":
            filters = [{"propertyName": "hs_is_closed", "operator": "EQ", "value": "false"}]
        filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": last})
        asked = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": [modified] if ask.histories else list(ask.properties),
            "limit": limit,
        }
        return self.http.post(f"{ask.path}/search", asked, kind="search").object()

    def _records(self, ask: _Ask, rows: Sequence[Mapping[str, Any]]) -> list[Record]:
        """The records with those whom they are associated with, which no property tells."""
        linked: dict[str, dict[str, Any]] = {str(row["id"]): {} for row in rows}
        for kind, single in ask.associated.items():
            for found in linked.values():
                found.update({kind: [], single: None})
            if rows:
                inputs = {"inputs": [{"id": id} for id in linked]}
                answer = self.http.post(f"{ASSOCIATIONS}/{ask.object}/{kind}/batch/read", inputs)
                for id, told in associations_of(kind, single, rows_in(answer.object(), ask.object)).items():
                    linked.setdefault(id, {}).update(told)
        link = f"{self._portal}{PAGES[ask.object]}/" if ask.is_linked and self._portal else ""
        return records_of(ask.object, [{**row, "associations": linked[str(row["id"])]} for row in rows], link=link)

    def _batch(self, ask: _Ask, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """These objects as far as they are there; what was archived meanwhile is left out."""
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(ids), ask.limit):
            inputs = [{"id": each} for each in ids[start : start + ask.limit]]
            asked: dict[str, Any] = {"inputs": inputs, "properties": list(ask.properties)}
            asked |= {"propertiesWithHistory": list(ask.histories)} if ask.histories else {}
            found += rows_in(self.http.post(f"{ask.path}/batch/read", asked).object(), ask.object)
        return found

    def _listed(
        self, path: str, params: Mapping[str, str], *, after: str, archived: bool = False, limit: int = LIST_LIMIT
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """One page of a list and where the next begins; None: there is none."""
        asked = {"limit": limit, "archived": str(archived).lower(), **params, **({"after": after} if after else {})}
        body = self.http.get(path, asked).object()
        following = dig(body, "paging.next.after")
        if following is not None and str(following) == after:
            raise ConnectorError("data", "page_repeats", stream=path)
        return rows_in(body, path), None if following is None else str(following)

    def _properties(self, stream: str) -> Sequence[Mapping[str, Any]]:
        return rows_in(self.http.get(f"{PROPERTIES}/{stream}").object(), stream)

    def _check_properties(self, ask: _Ask) -> None:
        """A property that is not there is left out of the answers without a word; it must not read as empty."""
        known = {row["name"] for row in self._properties(ask.object)} | {MERGED}
        missing = sorted({*ask.properties, *ask.histories} - known)
        if missing:
            raise ConnectorError("config", "missing_fields", stream=ask.object, fields=", ".join(missing))

    # What its answers mean.

    def _classify(self, answer: Answer) -> ConnectorError | None:
        if usage := usage_in(answer):
            self.share.used, self.share.limit = usage.used, usage.limit
        return failure_in(answer, until_midnight=self._until_midnight)

    def _learn_account(self) -> None:
        """The account's time zone and where its pages are, while there are calls left to ask for it.

        Its day begins at midnight there.
        """
        if self._knows_account:
            return
        self._knows_account = True
        try:
            account = self.http.get(ACCOUNT).object()
            self._portal = pages_of(account)
            self._zone = ZoneInfo(str(account.get("timeZone") or ""))
        except (ZoneInfoNotFoundError, ValueError):
            return
        except ConnectorError as error:
            # Not every key may ask this; the others tell of themselves soon enough.
            if error.code not in {"missing_scopes", "not_allowed", "refused"}:
                raise

    def _until_midnight(self) -> float:
        """The seconds until the daily budget begins anew, in the account's own time zone."""
        if self._zone is None:
            return UNKNOWN_MIDNIGHT_SECONDS
        now = self.http.now()
        tomorrow = now.astimezone(self._zone).date() + timedelta(days=1)
        return (datetime.combine(tomorrow, time(), self._zone).astimezone(UTC) - now).total_seconds()


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
