"""What an upload would bring: every file opened and looked at to its end, nothing stored."""

from __future__ import annotations

import fnmatch
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from integrations.choices import describe_row_problem
from integrations.connectors.eras import decide_dated
from integrations.connectors.errors import ConnectorError
from integrations.connectors.file import Table, read_table
from integrations.connectors.links import LINKING, with_link
from integrations.connectors.mapping import (
    ATTRIBUTE_PREFIX,
    Accepted,
    Refused,
    StreamMapping,
    Tally,
    check_columns,
)
from integrations.connectors.recognising import recognise
from integrations.models import Connection, FieldMapping, SourceFile, Upload

PREVIEW_RECORDS = 20


@dataclass(frozen=True)
class Delivery:
    """One stream of an upload: a mapping, and the file it reads, of which every row was looked at."""

    mapping: StreamMapping
    file: SourceFile
    table: Table

    def decisions(self, tally: Tally) -> Iterator[Accepted | Refused]:
        """Every row decided, in the order of the file; `tally` counts along."""
        return decide_dated(self.mapping, self.table.rows(self.mapping.columns), zone=company_zone(), tally=tally)


@dataclass(frozen=True)
class Plan:
    """Everything an upload brings, in the order in which it is stored, and the files that fit no mapping."""

    deliveries: tuple[Delivery, ...]
    ignored: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(each.table.count for each in self.deliveries)


@dataclass(frozen=True)
class PreviewRecord:
    """One record as it would be stored: the row it comes from and its values in the order of the fields."""

    number: int
    values: tuple[Any, ...]


@dataclass(frozen=True)
class PreviewRefusal:
    """One row that would not be stored, and why, in words."""

    number: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class StreamPreview:
    """The first records and refusals of one stream, and the tally of all that was looked at.

    `origin` is the file, or the stream of the source.
    """

    mapping: StreamMapping
    origin: str
    encoding: str
    fields: tuple[str, ...]
    records: tuple[PreviewRecord, ...]
    refused: tuple[PreviewRefusal, ...]
    report: dict[str, Any]


def read_plan(*, upload: Upload | None, connection: Connection) -> Plan:
    """Open everything an upload holds, and look at every row. Raises ConnectorError for the first fault, naming file
    and row: after this nothing about the files can go wrong.
    """
    mappings = current_mappings(connection=connection)
    if not mappings:
        raise ConnectorError("config", "no_mapping")
    files = [] if upload is None else list(upload.files.all())
    if not files:
        raise ConnectorError("data", "nothing_to_read")
    tables = _Tables()
    takers = [(file, tables.takers(file, mappings)) for file in files]
    wanted = [(mapping, file) for mapping in mappings for file, those in takers if mapping in those]
    if not wanted:
        patterns = "、".join(dict.fromkeys(mapping.reads for mapping in mappings))
        raise ConnectorError("data", "no_file_for_mapping", file=files[0].name, patterns=patterns)
    deliveries = tuple(Delivery(mapping, file, tables.open(file, mapping)) for mapping, file in wanted)
    for each in deliveries:
        check_columns(each.mapping, each.table.headings, file=each.file.name)
    used = {file.name for _, file in wanted}
    return Plan(deliveries, tuple(file.name for file in files if file.name not in used))


def preview(*, upload: Upload, connection: Connection, limit: int = PREVIEW_RECORDS) -> list[StreamPreview]:
    """What an import of the upload would do, stream by stream. Raises ConnectorError as `read_plan`."""
    plan = read_plan(upload=upload, connection=connection)
    return [_preview_of(each, limit) for each in plan.deliveries]


def current_mappings(*, connection: Connection) -> list[StreamMapping]:
    """The mappings in force, in the order in which streams are read."""
    found = FieldMapping.objects.filter(connection=connection, is_current=True).order_by("position", "stream")
    return [each.definition for each in found]


def reading_mappings(*, connection: Connection) -> list[StreamMapping]:
    """The mappings in force as records are read by them: with the link to the original where the source tells it."""
    found = current_mappings(connection=connection)
    return [with_link(each) for each in found] if connection.kind in LINKING else found


