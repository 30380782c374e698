"""The connector of an org of Salesforce."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from integrations.connectors.base import Connector, Finding, Listing, Record, SourceField, Step, Stream, Usage, Window
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Http
from integrations.connectors.records import dig
from integrations.connectors.salesforce.answers import Quota
from integrations.connectors.salesforce.bulk import JobReading, RefusedJobError
from integrations.connectors.salesforce.description import OPTIONAL, Description
from integrations.connectors.salesforce.reading import API, Reading, page_of
from integrations.connectors.salesforce.schema import (
    Described,
    Selection,
    read_describe,
    select_columns,
    source_fields,
)
from integrations.connectors.salesforce.soql import select, sendable, text

# More records than this are loaded by a job at first: a query would take a call for every 2,000 or fewer.
JOB_ABOVE = 10_000
IDS_AT_ONCE = 200
HIDDEN = frozenset({403, 404})


class SalesforceConnector(Connector):
    """The chosen objects of one org, deleted records included.

    `http` leads to the org's instance. `job_above` is how many records a first load reads by query, at most.
    """

    kind = "salesforce"

    def __init__(
        self,
        http: Http,
        description: Description,
        *,
        job_above: int = JOB_ABOVE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(http)
        self.quota = Quota(http.budget)
        http.budget = self.quota
        http.classify = self.quota.classify
        self._objects = description.objects
        self._job_above = job_above
        self._pause = pause
        self._described: dict[str, Described] = {}
        self._counts: dict[str, int] = {}

    def streams(self) -> Sequence[Stream]:
        return [Stream(name, name) for name in self._objects]

    def fields(self, stream: str) -> Sequence[SourceField]:
        return source_fields(self._describe(stream))

    def steps(self, stream: str, window: Window, fields: Sequence[str]) -> Iterator[Step]:
        selection = self._select(stream, fields)
        if "job" in window.resume or (window.is_first_load and not window.resume and self._is_large(selection)):
            try:
                yield from JobReading(self.http, selection, self._pause).steps(window.resume)
                return
            except RefusedJobError:
                # Some objects and editions have no jobs; a query that is wrong says so itself.
                window = Window(window.since, window.started, {}, window.seen)
        yield from Reading(self.http, selection, window).steps()

    def ids(self, stream: str, resume: Mapping[str, Any]) -> Iterator[Listing]:
        """By queryAll, which knows archived activities too: they have not been deleted."""
        selection = self._select(stream, ())
        living = "IsDeleted = false" if "IsDeleted" in selection.types else ""
        last, locator = resume.get("last", ""), resume.get("locator", "")
        while True:
            behind = f"Id > {text(last)}" if last else ""
            query = select(stream, ["Id"], living, behind, order=["Id"])
            try:
                body = page_of(self.http, "" if locator else f"{API}/queryAll", locator or query, stream)
            except ConnectorError as error:
                if error.code != "locator_gone" or not locator:
                    raise
                locator = ""
                continue
            found = tuple(str(row["Id"]) for row in body["records"])
            if body["done"]:
                yield Listing(found, None)
                return
            last, locator = (found[-1] if found else last), body["nextRecordsUrl"]
            yield Listing(found, {"last": last, "locator": locator})

    def read(self, stream: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        selection = self._select(stream, fields)
        found = {
            record.external_id: record
            for first in range(0, len(ids), IDS_AT_ONCE)
            for record in self._read(selection, ids[first : first + IDS_AT_ONCE])
        }
        return [found.get(each) or Record(each, {}, is_deleted=True) for each in ids]

    def total(self, stream: str) -> int | None:
        return self._count(stream)

    def usage(self) -> Usage | None:
        return self.quota.usage

    def check(self) -> Sequence[Finding]:
        with self.quota.ignored():
            found = [self._check(name) for name in self._objects]
        return [*found, *self.quota_findings(), *self.clock_findings()]

    def quota_findings(self) -> Sequence[Finding]:
        usage = self.usage()
        if usage is None:
            return super().quota_findings()
        said = {"used": usage.used, "limit": usage.limit, "percent": round(100 * usage.used / usage.limit)}
        return [Finding("quota_used", False, said)]

    def _check(self, name: str) -> Finding:
        try:
            selection = self._select(name, ())
        except ConnectorError as error:
            if error.code == "object_hidden" and name in OPTIONAL:
                return Finding("object_not_used", False, error.params)
            if error.code in {"object_hidden", "field_gone"}:
                return Finding(error.code, True, error.params)
            raise
        count = len(page_of(self.http, f"{API}/queryAll", select(name, selection.columns, limit=1), name)["records"])
        return Finding("stream_read" if count else "stream_empty", False, {"stream": name, "count": count})

    def _read(self, selection: Selection, ids: Sequence[str]) -> Iterator[Record]:
        condition = f"Id IN ({', '.join(text(each) for each in ids)})"
        query = select(selection.object, selection.columns, condition)
        path = f"{API}/queryAll"
        asked = sendable(query, stream=selection.object, columns=len(selection.columns))
        while asked:
            body = page_of(self.http, path, asked, selection.object)
            for row in body["records"]:
                yield selection.record({column: dig(row, column) for column in selection.columns})
            path, asked = "", "" if body["done"] else body["nextRecordsUrl"]

    def _is_large(self, selection: Selection) -> bool:
        """Whether a first load is one for a job. Raises ConnectorError."""
        if not selection.is_for_jobs:
            return False
        try:
            return self._count(selection.object) > self._job_above
        except ConnectorError as error:
            if error.code == "query_timeout":
                # What takes too long to count is large.
                return True
            raise

    def _count(self, name: str) -> int:
        """How many records an object has, the deleted ones too; asked once. Raises ConnectorError."""
        if name not in self._counts:
            told = page_of(self.http, f"{API}/queryAll", select(name, ["COUNT()"]), name).get("totalSize")
            if not isinstance(told, int):
                raise ConnectorError("data", "incomplete_answer", permanent=False, stream=name)
            self._counts[name] = told
        return self._counts[name]

    def _select(self, stream: str, fields: Sequence[str]) -> Selection:
        return select_columns(self._describe(stream), fields, self._describe, instance=self.http.base_url)

    def _describe(self, name: str) -> Described:
        """An object as it is now; asked once. Raises ConnectorError where it is not there for this user."""
        if name not in self._described:
            try:
                body = self.http.get(f"{API}/sobjects/{name}/describe").object()
            except ConnectorError as error:
                if error.params.get("status") in HIDDEN and error.code in {"refused", "not_allowed"}:
                    raise ConnectorError("config", "object_hidden", object=name) from error
                raise
            try:
                self._described[name] = read_describe(body)
            except (KeyError, TypeError, AttributeError) as error:
                raise ConnectorError("data", "incomplete_answer", permanent=False, stream=name) from error
        described = self._described[name]
        if not described.is_queryable:
            raise ConnectorError("config", "object_hidden", object=name)
        return described
