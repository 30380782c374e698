"""Deciding: rows become records of the bulk contract, or a rejection with its reason. Pure.

Many rows are decided at once, a column at a time: every distinct cell of a column is converted once, so that what
repeats (days, words, names of people) costs next to nothing.
"""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from typing import Any
from zoneinfo import ZoneInfo

from integrations.connectors import values
from integrations.connectors.catalogue import DIVIDING, fields_of, takes_tax
from integrations.connectors.errors import BadValueError
from integrations.connectors.mapping import (
    ATTRIBUTE_PREFIX,
    Accepted,
    Decisions,
    FieldProblem,
    FieldRule,
    Refused,
    Row,
    RowTable,
    StreamMapping,
    Tally,
    referred,
)
from integrations.connectors.values import Cell
from kpis.engine.record_table import RecordTable
from kpis.engine.resources import Field, Kind

ROWS_AT_ONCE = 2_000
_CUSTOM = {
    "": Field(Kind.TEXT),
    "number": Field(Kind.NUMBER),
    "date": Field(Kind.DATE),
    "flag": Field(Kind.FLAG),
}
TEXTUAL = frozenset({Kind.TEXT, Kind.REF, Kind.CURRENCY, Kind.ADDRESS, Kind.DOMAIN})
_ABSENT: Any = object()
# Equal cells of one of these types are the same cell; 1, True and Decimal("1.0") would be equal to one another too.
_TELLING = frozenset({str, int, bool})
Problems = dict[int, list[FieldProblem]]


def decide(
    mapping: StreamMapping, rows: Iterable[Row], *, zone: ZoneInfo, tally: Tally
) -> Iterator[Accepted | Refused]:
    """Each row in turn: a record, a refusal, or nothing (a row to skip, or one that says again what another said).

    Two rows with the same external id and the same content are one record; with different content the later one is
    refused, because which of them is right cannot be known. `tally` counts along. Of ROWS_AT_ONCE the records are
    held; of those before them only a digest.
    """
    reader, seen, coming = _ColumnReader(mapping, zone, tally), _Seen(), iter(rows)
    while some := list(islice(coming, ROWS_AT_ONCE)):
        seen.go_on()
        yield from _decided_together(mapping, some, reader, seen, tally)


def decide_all(mapping: StreamMapping, rows: Sequence[Row], *, zone: ZoneInfo, tally: Tally) -> Decisions:
    """As `decide`, for rows that are held anyway; records that carry the same fields stay columns."""
    decided = _decided_together(mapping, rows, _ColumnReader(mapping, zone, tally), _Seen(), tally)
    return decided if isinstance(decided, Decisions) else Decisions.of(decided)


def _decided_together(
    mapping: StreamMapping, rows: Sequence[Row], reader: _ColumnReader, seen: _Seen, tally: Tally
) -> Decisions | list[Accepted | Refused]:
    """Some rows in turn; as Decisions where each of them became a record."""
    tally.read += len(rows)
    kept = [row for row in rows if not _is_skipped(mapping, row)] if mapping.skip_blank else rows
    tally.skipped += len(rows) - len(kept)
    records, problems = reader.read(kept)
    if not problems and seen.take_all_new(kept, records):
        tally.accepted += len(kept)
        return Decisions(kept, records)
    decided = (
        _decided(row, record, problems.get(index), seen, tally)
        for index, (row, record) in enumerate(zip(kept, records, strict=True))
    )
    return [decision for decision in decided if decision is not None]


def filler(template: str) -> Callable[[Mapping[str, Cell]], str | None]:
    """What puts the texts of cells into a template; nothing where one of them is blank. Raises ValueError.

    >>> fill = filler("{owner.last}/{stage}")
    >>> fill({"owner.last": "青木", "stage": True}), fill({"owner.last": "青木", "stage": ""})
    ('青木/true', None)
    """
    # By hand: a name may have dots, which format() would follow into the value.
    pieces = [(literal, name) for literal, name, _, _ in string.Formatter().parse(template)]
    names = {name for _, name in pieces if name}

    def fill(cells: Mapping[str, Cell]) -> str | None:
        parts = {name: values.text_of(cells.get(name)) for name in names}
        if not all(parts.values()):
            return None
        return "".join(literal + (parts[name] if name else "") for literal, name in pieces)

    return fill


def _is_skipped(mapping: StreamMapping, row: Row) -> bool:
    return any(not values.text_of(row.cells.get(column)) for column in mapping.skip_blank)


def _decided(
    row: Row, record: dict[str, Any], problems: Sequence[FieldProblem] | None, seen: _Seen, tally: Tally
) -> Accepted | Refused | None:
    external_id = _id_of(record)
    if external_id and not problems:
        earlier = seen.earlier(external_id, row, record)
        if earlier is not None and earlier[1]:
            tally.repeated += 1
            return None
        if earlier is not None:
            params = {"value": external_id, "row": earlier[0]}
            problems = [FieldProblem("external_id", "repeated_id", params)]
    if problems:
        tally.refused += 1
        return Refused(row, external_id, tuple(problems))
    tally.accepted += 1
    return Accepted(row, record)


