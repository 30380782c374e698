"""Deciding for records that a source is asked for: what they give now, and what they gave before and no longer do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from integrations.connectors.base import Record
from integrations.connectors.eras import decide_all_dated, decide_dated
from integrations.connectors.mapping import Accepted, Decisions, Refused, Row, StreamMapping, Tally
from integrations.connectors.records import elements_of, rows_of, text_at

NO_ROW = Row(0, {})


def changes_of(
    mapping: StreamMapping,
    records: Sequence[Record],
    previous: Mapping[str, Mapping[str, Any]],
    *,
    zone: ZoneInfo,
    tally: Tally,
) -> Decisions:
    """The decisions of one mapping for records, of which each comes once.

    `previous` holds what the source said about them the last time, where the mapping `needs_previous`. What a record
    gave then and does not give now (it was deleted or merged away, an element has left its list, a field that decides
    was emptied) is withdrawn.
    """
    living = [record for record in records if not record.is_gone]
    decisions = decide_all_dated(mapping, rows_of(mapping, living), zone=zone, tally=tally)
    earlier = [Record(each.external_id, previous[each.external_id]) for each in records if each.external_id in previous]
    before = ids_of(mapping, earlier, zone)
    gone = ids_of(mapping, [record for record in records if record.is_gone], zone)
    if not mapping.each:
        gone |= {record.external_id for record in records if record.is_gone and is_own_id(mapping)}
    if not before and not gone:
        return decisions
    withdrawn = sorted((before | gone) - {_id_of(each) for each in decisions})
    return replace(
        decisions,
        rows=[*decisions.rows, *repeat(NO_ROW, len(withdrawn))],
        records=[*decisions.records, *({"external_id": each, "deleted": True} for each in withdrawn)],
    )


def origins_of(mapping: StreamMapping, records: Sequence[Record]) -> list[str]:
    """The id of the record behind each row that a mapping reads of these records, by the row's number less one."""
    living = [record for record in records if not record.is_gone]
    if not mapping.each:
        return [record.external_id for record in living]
    return [record.external_id for record in living for _ in elements_of(record.values, mapping.each)]


def needs_previous(mapping: StreamMapping, records: Sequence[Record]) -> bool:
    """Whether some of these records may have given other rows than now; else each is the one row of its own name."""
    own = next((rule.column for rule in mapping.rules if rule.field == "external_id"), None)
    if own is None or mapping.each or mapping.skip_blank:
        return True
    differing = (each for each in records if each.values.get(own) != each.external_id and not each.is_gone)
    return any(text_at(each.values, own) != each.external_id for each in differing)


def latest(records: Iterable[Record]) -> list[Record]:
    """Each record once, as it came last: while pages are read a record may change and come again."""
    return list({record.external_id: record for record in records}.values())


def ids_of(mapping: StreamMapping, records: Sequence[Record], zone: ZoneInfo) -> set[str]:
    """The external ids that these records give, as far as they can be read."""
    return {_id_of(each) for each in decide_dated(mapping, rows_of(mapping, records), zone=zone, tally=Tally())} - {""}


def is_own_id(mapping: StreamMapping) -> bool:
    """Whether what the mapping gives is called as the source's record: its id is one column, not put together."""
    return any(rule.field == "external_id" and rule.column is not None for rule in mapping.rules)


def _id_of(decision: Accepted | Refused) -> str:
    return str(decision.record["external_id"]) if isinstance(decision, Accepted) else decision.external_id
