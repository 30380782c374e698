"""Deciding: rows of a source become records of the bulk contract, or a rejection with its reason. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from integrations.connectors import values
from integrations.connectors.catalogue import DIVIDING, fields_of, resource_of, takes_tax
from integrations.connectors.errors import BadValueError, ConnectorError
from integrations.connectors.values import Cell
from kpis.engine.resources import Field, Kind

Unlisted = Literal["keep", "empty", "reject"]
ATTRIBUTE_PREFIX = "attributes."
_CUSTOM = Field(Kind.TEXT)


@dataclass(frozen=True)
class FieldRule:
    """Where one canonical field comes from: a column, a template over columns, or a constant.

    `values` maps words of the source to ours (an empty string means *no value*). `unlisted` says what happens to a
    word that the map does not name: kept as it is, left empty and counted, or the record is rejected.
    """

    field: str
    column: str | None = None
    template: str | None = None
    constant: Any = None
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unlisted: Unlisted | None = None
    separator: str = ","
    optional: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        if self.column is not None:
            return (self.column,)
        if self.template is not None:
            return tuple(name for _, name, _, _ in string.Formatter().parse(self.template) if name)
        return ()


@dataclass(frozen=True)
class StreamMapping:
    """How one kind of row becomes records of one resource.

    `reads` names where rows come from: a file name pattern, or a stream of a source. `each` is the path of a list
    inside the source's records, of which every element is a row; '' reads each record as one row.
    """

    stream: str
    resource: str
    position: int
    reads: str
    rules: tuple[FieldRule, ...]
    sheet: str = ""
    encoding: str = ""
    date_formats: tuple[str, ...] = ()
    skip_blank: tuple[str, ...] = ()
    each: str = ""
    tax: str = ""
    tax_rate: Decimal | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the mapping looks at, in the order of the rules."""
        return tuple(dict.fromkeys([*(name for rule in self.rules for name in rule.columns), *self.skip_blank]))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        names = [name for rule in self.rules if not rule.optional for name in rule.columns]
        return tuple(dict.fromkeys([*names, *self.skip_blank]))


@dataclass(frozen=True)
class Row:
    """One line of a table: `number` as the person sees it in a spreadsheet, cells by heading."""

    number: int
    cells: Mapping[str, Cell]

    @property
    def as_text(self) -> dict[str, str]:
        """The cells as the person sees them."""
        return {heading: values.text_of(cell) for heading, cell in self.cells.items()}


@dataclass(frozen=True)
class FieldProblem:
    """Why a field was refused; `code` and `params` name the sentence."""

    field: str
    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Accepted:
    """A row that became a record."""

    row: Row
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """A row that did not, and every reason."""

    row: Row
    external_id: str
    problems: tuple[FieldProblem, ...]


