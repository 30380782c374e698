"""Rows out of nested records: a column is a path of names with dots, and a list may give a row for each element."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from operator import itemgetter
from typing import Any

from integrations.connectors.base import Record
from integrations.connectors.mapping import Row, StreamMapping
from integrations.connectors.values import Cell, text_of

SCALARS = (str, int, float, Decimal, datetime, date, time, timedelta)
PLAIN = frozenset({*SCALARS, bool, type(None)})
SEPARATOR = ","


def rows_of(mapping: StreamMapping, records: Sequence[Record]) -> Iterator[Row]:
    """The rows a mapping reads from records, numbered from 1; only the columns it looks at.

    With `each`, the columns below that path are looked up in the element, the others in the record around it.
    """
    columns = mapping.columns
    if not mapping.each:
        pick = _picker(columns)
        yield from map(Row, count(1), (pick(record.values) for record in records))
        return
    prefix = f"{mapping.each}."
    inner = _picker([column.removeprefix(prefix) for column in columns if column.startswith(prefix)])
    outer = _picker([column for column in columns if not column.startswith(prefix)])
    number = 1
    for record in records:
        around = outer(record.values)
        for element in _elements(record.values, mapping.each):
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


def _picker(columns: Sequence[str]) -> Callable[[Any], dict[str, Cell]]:
    """What finds the cells at these paths, those that are there."""

    def follow(values: Any) -> dict[str, Cell]:
        found = ((column, _follow(values, column)) for column in columns)
        return {column: cell_of(value) for column, value in found if value is not _NOTHING}

    if len(columns) < 2 or any("." in column for column in columns):
        return follow
    take, names = itemgetter(*columns), frozenset(columns)

    def pick(values: Any) -> dict[str, Cell]:
        """As `follow`, for the records of most sources: flat, and every field there; often what was asked for alone."""
        if type(values) is dict and values.keys() <= names and PLAIN.issuperset(map(type, values.values())):
            return values
        try:
            cells = take(values)
        except (KeyError, TypeError):
            return follow(values)
        return dict(zip(columns, cells, strict=True)) if PLAIN.issuperset(map(type, cells)) else follow(values)

    return pick


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


def _elements(values: Mapping[str, Any], path: str) -> Sequence[Any]:
    if not path:
        return (values,)
    found = dig(values, path)
    return found if isinstance(found, list) else ()