def expected_patterns(*, connection: Connection) -> list[str]:
    """The file name patterns of the mappings in force, each once; a kind of file known by its headings has any name."""
    mappings = current_mappings(connection=connection)
    return list(dict.fromkeys("*" if mapping.headings else mapping.reads for mapping in mappings))


def taken_by_name(name: str, mappings: Sequence[StreamMapping]) -> list[StreamMapping]:
    """The mappings whose file name pattern fits."""
    return [mapping for mapping in mappings if not mapping.headings and fits(name, [mapping.reads])]


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file name matches a pattern, upper and lower case alike; hidden files never do."""
    return not name.startswith(".") and any(fnmatch.fnmatch(name.casefold(), each.casefold()) for each in patterns)


def company_zone() -> ZoneInfo:
    """The zone in which the company's dates are meant."""
    return ZoneInfo(settings.TIME_ZONE)


def summarise(
    mapping: StreamMapping,
    decisions: Callable[[], Iterator[Accepted | Refused]],
    *,
    origin: str,
    encoding: str,
    report: dict[str, Any],
    more_refused: Sequence[PreviewRefusal] = (),
    limit: int = PREVIEW_RECORDS,
) -> StreamPreview:
    """The first records and refusals among decisions, which are gone through from the beginning for each of the two."""
    fields = tuple(dict.fromkeys(rule.field for rule in mapping.rules))
    accepted = (each for each in decisions() if isinstance(each, Accepted))
    refused = (each for each in decisions() if isinstance(each, Refused))
    return StreamPreview(
        mapping=mapping,
        origin=origin,
        encoding=encoding,
        fields=fields,
        records=tuple(
            PreviewRecord(each.row.number, tuple(_value_of(each.record, field) for field in fields))
            for each in islice(accepted, limit)
        ),
        refused=(
            *more_refused,
            *(
                PreviewRefusal(each.row.number, tuple(describe_row_problem(p.code, p.params) for p in each.problems))
                for each in islice(refused, limit)
            ),
        ),
        report=report,
    )


def _preview_of(delivery: Delivery, limit: int) -> StreamPreview:
    tally = Tally()
    deque(delivery.decisions(tally), maxlen=0)
    return summarise(
        delivery.mapping,
        lambda: delivery.decisions(Tally()),
        origin=delivery.file.name,
        encoding=delivery.table.encoding,
        report=tally.as_report(),
        limit=limit,
    )


def _value_of(record: Mapping[str, Any], field: str) -> Any:
    if field.startswith(ATTRIBUTE_PREFIX):
        return record.get("attributes", {}).get(field.removeprefix(ATTRIBUTE_PREFIX))
    return record.get(field)


def open_file(file: SourceFile, **options: Any) -> Table:
    """The table in a file that was received; `options` are those of `read_table`. Raises ConnectorError."""
    path = Path(file.file.path)
    if not path.is_file():
        raise ConnectorError("data", "file_gone", file=file.name)
    return read_table(path, name=file.name, max_bytes=settings.UPLOAD_MAX_BYTES, **options)


class _Tables:
    """Opens each file once for all the streams that read it alike."""

    def __init__(self) -> None:
        self._opened: dict[tuple[int, str, str], Table] = {}

    def open(self, file: SourceFile, mapping: StreamMapping) -> Table:
        key = (file.pk, mapping.encoding, mapping.sheet)
        if key not in self._opened:
            self._opened[key] = open_file(file, encoding=mapping.encoding, sheet=mapping.sheet)
        return self._opened[key]

    def takers(self, file: SourceFile, mappings: Sequence[StreamMapping]) -> list[StreamMapping]:
        """The mappings that read a file: by its name, else by its headings. Raises ConnectorError where kinds of file
        are known by their headings and it is none of these.
        """
        if named := taken_by_name(file.name, mappings):
            return named
        sheets: dict[str, list[StreamMapping]] = {}
        for mapping in mappings:
            if mapping.headings:
                sheets.setdefault(mapping.sheet, []).append(mapping)
        found: list[StreamMapping] = []
        failures: list[ConnectorError] = []
        for known in sheets.values():
            try:
                found += recognise(known, self.open(file, known[0]).headings, file=file.name)
            except ConnectorError as failure:
                failures.append(failure)
        if failures and not found:
            raise failures[0]
        return found