@dataclass
class Tally:
    """What was seen while deciding; nothing that was changed, left out or not understood goes uncounted."""

    read: int = 0
    accepted: int = 0
    refused: int = 0
    skipped: int = 0
    repeated: int = 0
    blank: Counter[str] = dataclasses.field(default_factory=Counter)
    mapped: Counter[tuple[str, str, str]] = dataclasses.field(default_factory=Counter)
    unmapped: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)

    def as_report(self) -> dict[str, Any]:
        """The tally as plain JSON."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "refused": self.refused,
            "skipped": self.skipped,
            "repeated": self.repeated,
            "blank": dict(self.blank),
            "mapped": [{"field": f, "from": a, "to": b, "count": n} for (f, a, b), n in self.mapped.most_common()],
            "unmapped": [{"field": f, "value": v, "count": n} for (f, v), n in self.unmapped.most_common()],
        }


def decide(
    mapping: StreamMapping, rows: Iterable[Row], *, zone: ZoneInfo, tally: Tally
) -> Iterator[Accepted | Refused]:
    """Each row in turn: a record, a refusal, or nothing (a row to skip, or one that says again what another said).

    Two rows with the same external id and the same content are one record; with different content the later one is
    refused, because which of them is right cannot be known. `tally` counts along.
    """
    reader = _RowReader(mapping, zone, tally)
    first_seen: dict[str, tuple[int, bytes]] = {}
    for row in rows:
        tally.read += 1
        if any(not values.text_of(row.cells.get(column)) for column in mapping.skip_blank):
            tally.skipped += 1
            continue
        record, problems = reader.read(row)
        external_id = str(record.get("external_id") or "")
        if external_id and not problems:
            content = hashlib.blake2b(repr(record).encode(), digest_size=16).digest()
            first_row, first_content = first_seen.setdefault(external_id, (row.number, content))
            if first_row != row.number and first_content == content:
                tally.repeated += 1
                continue
            if first_row != row.number:
                problems = [FieldProblem("external_id", "repeated_id", {"value": external_id, "row": first_row})]
        if problems:
            tally.refused += 1
            yield Refused(row, external_id, tuple(problems))
        else:
            tally.accepted += 1
            yield Accepted(row, record)


class _RowReader:
    """Applies the rules of one mapping to one row at a time."""

    def __init__(self, mapping: StreamMapping, zone: ZoneInfo, tally: Tally) -> None:
        self._mapping = mapping
        self._zone = zone
        self._tally = tally
        self._fields = fields_of(mapping.resource)
        self._takes_tax = takes_tax(mapping.resource)
        self._maps = {
            rule.field: {values.normalise(source): target for source, target in rule.values.items()}
            for rule in mapping.rules
        }

    def read(self, row: Row) -> tuple[dict[str, Any], list[FieldProblem]]:
        record: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        problems: list[FieldProblem] = []
        for rule in self._mapping.rules:
            if rule.optional and rule.columns and not any(column in row.cells for column in rule.columns):
                continue
            try:
                value = self._value(rule, row)
            except BadValueError as bad:
                problems.append(FieldProblem(rule.field, bad.code, bad.params))
                continue
            if rule.field.startswith(ATTRIBUTE_PREFIX):
                if value is not None:
                    attributes[rule.field.removeprefix(ATTRIBUTE_PREFIX)] = value
            else:
                record[rule.field] = value
        if attributes:
            record["attributes"] = attributes
        if self._mapping.tax and self._takes_tax:
            record["tax"] = self._mapping.tax
            if self._mapping.tax_rate is not None:
                record["tax_rate"] = self._mapping.tax_rate
        return record, problems

    def _value(self, rule: FieldRule, row: Row) -> Any:
        spec = _CUSTOM if rule.field.startswith(ATTRIBUTE_PREFIX) else self._fields[rule.field]
        if not rule.columns:
            return rule.constant
        cell = self._cell(rule, row)
        if not values.text_of(cell):
            self._tally.blank[rule.field] += 1
        if rule.values or spec.choices:
            cell = self._translated(rule, spec, values.text_of(cell))
        value = _typed(spec, cell, rule, self._mapping.date_formats, self._zone)
        if value in (None, []) and spec.is_required and not spec.may_be_null:
            raise BadValueError("required", column=" + ".join(rule.columns))
        return value

    def _cell(self, rule: FieldRule, row: Row) -> Cell:
        if rule.template is None:
            return row.cells.get(rule.columns[0])
        parts = {name: values.text_of(row.cells.get(name)) for name in rule.columns}
        if not all(parts.values()):
            return None
        # By hand: a name may have dots, which format() would follow into the value.
        pieces = string.Formatter().parse(rule.template)
        return "".join(literal + (parts[name] if name else "") for literal, name, _, _ in pieces)

    def _translated(self, rule: FieldRule, spec: Field, text: str) -> str | None:
        """The word in our vocabulary; what the map does not name is never guessed."""
        word = values.normalise(text)
        known = self._maps[rule.field]
        if word in known:
            target = known[word]
            if text and target != text:
                self._tally.mapped[rule.field, text, target] += 1
            return target or None
        if not text:
            return None
        if text in spec.choices:
            return text
        unlisted = rule.unlisted or ("reject" if spec.choices else "empty" if rule.field in DIVIDING else "keep")
        if unlisted == "keep" and not spec.choices:
            return text
        self._tally.unmapped[rule.field, text] += 1
        if unlisted == "empty":
            return None
        raise BadValueError("unmapped_value", value=text, column=" + ".join(rule.columns))


def _typed(spec: Field, cell: Cell, rule: FieldRule, formats: Sequence[str], zone: ZoneInfo) -> Any:
    match spec.kind:
        case Kind.DATE:
            return values.parse_date(cell, formats=formats, zone=zone)
        case Kind.MOMENT:
            return values.parse_moment(cell, formats=formats, zone=zone)
        case Kind.NUMBER:
            return values.parse_number(cell)
        case Kind.INTEGER:
            return values.parse_integer(cell)
        case Kind.FLAG:
            return values.parse_bool(cell)
        case Kind.TEXTS | Kind.REFS:
            return [part for part in (piece.strip() for piece in values.text_of(cell).split(rule.separator)) if part]
        case Kind.TEXT | Kind.REF | Kind.CURRENCY | Kind.ADDRESS | Kind.DOMAIN:
            return values.text_of(cell) or None


def check_mapping(mapping: StreamMapping) -> None:
    """Refuse a mapping that cannot work. Raises ConnectorError of kind config."""
    if resource_of(mapping.resource) is None:
        raise ConnectorError("config", "unknown_resource", resource=mapping.resource, stream=mapping.stream)
    fields = fields_of(mapping.resource)
    named = {rule.field for rule in mapping.rules}
    for rule in mapping.rules:
        if rule.field not in fields and not rule.field.startswith(ATTRIBUTE_PREFIX):
            raise ConnectorError("config", "unknown_field", field=rule.field, resource=mapping.resource)
        try:
            _ = rule.columns
        except ValueError:
            raise ConnectorError("config", "bad_template", template=rule.template) from None
    for name, spec in fields.items():
        if spec.is_required and name not in named:
            raise ConnectorError("config", "field_not_mapped", field=name, resource=mapping.resource)


def check_columns(mapping: StreamMapping, headings: Sequence[str], *, file: str) -> None:
    """Refuse a file without a column the mapping needs, naming what is missing and what is there."""
    there = {values.normalise(heading) for heading in headings}
    missing = [name for name in mapping.needed_columns if values.normalise(name) not in there]
    if missing:
        raise ConnectorError(
            "data", "missing_column", file=file, columns="、".join(missing), found="、".join(h for h in headings if h)
        )