def _id_of(record: Mapping[str, Any]) -> str:
    return str(record.get("external_id") or "")


class _Seen:
    """The records there were already, by external id: those of the rows at hand, and of earlier ones a digest."""

    def __init__(self) -> None:
        self._near: dict[str, tuple[int, dict[str, Any]]] = {}
        self._together: tuple[Sequence[Row], Sequence[dict[str, Any]]] = ((), ())
        self._far: dict[str, tuple[int, bytes]] = {}

    def earlier(self, external_id: str, row: Row, record: dict[str, Any]) -> tuple[int, bool] | None:
        """The number of the row that had this id first, and whether it said the same; None for the first one."""
        if external_id in self._far:
            number, content = self._far[external_id]
            return number, content == _digest(record)
        number, first = self._near.setdefault(external_id, (row.number, record))
        return None if first is record else (number, _digest(first) == _digest(record))

    def take_all_new(self, rows: Sequence[Row], records: Sequence[dict[str, Any]]) -> bool:
        """Note the rows at hand, unless one of them has no id or one that was there before; then nothing is noted."""
        if isinstance(records, RecordTable):
            told = {str(each or "") for each in records.columns.get("external_id", ())}
        else:
            told = set(map(_id_of, records))
        is_new = "" not in told and len(told) == len(records) and told.isdisjoint(self._far)
        if is_new:
            self._together = rows, records
        return is_new

    def go_on(self) -> None:
        """The rows so far are no longer at hand."""
        together = ((row.number, record) for row, record in zip(*self._together, strict=True))
        for number, record in chain(self._near.values(), together):
            self._far[_id_of(record)] = number, _digest(record)
        self._near, self._together = {}, ((), ())


