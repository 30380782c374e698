"""Reading all of an object by a job (Bulk API 2.0): the source works it out, then gives it as CSV page by page.

The rows come in no order, so that nothing can be told from the last one; a job that is gone is made anew.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.connectors.base import Record, Step
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Answer, Http
from integrations.connectors.salesforce.reading import API
from integrations.connectors.salesforce.schema import Selection
from integrations.connectors.salesforce.soql import select

JOBS = f"{API}/jobs/query"
PAGE_ROWS = 10_000
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 20.0
LAST_PAGE = "null"
UNDER_WAY = ("UploadComplete", "InProgress")
Resume = Mapping[str, Any]


class RefusedJobError(Exception):
    """The source does not make a job of this query."""


class _GoneError(Exception):
    """The job is not there any more, or was aborted."""


@dataclass
class JobReading:
    """All records of one object. `pause` waits for so many seconds."""

    http: Http
    selection: Selection
    pause: Callable[[float], None]

    def steps(self, resume: Resume) -> Iterator[Step]:
        """The pages, and in between a step without records whenever the job was looked at: it may take long.

        Raises RefusedJobError, ConnectorError.
        """
        at = resume if resume.get("columns") == list(self.selection.columns) else {}
        try:
            yield from self._steps(at)
        except _GoneError:
            try:
                yield from self._steps({})
            except _GoneError as error:
                raise self._failed("") from error

    def _steps(self, at: Resume) -> Iterator[Step]:
        if not at:
            at = self._made()
            yield Step((), at)
        while (info := self._info(at))["state"] in UNDER_WAY:
            self.pause(min(FIRST_PAUSE_SECONDS * 2 ** at["looks"], LONGEST_PAUSE_SECONDS))
            at = {**at, "looks": at["looks"] + 1}
            yield Step((), at)
        following: Resume | None = at
        while following is not None:
            answer = self._results(following)
            locator = answer.headers.get("sforce-locator")
            if not locator:
                # Without it nobody knows whether this was the last page.
                raise self._incomplete()
            following = None if locator == LAST_PAGE else {**at, "locator": locator}
            yield Step(self._records(answer), following, info.get("numberRecordsProcessed"))
        self._forget(at["job"])

    def _made(self) -> Resume:
        query = select(self.selection.object, self.selection.columns)
        asked = {"operation": "queryAll", "query": query, "columnDelimiter": "COMMA", "lineEnding": "LF"}
        try:
            made = self.http.post(JOBS, asked).object()
        except ConnectorError as error:
            if error.code == "refused":
                raise RefusedJobError from error
            raise
        return {"job": str(made["id"]), "looks": 0, "columns": list(self.selection.columns)}

    def _info(self, at: Resume) -> Mapping[str, Any]:
        info = self._asked(f"{JOBS}/{at['job']}").object()
        if info.get("state") == "Aborted":
            raise _GoneError
        if info.get("state") not in {*UNDER_WAY, "JobComplete"}:
            raise self._failed(str(info.get("errorMessage") or info.get("state")))
        return info

    def _results(self, at: Resume) -> Answer:
        params = {"maxRecords": PAGE_ROWS, **({"locator": at["locator"]} if "locator" in at else {})}
        return self._asked(f"{JOBS}/{at['job']}/results", params, headers={"Accept": "text/csv"})

    def _asked(self, path: str, params: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        try:
            return self.http.get(path, params, **options)
        except ConnectorError as error:
            if error.code == "refused":
                raise _GoneError from error
            raise

    def _records(self, answer: Answer) -> tuple[Record, ...]:
        """The rows of a page, which is a CSV of its own. Raises ConnectorError where rows are missing."""
        rows = _rows(answer)
        columns: list[str] = list(self.selection.columns)
        if rows and _is_heading(rows[0], columns):
            columns = _as_selected(rows.pop(0), columns)
        said = answer.headers.get("sforce-numberofrecords", "")
        is_odd = any(len(row) != len(columns) for row in rows)
        if is_odd or (said.isdigit() and int(said) != len(rows)):
            raise self._incomplete()
        return tuple(self.selection.record(dict(zip(columns, row, strict=True))) for row in rows)

    def _forget(self, job: str) -> None:
        try:
            self.http.call("DELETE", f"{JOBS}/{job}")
        except ConnectorError:
            # Its records are stored; the source forgets the job by itself after some days.
            return

    def _incomplete(self) -> ConnectorError:
        return ConnectorError("data", "incomplete_answer", permanent=False, stream=self.selection.object)

    def _failed(self, message: str) -> ConnectorError:
        return ConnectorError("remote", "job_failed", permanent=False, stream=self.selection.object, message=message)


def _rows(answer: Answer) -> list[list[str]]:
    try:
        return [
            row for row in csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), strict=True) if row
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConnectorError("data", "not_csv") from error


def _is_heading(row: list[str], columns: list[str]) -> bool:
    """Whether a row names the columns: the first page begins so, later ones do at some orgs and not at others."""
    return sorted(name.casefold() for name in row) == sorted(name.casefold() for name in columns)


def _as_selected(heading: list[str], columns: list[str]) -> list[str]:
    spelled = {column.casefold(): column for column in columns}
    return [spelled[name.casefold()] for name in heading]
