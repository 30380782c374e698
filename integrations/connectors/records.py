"""Rows out of nested records: a column is a path of names with dots, and a list may give a row for each element."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from integrations.connectors.base import Record
from integrations.connectors.mapping import Row, StreamMapping
from integrations.connectors.values import Cell

SCALARS = (str, int, float, Decimal, datetime, date, time, timedelta)
SEPARATOR = ","


def rows_of(mapping: StreamMapping, records: Sequence[Record], *, first: int = 1) -> Iterator[Row]:
    """The rows a mapping reads from records, numbered from `first`; only the columns it looks at.

    With `each`, the columns below that path are looked up in the element, the others in the record around it.
    """
    number = first
    prefix = f"{mapping.each}." if mapping.each else ""
    for record in records:
        for element in _elements(record.values, mapping.each):
            cells: dict[str, Cell] = {}
            for column in mapping.columns:
                inner = prefix and column.startswith(prefix)
                where, path = (element, column.removeprefix(prefix)) if inner else (record.values, column)
                if has_path(where, path):
                    cells[column] = cell_of(dig(where, path))
            yield Row(number, cells)
            number += 1


def dig(values: Any, path: str) -> Any:
    """What lies at a path: names with dots between, numbers for places in a list; None where there is nothing.

    >>> dig({"owner": {"name": "青木"}, "lines": [{"a": 1}]}, "owner.name"), dig({"lines": [{"a": 1}]}, "lines.0.a")
    ('青木', 1)
    """
    found = _follow(values, path)
    return None if found is _NOTHING else found


def has_path(values: Any, path: str) -> bool:
    """Whether there is something at a path, an empty value included."""
    return _follow(values, path) is not _NOTHING


def cell_of(value: Any) -> Cell:
    """A value as a mapping reads it: a list of words is one text with commas, anything nested is JSON."""
    if value is None or isinstance(value, SCALARS):
        return value
    if isinstance(value, list) and all(isinstance(part, SCALARS) for part in value):
        return SEPARATOR.join(str(part) for part in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


_NOTHING = object()


def _follow(values: Any, path: str) -> Any:
    if isinstance(values, Mapping) and path in values:
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


def _elements(values: Mapping[str, Any], path: str) -> Sequence[Any]:
    if not path:
        return (values,)
    found = dig(values, path)
    return found if isinstance(found, list) else ()
