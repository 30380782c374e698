"""Rows out of nested records: a column is a path of names with dots, and a list may give a row for each element."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

from integrations.connectors.base import Record
from integrations.connectors.mapping import Row, RowTable, StreamMapping
from integrations.connectors.values import Cell, text_of
from kpis.engine.record_table import RecordTable

SCALARS = (str, int, float, Decimal, datetime, date, time, timedelta)
_THERE = frozenset({*SCALARS, bool})
PLAIN = _THERE | {type(None)}
SEPARATOR = ","


def rows_of(mapping: StreamMapping, records: Sequence[Record]) -> Sequence[Row]:
    """The rows a mapping reads from records, numbered from 1; only the columns it looks at.

    With `each`, the columns below that path are looked up in the element, the others in the record around it.
    """
    if mapping.each:
        return list(_rows_of_elements(mapping, records))
    table = _flat(mapping.columns, records)
    if table is not None:
        return RowTable(table)
    follow = _follower(mapping.columns)
    return [Row(number, follow(record.values)) for number, record in enumerate(records, 1)]


def _rows_of_elements(mapping: StreamMapping, records: Sequence[Record]) -> Iterator[Row]:
    columns, prefix = mapping.columns, f"{mapping.each}."
    inner = _follower([column.removeprefix(prefix) for column in columns if column.startswith(prefix)])
    outer = _follower([column for column in columns if not column.startswith(prefix)])
    number = 1
    for record in records:
        around = outer(record.values)
        for element in elements_of(record.values, mapping.each):
            within = {f"{prefix}{name}": cell for name, cell in inner(element).items()}
            cells = {**around, **within}
            yield Row(number, {column: cells[column] for column in columns if column in cells})
            number += 1


def dig(values: Any, path: str) -> Any:
    """What lies at a path: names with dots between, numbers for places in a list; None where there is nothing.

    >>> dig({"owner": {"name": "青木"}, "lines": [{"a": 1}]}, "owner.name"), dig({"lines": [{"a": 1}]}, "lines.0.a")
    ('青木', 1)
    """
    found = _follow(values, path)
    return None if found is _NOTHING else found


def text_at(values: Mapping[str, Any], path: str) -> str:
    """What lies at a path as a text; '' where there is nothing."""
    return text_of(cell_of(dig(values, path)))


def cells_at(rows: Sequence[Mapping[str, Any]], path: str) -> list[Cell]:
    """What lies at a path of each row, as a mapping reads it."""
    found = [row.get(path) for row in rows]
    if _THERE.issuperset(map(type, found)):
        return found
    return [cell_of(dig(row, path)) for row in rows]


def texts_at(rows: Sequence[Mapping[str, Any]], path: str) -> list[str]:
    """What lies at a path of each row as a text; '' where there is nothing."""
    cells = cells_at(rows, path)
    return list(map(str.strip if {str}.issuperset(map(type, cells)) else text_of, cells))  # type: ignore[arg-type]


def has_path(values: Any, path: str) -> bool:
    """Whether there is something at a path, an empty value included."""
    return _follow(values, path) is not _NOTHING


def cell_of(value: Any) -> Cell:
    """A value as a mapping reads it: a list of words is one text with commas, anything nested is JSON."""
    if type(value) in PLAIN or isinstance(value, SCALARS):
        return value  # type: ignore[no-any-return]
    if isinstance(value, list) and all(isinstance(part, SCALARS) for part in value):
        return SEPARATOR.join(str(part) for part in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


_NOTHING = object()


def _flat(columns: Sequence[str], records: Sequence[Record]) -> RecordTable | None:
    """The cells of records as most sources give them: flat, and every field there. None for any others."""
    if len(columns) < 2 or any("." in column for column in columns):
        return None
    try:
        found = list(map(itemgetter(*columns), (record.values for record in records)))
    except (KeyError, TypeError):
        return None
    cells = zip(columns, zip(*found, strict=True), strict=True) if found else ((column, ()) for column in columns)
    return RecordTable(
        {
            column: some if PLAIN.issuperset(map(type, some)) else [cell_of(value) for value in some]
            for column, some in cells
        },
        len(records),
    )


def _follower(columns: Sequence[str]) -> Callable[[Any], Mapping[str, Cell]]:
    """What finds the cells at these paths, those that are there."""

    names = frozenset(columns)

    def follow(values: Any) -> Mapping[str, Cell]:
        if type(values) is dict and values.keys() <= names and PLAIN.issuperset(map(type, values.values())):
            return values  # what was asked for alone, as most sources give it
        found = ((column, _follow(values, column)) for column in columns)
        return {column: cell_of(value) for column, value in found if value is not _NOTHING}

    return follow


def _follow(values: Any, path: str) -> Any:
    if (type(values) is dict or isinstance(values, Mapping)) and path in values:
        return values[path]
    here = values
    for name in path.split("."):
        if isinstance(here, Mapping) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isdigit() and int(name) < len(here):
            here = here[int(name)]
        else:
            return _NOTHING
    return here


def elements_of(values: Mapping[str, Any], path: str) -> Sequence[Any]:
    """The elements of the list at a path, of which each is a row; none where there is no list."""
    if not path:
        return (values,)
    found = dig(values, path)
    return found if isinstance(found, list) else ()
