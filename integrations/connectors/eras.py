"""Value maps that changed on a day: what a source said before is understood as it was meant then. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from zoneinfo import ZoneInfo

from integrations.connectors.deciding import decide, decide_all
from integrations.connectors.errors import BadValueError
from integrations.connectors.mapping import Accepted, Decisions, FieldRule, Refused, Row, StreamMapping, Tally
from integrations.connectors.values import parse_date

Era = tuple[int | None, ...]
"""For each rule with earlier maps which of them is meant; None: the one in force now."""


def decide_dated(
    mapping: StreamMapping, rows: Iterable[Row], *, zone: ZoneInfo, tally: Tally
) -> Iterator[Accepted | Refused]:
    """As `decide`, each row by the value maps that were in force on its day.

    A row without a day, or with one that cannot be read, is understood as of now.
    """
    dated = [rule for rule in mapping.rules if rule.earlier]
    if not dated:
        yield from decide(mapping, rows, zone=zone, tally=tally)
        return
    for era, some in groupby(rows, key=lambda row: tuple(_era(mapping, rule, row, zone) for rule in dated)):
        yield from decide(_as_of(mapping, dated, era), some, zone=zone, tally=tally)


def decide_all_dated(mapping: StreamMapping, rows: Sequence[Row], *, zone: ZoneInfo, tally: Tally) -> Decisions:
    """As `decide_dated`, for rows that are held anyway."""
    if any(rule.earlier for rule in mapping.rules):
        return Decisions.of(decide_dated(mapping, rows, zone=zone, tally=tally))
    return decide_all(mapping, rows, zone=zone, tally=tally)


def _era(mapping: StreamMapping, rule: FieldRule, row: Row, zone: ZoneInfo) -> int | None:
    try:
        day = parse_date(row.cells.get(rule.dated_by), formats=mapping.date_formats, zone=zone)
    except BadValueError:
        return None
    ended = [] if day is None else [n for n, each in enumerate(rule.earlier) if day < date.fromisoformat(each["until"])]
    return min(ended, key=lambda n: str(rule.earlier[n]["until"]), default=None)


def _as_of(mapping: StreamMapping, dated: Sequence[FieldRule], era: Era) -> StreamMapping:
    maps = {
        rule.field: rule.values if number is None else rule.earlier[number]["values"]
        for rule, number in zip(dated, era, strict=True)
    }
    rules = tuple(replace(rule, values=maps.get(rule.field, rule.values)) for rule in mapping.rules)
    return replace(mapping, rules=rules)
