"""Reading one window of an object by query, page by page.

Records come in the order of (cursor, Id), and a page leads to the next by a locator which lives for some days at most.
When it has died, reading goes on behind the last record that was stored. Where a query takes the source too long, the
window is cut into slices of time [start, end).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.connectors.base import Count, Record, Step, Window
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Http
from integrations.connectors.records import dig
from integrations.connectors.salesforce.schema import Selection
from integrations.connectors.salesforce.soql import behind, moment, select, sendable

VERSION = "67.0"
API = f"services/data/v{VERSION}"
# Nothing at Salesforce is older than the company.
BEGINNING = datetime(1999, 3, 1, tzinfo=UTC)
SHORTEST_SLICE = timedelta(seconds=2)


@dataclass(frozen=True)
class Place:
    """Where a reading stands: in which slice, behind which record (`stamp`, `record_id`), and the locator to go on.

    `start` and `end` None: open on that side.
    """

    start: datetime | None
    end: datetime | None = None
    stamp: datetime | None = None
    record_id: str = ""
    next: str = ""
    read: int = 0
    """How many records the query has given that `next` goes on with."""

    @property
    def reached(self) -> datetime:
        """No record before this moment is still to come."""
        return self.stamp or self.start or BEGINNING

    def as_resume(self, selection: Selection) -> dict[str, Any]:
        moments = {"start": self.start, "end": self.end, "stamp": self.stamp}
        kept = {name: value.isoformat() for name, value in moments.items() if value is not None}
        return {**kept, "id": self.record_id, "next": self.next, "read": self.read, "columns": list(selection.columns)}


def place_of(window: Window, selection: Selection) -> Place:
    """Where to go on. A locator gives the columns that were asked for then: it is used for the same ones only."""
    if not window.resume:
        return Place(window.since)
    saved = window.resume
    start, end, stamp = (_moment(saved.get(name)) for name in ("start", "end", "stamp"))
    is_same = saved.get("columns") == list(selection.columns)
    return Place(start, end, stamp, saved.get("id", ""), saved.get("next", "") if is_same else "", saved.get("read", 0))


@dataclass
class Reading:
    """One window of one object."""

    http: Http
    selection: Selection
    window: Window

    def steps(self) -> Iterator[Step]:
        place: Place | None = place_of(self.window, self.selection)
        lost: Place | None = None
        while place is not None:
            try:
                body = page_of(self.http, self._path(place), place.next or self._query(place), self.selection.object)
            except ConnectorError as error:
                if error.code == "query_timeout":
                    place = self._halved(place)
                    continue
                if error.code != "locator_gone":
                    raise
                restart = replace(place, next="")
                if restart == lost:
                    raise ConnectorError("remote", "locator_gone", permanent=False, **error.params) from error
                place = lost = restart
                continue
            records = self._records(body)
            following = self._following(place, body, records)
            total = body.get("totalSize") if place == Place(self.window.since) else None
            count = Count(body.get("totalSize"), len(records) + (place.read if place.next else 0))
            is_short = body["done"] and count.is_short
            going_on = place if is_short else following
            yield Step(records, going_on.as_resume(self.selection) if going_on else None, total)
            if is_short:
                raise count.failure(self.selection.object)
            place = following

    def _path(self, place: Place) -> str:
        return "" if place.next else f"{API}/queryAll"

    def _query(self, place: Place) -> str:
        selection = self.selection
        low = f"{selection.cursor} >= {moment(place.start)}" if place.start else ""
        if place.stamp:
            low = behind(selection.cursor, place.stamp, place.record_id)
        high = f"{selection.cursor} < {moment(place.end)}" if place.end else ""
        query = select(selection.object, selection.columns, low, high, order=(selection.cursor, "Id"))
        return sendable(query, stream=selection.object, columns=len(selection.columns))

    def _records(self, body: Mapping[str, Any]) -> tuple[Record, ...]:
        columns = self.selection.columns
        return tuple(self.selection.record({column: dig(row, column) for column in columns}) for row in body["records"])

    def _following(self, place: Place, body: Mapping[str, Any], records: Sequence[Record]) -> Place | None:
        if not body["done"]:
            read = len(records) + (place.read if place.next else 0)
            return replace(self._behind(place, records), next=body["nextRecordsUrl"], read=read)
        if place.end is None:
            return None
        # What one slice bore, twice of it may be tried.
        end = place.end + 2 * (place.end - (place.start or BEGINNING))
        return Place(place.end, end if end < self.window.started else None)

    def _behind(self, place: Place, records: Sequence[Record]) -> Place:
        """The place behind the last record that stands in its order.

        A record that was changed while we read shows its new stamp at its old place: everything behind that stamp
        would be taken as read. What changed since the start of the run is read by the next one in any case.
        """
        for record in reversed(records):
            if record.updated_at is not None and record.updated_at < self.window.started:
                return replace(place, stamp=record.updated_at, record_id=record.external_id)
        return place

    def _halved(self, place: Place) -> Place:
        """The first half of what is left of a slice. Raises ConnectorError where it cannot be cut any more."""
        end = place.end or self.window.started
        left = end - place.reached
        if left < SHORTEST_SLICE:
            raise ConnectorError("timeout", "query_timeout", permanent=False)
        middle = (place.reached + left / 2).replace(microsecond=0)
        return replace(place, end=middle, next="")


def page_of(http: Http, path: str, query_or_locator: str, stream: str) -> Mapping[str, Any]:
    """One answer to a query, or what a locator leads to where `path` is ''. Raises ConnectorError."""
    answer = http.get(path, {"q": query_or_locator}) if path else http.get(query_or_locator)
    body = answer.object()
    rows, is_done = body.get("records"), body.get("done")
    is_whole = isinstance(rows, list) and all(isinstance(row, dict) for row in rows) and isinstance(is_done, bool)
    if not is_whole or not (is_done or isinstance(body.get("nextRecordsUrl"), str)):
        raise ConnectorError("data", "incomplete_answer", permanent=False, stream=stream)
    return body


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
