"""Files that a person shows to say what their columns mean: their headings are the fields of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction

from integrations.choices import Trigger
from integrations.connectors import values
from integrations.connectors.base import Record, SourceField
from integrations.connectors.errors import ConnectorError
from integrations.connectors.file import check_headings
from integrations.connectors.mapping import StreamMapping
from integrations.models import Connection, SourceFile
from integrations.selectors.kinds import KindOfFile
from integrations.selectors.plans import PREVIEW_RECORDS, current_mappings, open_file, taken_by_name
from integrations.services.connections import create_connection, save_mapping
from integrations.services.inspection import EXAMPLE_LENGTH, Sample, SampledField
from integrations.services.uploads import IncomingFile, receive_files

# In so many rows most words of a file are met.
ROWS_FOR_WORDS = 2_000


@transaction.atomic
def create_from_sample(
    *, sample: IncomingFile, sheet: str = "", actor: Any, now: datetime, **values: Any
) -> Connection:
    """A file connection that begins with a sample instead of a preset; `values` are those of `create_connection`.

    Raises ConnectionRequestError, and ConnectorError for a file that cannot be one; then there is no connection.
    """
    connection = create_connection(preset="", now=now, **values)
    receive_sample(connection=connection, sample=sample, reads="", sheet=sheet, actor=actor, now=now)
    return connection


@transaction.atomic
def receive_sample(
    *, connection: Connection, sample: IncomingFile, reads: str, sheet: str = "", actor: Any, now: datetime
) -> SourceFile:
    """Take a file whose columns are to be mapped; it can be imported afterwards as any other.

    `sheet` names the one that is meant where the file is a workbook of several; a kind that is read has said so.

    With `reads`, a kind of file that is known by its headings is known by those of this file from now on; what its
    mappings need and the file does not have is said by every import until they are changed. Raises ConnectorError for
    a file that cannot be read, has no headings, has several sheets of which none is named, or does not fit the file
    name pattern that `reads` is; nothing of it is kept then.
    """
    mappings = [each for each in current_mappings(connection=connection) if reads and each.reads == reads]
    if mappings and not mappings[0].headings and not taken_by_name(sample.name, mappings):
        raise ConnectorError("data", "no_file_for_mapping", file=sample.name, patterns=reads)
    before = mappings[0].sheet if mappings else ""
    sheet = sheet or before
    upload = receive_files(connection=connection, files=[sample], trigger=Trigger.UPLOAD, actor=actor, now=now)
    file = upload.files.get()
    try:
        table = open_file(file, sheet=sheet, is_one=True)
        check_headings(table)
    except ConnectorError:
        file.file.delete(save=False)
        raise
    file.encoding, file.sheet = table.encoding, sheet
    file.headings = [heading for heading in table.headings if heading]
    file.save(update_fields=["encoding", "sheet", "headings"])
    for mapping in mappings:
        changed = replace(
            mapping,
            headings=tuple(file.headings) if mapping.headings else (),
            sheet=sheet if mapping.sheet == before else mapping.sheet,
        )
        if changed != mapping:
            save_mapping(connection=connection, mapping=changed, now=now)
    return file


def sample_file(*, kind: KindOfFile, current: StreamMapping | None) -> Sample:
    """A look into the newest file of a kind, read as the mapping in force says. Raises ConnectorError."""
    if kind.file is None:
        raise ConnectorError("data", "no_sample", reads=kind.reads)
    encoding, sheet = (current.encoding, current.sheet) if current else ("", kind.file.sheet)
    table = open_file(kind.file, encoding=encoding, sheet=sheet, at_most=ROWS_FOR_WORDS)
    spelled = {values.normalise(name): name for mapping in kind.mappings for name in mapping.columns}
    headings = [spelled.get(values.normalise(heading), heading) for heading in table.headings if heading]
    rows = list(islice(table.rows(headings), ROWS_FOR_WORDS))
    records = tuple(Record(str(row.number), row.cells) for row in rows)
    fields = tuple(SampledField(SourceField(name, name), _example(records, name)) for name in headings)
    return Sample(
        kind.reads,
        records[:PREVIEW_RECORDS],
        fields,
        more=records[PREVIEW_RECORDS:],
        numbers=tuple(row.number for row in rows[:PREVIEW_RECORDS]),
        headings=kind.headings,
        sheet=sheet,
    )


def _example(records: Sequence[Record], name: str) -> str:
    texts = (values.text_of(record.values.get(name)) for record in records)
    return next((text[:EXAMPLE_LENGTH] for text in texts if text), "")
