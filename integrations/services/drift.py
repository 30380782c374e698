"""Looking whether a source still is as it was mapped, now and then after an import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from integrations.connectors.base import Connector
from integrations.connectors.drift import Drift, drift_of, emptied, filled_in, seen_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.lacking import FIELD_GONE
from integrations.connectors.mapping import StreamMapping
from integrations.models import Connection
from integrations.selectors.plans import current_mappings
from integrations.services.resync import read_again
from integrations.services.sources import opened_source

# A source that is read every minute need not describe itself as often.
LOOK_EVERY = timedelta(hours=1)
WITHOUT_FIELDS = "read_without_fields"
# What is said of a stream whose source lacks a field.
FIELD_PROBLEMS = FIELD_GONE | {WITHOUT_FIELDS}
Seen = dict[str, dict[str, Any]]
"""What is remembered by stream and column; of a source that does not describe itself, by mapping and field."""


def look_for_drift(*, connection: Connection, report: Mapping[str, Any], now: datetime, is_due: bool = False) -> None:
    """Compare the source with the mappings and keep what differs; at most once an hour, unless it `is_due`.

    `report` is what the import before it saw. A source that cannot be asked now is asked after the next import.
    """
    connection.refresh_from_db()
    looked_at = connection.seen_fields.get("at")
    if not is_due and looked_at and now - datetime.fromisoformat(looked_at) < LOOK_EVERY:
        return
    before: Seen = connection.seen_fields.get("streams", {})
    mappings = current_mappings(connection=connection)
    try:
        with opened_source(connection) as connector:
            if connector.describes_fields:
                drift, seen = _described(connector, mappings, before)
            else:
                drift, seen = _sampled(mappings, report, before)
    except ConnectorError:
        return
    Connection.objects.filter(pk=connection.pk).update(
        drift=[asdict(each) for each in drift], seen_fields={"at": now.isoformat(), "streams": seen}
    )


def refresh_calculated(*, connection: Connection, now: datetime) -> list[str]:
    """Have the streams read from their beginning whose mapped fields the source computes; returns their names.

    A field that is computed changes without its record, so that no increment ever brings it.
    """
    streams: Seen = connection.seen_fields.get("streams", {})
    wanted = [name for name, fields in streams.items() if any(each.get("is_calculated") for each in fields.values())]
    if wanted:
        read_again(connection=connection, streams=wanted, since=None, now=now)
    return wanted


def _described(connector: Connector, mappings: Iterable[StreamMapping], before: Seen) -> tuple[list[Drift], Seen]:
    by_stream: dict[str, list[StreamMapping]] = {}
    for mapping in mappings:
        by_stream.setdefault(mapping.reads, []).append(mapping)
    known = {each.name for each in connector.streams()}
    drift: list[Drift] = []
    seen: Seen = {}
    for stream in by_stream.keys() & known:
        described, earlier = connector.fields(stream), before.get(stream, {})
        found = [each for mapping in by_stream[stream] for each in drift_of(mapping, described, earlier)]
        # What is called otherwise now, or gone, is said until the mapping has been looked at and saved.
        said = {each.column for each in found if each.code in {"field_retyped", "word_gone", "word_renamed"}}
        kept = {column: earlier[column] for column in said if column in earlier}
        seen[stream] = {**seen_of(by_stream[stream], described), **kept}
        drift += found
    return drift, seen


def _sampled(mappings: Iterable[StreamMapping], report: Mapping[str, Any], before: Seen) -> tuple[list[Drift], Seen]:
    reports = {each["stream"]: each for each in report.get("streams", ())}
    drift: list[Drift] = []
    seen: Seen = {}
    for mapping in mappings:
        filled, said = set(before.get(mapping.stream, ())), reports.get(mapping.stream)
        if said is not None:
            drift += emptied(mapping, said, filled)
            filled |= filled_in(mapping, said)
        seen[mapping.stream] = {name: {"is_filled": True} for name in sorted(filled)}
    return drift, seen
