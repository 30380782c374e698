"""Looking at a source without storing anything: whether it can be read, what its records have, what they would become.

A person waits for these answers, so nothing is tried for long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from typing import Any

from django.utils.translation import gettext

from integrations.choices import describe_finding
from integrations.connectors import values
from integrations.connectors.base import Connector, Finding, Record, SourceField, Stream
from integrations.connectors.deciding import filler
from integrations.connectors.drift import Drift, gone_of
from integrations.connectors.eras import decide_dated
from integrations.connectors.errors import ConnectorError
from integrations.connectors.lacking import is_vital
from integrations.connectors.mapping import Accepted, Refused, StreamMapping, Tally
from integrations.connectors.records import cell_of, dig, rows_of
from integrations.connectors.values import Cell
from integrations.models import Connection
from integrations.selectors.drift import DriftWarning, said_of
from integrations.selectors.plans import (
    PREVIEW_RECORDS,
    PreviewRefusal,
    StreamPreview,
    company_zone,
    current_mappings,
    summarise,
)
from integrations.services.credentials import PROOF_OF_CALLS, SealedError, unseal
from integrations.services.sources import opened_source
from kpis.engine.record_batch import read_records
from kpis.engine.resources import RESOURCES
from tenants.settings.selectors import company_settings

# A source with tiny pages is not asked for more of them than this to fill a sample.
SAMPLE_PAGES = 20
EXAMPLE_LENGTH = 40


@dataclass(frozen=True)
class Remark:
    """One finding of a test in words; `is_bad`: a person has to mend it, `is_doubtful`: look at it."""

    code: str
    is_bad: bool
    sentence: str
    is_doubtful: bool = False


@dataclass(frozen=True)
class Verdict:
    """What testing a source gave."""

    remarks: tuple[Remark, ...]

    @property
    def is_good(self) -> bool:
        return not any(each.is_bad for each in self.remarks)

    @property
    def by_urgency(self) -> list[Remark]:
        """What has to be mended first, then what has to be looked at."""
        return sorted(self.remarks, key=lambda each: (not each.is_bad, not each.is_doubtful))


@dataclass(frozen=True)
class SampledField:
    """One field of a stream, and a value it has in the sample; '' where all are empty."""

    field: SourceField
    example: str


@dataclass(frozen=True)
class Sample:
    """The first records of a stream that exist, up to PREVIEW_RECORDS, and the fields of the stream.

    Of a file: `more` records behind them in which words are looked for too, the `numbers` of the first ones' rows,
    its `headings` where it is known by these, and its `sheet` where that is not the first of a workbook.
    """

    stream: str
    records: tuple[Record, ...]
    fields: tuple[SampledField, ...]
    more: tuple[Record, ...] = ()
    numbers: tuple[int, ...] = ()
    headings: tuple[str, ...] = ()
    sheet: str = ""


def check_source(*, connection: Connection, today: date) -> Verdict:
    """Whether a source can be read, and what has to be mended; what stops the test is a remark too.

    What the mappings in force read is looked for as well; what is missing names the KPIs of `today` that it hurts.
    """
    remarks: list[Remark] = []
    try:
        with watched(connection) as connector:
            found = connector.check()
            remarks += map(_remark, found)
            remarks += _mapped_fields(connection, connector, found, today)
    except ConnectorError as error:
        remarks.append(_remark(Finding(error.code, True, error.params)))
    return Verdict(tuple(remarks))


def source_streams(*, connection: Connection) -> list[Stream]:
    """What the source gives. Raises ConnectorError."""
    with watched(connection) as connector:
        return list(connector.streams())


def sample_stream(*, connection: Connection, stream: str, each: str = "") -> Sample:
    """A look into one stream; with `each`, the elements of that list give fields too. Raises ConnectorError."""
    with watched(connection) as connector:
        if stream not in {known.name for known in connector.streams()}:
            raise ConnectorError("config", "unknown_stream", stream=stream)
        fields = list(connector.fields(stream))
        records = tuple(_first_records(connector, stream, [field.name for field in fields]))
    inner = [SourceField(path, path) for path in _element_paths(records, each)] if each else []
    sampled = tuple(SampledField(field, _example(records, field.name, each)) for field in [*fields, *inner])
    return Sample(stream, records, sampled)


def preview_source(*, connection: Connection, mapping: StreamMapping) -> StreamPreview:
    """What the first records of a stream become by a mapping. Raises ConnectorError."""
    with watched(connection) as connector:
        if mapping.reads not in {known.name for known in connector.streams()}:
            raise ConnectorError("config", "unknown_stream", stream=mapping.reads)
        records = tuple(_first_records(connector, mapping.reads, mapping.columns))
    return preview_sample(connection=connection, mapping=mapping, sample=Sample(mapping.reads, records, ()))


def preview_sample(*, connection: Connection, mapping: StreamMapping, sample: Sample) -> StreamPreview:
    """What the first records of a sample become by a mapping, judged as a run would judge them."""
    tally = Tally()
    rows = list(rows_of(mapping, sample.records))
    if sample.numbers and not mapping.each:
        rows = [row._replace(number=number) for row, number in zip(rows, sample.numbers, strict=True)]
    decisions = list(decide_dated(mapping, rows, zone=company_zone(), tally=tally))
    kept, refused = _judged(connection, mapping, decisions)
    tally.accepted, tally.refused = tally.accepted - len(refused), tally.refused + len(refused)
    return summarise(
        mapping, lambda: iter(kept), more_refused=refused, origin=mapping.reads, encoding="", report=tally.as_report()
    )


def words_of(*, mapping: StreamMapping, records: Sequence[Record], fields: Collection[str]) -> dict[str, Counter[str]]:
    """The words that each of these fields would be translated from, and how often they stand there."""
    read: dict[str, Callable[[Mapping[str, Cell]], Cell]] = {
        rule.field: filler(rule.template) if rule.template is not None else partial(_at, rule.columns[0])
        for rule in mapping.rules
        if rule.columns and rule.field in fields
    }
    found: dict[str, Counter[str]] = {field: Counter() for field in read}
    for row in rows_of(mapping, records):
        for field, word_in in read.items():
            if word := values.text_of(word_in(row.cells)):
                found[field][word] += 1
    return found


def secret_names(*, connection: Connection) -> list[str]:
    """The names of the credentials that are set; none where they cannot be opened."""
    try:
        return sorted(name for name in unseal(connection=connection) if name != PROOF_OF_CALLS)
    except SealedError:
        return []


@contextmanager
def watched(connection: Connection) -> Iterator[Connector]:
    """The connector of a connection for somebody who waits for it. Raises ConnectorError."""
    try:
        with opened_source(connection, is_watched=True) as connector:
            yield connector
    except SealedError:
        raise ConnectorError("auth", "sealed") from None


def _remark(finding: Finding) -> Remark:
    return Remark(
        finding.code, finding.is_bad, describe_finding(finding.code, finding.params), is_doubtful=finding.is_doubtful
    )


def _mapped_fields(
    connection: Connection, connector: Connector, found: Sequence[Finding], today: date
) -> Iterator[Remark]:
    """Whether the source shows the fields that the mappings in force read. What cannot be read has been said."""
    by_stream: dict[str, list[StreamMapping]] = {}
    for mapping in current_mappings(connection=connection):
        by_stream.setdefault(mapping.reads, []).append(mapping)
    told = {str(each.params.get("stream") or each.params.get("object")) for each in found if each.is_bad}
    there, gone = {each.name for each in connector.streams()}, list[Drift]()
    count = 0
    for stream in sorted(by_stream.keys() - told):
        try:
            if stream not in there:
                raise ConnectorError("config", "unknown_stream", stream=stream)
            fields = connector.fields(stream)
        except ConnectorError as error:
            if error.code == "budget_spent":
                # The test itself may call all the same; this is for later.
                yield _remark(Finding(error.code, False, error.params, is_doubtful=True))
                break
            if error.kind != "config":
                raise
            yield _remark(Finding(error.code, True, error.params))
            continue
        if not fields:
            continue  # its records tell the fields, and there are none
        is_whole = connector.describes_fields
        gone += [each for mapping in by_stream[stream] for each in gone_of(mapping, fields, is_whole=is_whole)]
        count += len({column for mapping in by_stream[stream] for column in mapping.columns})
    for drift, warning in zip(gone, said_of(connection=connection, found=gone, day=today), strict=True):
        is_bad = drift.code == "field_gone" or is_vital(drift.resource, drift.field)
        yield Remark(drift.code, is_bad, _of_stream(warning), is_doubtful=not is_bad)
    if count and not gone:
        yield _remark(Finding("mapped_fields_there", False, {"count": count}))


def _of_stream(warning: DriftWarning) -> str:
    sentence = f"{warning.stream} — {warning.sentence}"
    if not warning.metrics:
        return sentence
    return f"{sentence} {gettext('KPIs computed from it: %(names)s.') % {'names': warning.metric_names}}"


def _first_records(connector: Connector, stream: str, names: Sequence[str]) -> Iterator[Record]:
    pages = islice(connector.pages(stream, {}, names), SAMPLE_PAGES)
    living = (record for page in pages for record in page.records if not record.is_deleted and not record.merged_into)
    return islice(living, PREVIEW_RECORDS)


def _element_paths(records: Sequence[Record], each: str) -> list[str]:
    """The paths below a list of which every element is a row."""
    elements = (element for record in records for element in dig(record.values, each) or ())
    names = (name for element in elements if isinstance(element, Mapping) for name in element)
    return [f"{each}.{name}" for name in dict.fromkeys(names)]


def _at(column: str, cells: Mapping[str, Cell]) -> Cell:
    return cells.get(column)


def _example(records: Sequence[Record], path: str, each: str) -> str:
    texts = (values.text_of(cell_of(_found(record.values, path, each))) for record in records)
    return next((text[:EXAMPLE_LENGTH] for text in texts if text), "")


def _found(record: Mapping[str, Any], path: str, each: str) -> Any:
    if each and path.startswith(f"{each}."):
        elements = dig(record, each)
        first = elements[0] if isinstance(elements, list) and elements else None
        return dig(first, path.removeprefix(f"{each}."))
    return dig(record, path)


def _judged(
    connection: Connection, mapping: StreamMapping, decisions: Sequence[Accepted | Refused]
) -> tuple[list[Accepted | Refused], list[PreviewRefusal]]:
    """The decisions without the records that the door for facts would refuse, and these with its reasons."""
    accepted = [each for each in decisions if isinstance(each, Accepted)]
    reading = read_records(
        RESOURCES[mapping.resource],
        [each.record for each in accepted],
        source=connection.source,
        currency=company_settings().currency,
    )
    refused = {
        id(accepted[rejection.index]): PreviewRefusal(
            accepted[rejection.index].row.number, tuple(issue.translated(gettext) for issue in rejection.issues)
        )
        for rejection in reading.rejections
    }
    return [each for each in decisions if id(each) not in refused], list(refused.values())