def _digest(record: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(repr(record).encode(), digest_size=16).digest()


class _ColumnReader:
    """Applies the rules of one mapping to many rows."""

    def __init__(self, mapping: StreamMapping, zone: ZoneInfo, tally: Tally) -> None:
        self._mapping = mapping
        self._rules = [_Converter(rule, mapping, zone, tally) for rule in mapping.rules]
        self._lacking = ["attributes", *(rule.field for rule in self._rules if rule.is_optional)]
        self._tax: dict[str, Any] = {}
        if mapping.tax and takes_tax(mapping.resource):
            self._tax = {"tax": mapping.tax}
            if mapping.tax_rate is not None:
                self._tax["tax_rate"] = mapping.tax_rate

    def read(self, rows: Sequence[Row]) -> tuple[Sequence[dict[str, Any]], Problems]:
        """The record of each row, and by place the problems of those that have some."""
        fields: dict[str, Sequence[Any]] = {}
        custom: dict[str, Sequence[Any]] = {}
        problems: Problems = {}
        for rule in self._rules:
            column = rule.column(rows, problems)
            if rule.field.startswith(ATTRIBUTE_PREFIX):
                custom[rule.field.removeprefix(ATTRIBUTE_PREFIX)] = column
            else:
                fields[rule.field] = column
        fields |= {name: [value] * len(rows) for name, value in self._tax.items()}
        if custom:
            fields["attributes"] = [_told(each) or _ABSENT for each in RecordTable(custom, len(rows))]
        table = RecordTable(fields, len(rows))
        if any(_ABSENT in fields[name] for name in self._lacking if name in fields):
            return [
                {name: value for name, value in record.items() if value is not _ABSENT} for record in table
            ], problems
        return table, problems


def _told(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of the fields that are a company's own."""
    return {name: value for name, value in attributes.items() if value not in (None, _ABSENT)}


class _Converter:
    """One rule: what the cells it looks at become."""

    def __init__(self, rule: FieldRule, mapping: StreamMapping, zone: ZoneInfo, tally: Tally) -> None:
        self.field = rule.field
        self.is_optional = rule.optional and bool(rule.columns)
        self._rule = rule
        self._columns = rule.columns
        self._names = frozenset(rule.columns)
        self._tally = tally
        is_custom = rule.field.startswith(ATTRIBUTE_PREFIX)
        self._spec = _CUSTOM[rule.kind] if is_custom else fields_of(mapping.resource)[rule.field]
        self._known = {values.normalise(word): target for word, target in rule.values.items()}
        self._is_translated = bool(rule.values or self._spec.choices or rule.unlisted)
        self._is_text = self._spec.kind in TEXTUAL and not self._is_translated
        typed = _reader_of(self._spec, rule, mapping.date_formats, zone)
        self._typed = _as_attribute(typed) if is_custom and rule.kind else typed

    def column(self, rows: Sequence[Row], problems: Problems) -> list[Any]:
        """The value of each row; what cannot be one is noted among the problems."""
        if not self._columns:
            return [self._rule.constant] * len(rows)
        if not self.is_optional or (isinstance(rows, RowTable) and not self._names.isdisjoint(rows.cells.columns)):
            return self._settled(self._convert(self._cells(rows)), range(len(rows)), problems)
        there = [at for at, row in enumerate(rows) if not self._names.isdisjoint(row.cells)]
        found = [_ABSENT] * len(rows)
        converted = self._convert(self._cells([rows[at] for at in there]))
        for at, value in zip(there, self._settled(converted, there, problems), strict=True):
            found[at] = value
        return found

    def _settled(self, found: list[Any], places: Sequence[int], problems: Problems) -> list[Any]:
        """The values with nothing in place of what cannot be one, which is noted for its row."""
        if BadValueError not in set(map(type, found)):
            return found
        column = " + ".join(self._columns)
        for index, value in enumerate(found):
            if type(value) is BadValueError:
                problem = FieldProblem(self.field, value.code, {"column": column, **value.params})
                problems.setdefault(places[index], []).append(problem)
                found[index] = None
        return found

    def _cells(self, rows: Sequence[Row]) -> Sequence[Cell]:
        if self._rule.template is None:
            name = self._columns[0]
            if isinstance(rows, RowTable):
                return rows.cells.columns[name]
            return [row.cells.get(name) for row in rows]
        fill = filler(self._rule.template)
        return [fill(row.cells) for row in rows]

    def _convert(self, cells: Sequence[Any]) -> list[Any]:
        kinds = set(map(type, cells))
        if kinds == {str} and self._is_text:
            texts = list(map(str.strip, cells))
            if all(texts) and values.EXCEL_ERRORS.isdisjoint(texts):
                return texts  # names and ids: all there, and hardly one of them twice
        kinds -= {type(None)}
        if len(kinds) == 1 and kinds <= _TELLING:
            become = {cell: self._value(cell, count) for cell, count in Counter(cells).items()}
            return list(map(become.__getitem__, cells))
        return [self._value(cell, 1) for cell in cells]

    def _value(self, cell: Cell, count: int) -> Any:
        """The value of a cell that comes `count` times, or why it has none."""
        rule, spec, text = self._rule, self._spec, values.text_of(cell)
        if not text:
            self._tally.blank[rule.field] += count
        if text in values.EXCEL_ERRORS:
            return BadValueError("spreadsheet_error", value=text)
        try:
            value = self._typed(self._translated(text, count) if self._is_translated else cell)
            if value is not None and spec.kind is Kind.REF and values.normalise(text) in self._known:
                value = referred(value)
        except BadValueError as bad:
            return bad
        if spec.is_required and not spec.may_be_null and value in (None, []):
            return BadValueError("required", column=" + ".join(self._columns))
        return value

    def _translated(self, text: str, count: int) -> str | None:
        """The word in our vocabulary; what the map does not name is never guessed."""
        rule, spec, word = self._rule, self._spec, values.normalise(text)
        if word in self._known:
            target = self._known[word]
            if text and target != text:
                self._tally.mapped[rule.field, text, target] += count
            return target or None
        if not text:
            return None
        if text in spec.choices:
            return text
        unlisted = rule.unlisted or ("reject" if spec.choices else "empty" if rule.field in DIVIDING else "keep")
        if unlisted == "keep" and not spec.choices:
            return text
        self._tally.unmapped[rule.field, text] += count
        if unlisted == "empty":
            return None
        if unlisted == "count" and not spec.choices:
            return text
        raise BadValueError("unmapped_value", value=text, column=" + ".join(self._columns))


def _reader_of(spec: Field, rule: FieldRule, formats: Sequence[str], zone: ZoneInfo) -> Callable[[Cell], Any]:
    """What reads a cell as the field's kind of value. The reader raises BadValueError."""
    match spec.kind:
        case Kind.DATE:
            return partial(values.parse_date, formats=formats, zone=zone)
        case Kind.MOMENT:
            return partial(values.parse_moment, formats=formats, zone=zone)
        case Kind.NUMBER:
            return values.parse_number
        case Kind.INTEGER:
            return values.parse_integer
        case Kind.FLAG:
            return values.parse_bool
        case Kind.TEXTS | Kind.REFS:
            return partial(_parts, separator=rule.separator)
        case Kind.TEXT | Kind.REF | Kind.CURRENCY | Kind.ADDRESS | Kind.DOMAIN:
            return _text


def _as_attribute(read: Callable[[Cell], Any]) -> Callable[[Cell], Any]:
    """What reads a cell as a custom field keeps it: as JSON has it."""

    def as_json(cell: Cell) -> Any:
        value = read(cell)
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        return value.isoformat() if isinstance(value, date) else value

    return as_json


def _text(cell: Cell) -> str | None:
    return values.text_of(cell) or None


def _parts(cell: Cell, *, separator: str) -> list[str]:
    return [part for part in (piece.strip() for piece in values.text_of(cell).split(separator)) if part]
