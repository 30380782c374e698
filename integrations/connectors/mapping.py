"""How rows of a source become records of the bulk contract: rules, rows, and what is decided of each. Pure."""

from __future__ import annotations

import dataclasses
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Literal, NamedTuple, overload

from integrations.connectors import values
from integrations.connectors.catalogue import fields_of, resource_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.values import Cell
from kpis.engine.record_table import RecordTable

Unlisted = Literal["keep", "count", "empty", "reject"]
ATTRIBUTE_PREFIX = "attributes."
CUSTOM_KINDS = ("", "number", "date", "flag")
_ELSEWHERE = re.compile(r"(?P<source>[a-z0-9][a-z0-9_-]{0,59})::(?P<external_id>.+)", re.DOTALL)


@dataclass(frozen=True)
class FieldRule:
    """Where one canonical field comes from: a column, a template over columns, or a constant.

    `values` maps words of the source to ours (an empty string means *no value*). `unlisted` says what happens to a
    word that the map does not name: kept as it is, kept and counted as unmapped, left empty and counted, or the record
    is rejected.

    A reference may be to a record of another source: what a word means is then written by `elsewhere`. `kind` is the
    type of a custom field's values: text where it says nothing.

    `earlier` are maps that were meant before: each has `values`, and `until` (exclusive) the day to which they count;
    the column `dated_by` says which day a record is of. They are applied by integrations.connectors.eras.
    """

    field: str
    column: str | None = None
    template: str | None = None
    constant: Any = None
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unlisted: Unlisted | None = None
    separator: str = ","
    optional: bool = False
    dated_by: str = ""
    earlier: Sequence[Mapping[str, Any]] = ()
    kind: str = ""

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

    `reads` names where rows come from: a file name pattern, or a stream of a source. With `headings` it is the name of
    a kind of file that is known by these, whatever the file is called. `each` is the path of a list inside the
    source's records, of which every element is a row; '' reads each record as one row.
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
    headings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the mapping looks at, in the order of the rules."""
        days = [rule.dated_by for rule in self.rules if rule.dated_by]
        return tuple(dict.fromkeys([*(name for rule in self.rules for name in rule.columns), *self.skip_blank, *days]))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        names = [name for rule in self.rules if not rule.optional for name in rule.columns]
        return tuple(dict.fromkeys([*names, *self.skip_blank]))


# There is one of these for every record that comes: a tuple is made in a third of the time of another frozen class.
class Row(NamedTuple):
    """One line of a table: `number` as the person sees it in a spreadsheet, cells by heading."""

    number: int
    cells: Mapping[str, Cell]

    @property
    def as_text(self) -> dict[str, str]:
        """The cells as the person sees them."""
        return {heading: values.text_of(cell) for heading, cell in self.cells.items()}


@dataclass(frozen=True, slots=True)
class RowTable(Sequence[Row]):
    """Rows that have the same columns, numbered from 1 and held as columns."""

    cells: RecordTable

    def __len__(self) -> int:
        return len(self.cells)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return list(self)[place]
        return Row(range(1, len(self) + 1)[place], self.cells[place])

    def __iter__(self) -> Iterator[Row]:
        return map(Row, count(1), self.cells)


@dataclass(frozen=True)
class FieldProblem:
    """Why a field was refused; `code` and `params` name the sentence."""

    field: str
    code: str
    params: Mapping[str, Any]


class Accepted(NamedTuple):
    """A row that became a record."""

    row: Row
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not, and every reason."""

    row: Row
    external_id: str
    problems: tuple[FieldProblem, ...]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What many rows became: the records with their rows, place by place, and the rows that were refused."""

    rows: Sequence[Row]
    records: Sequence[Mapping[str, Any]]
    refused: Sequence[Refused] = ()

    @classmethod
    def of(cls, decisions: Iterable[Accepted | Refused]) -> Decisions:
        accepted: list[Accepted] = []
        refused: list[Refused] = []
        for each in decisions:
            if isinstance(each, Accepted):
                accepted.append(each)
            else:
                refused.append(each)
        return cls([each.row for each in accepted], [each.record for each in accepted], refused)

    def __iter__(self) -> Iterator[Accepted | Refused]:
        yield from map(Accepted, self.rows, self.records)
        yield from self.refused


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
        if rule.kind not in CUSTOM_KINDS or (rule.kind and not rule.field.startswith(ATTRIBUTE_PREFIX)):
            raise ConnectorError("config", "bad_field_type", field=rule.field, type=rule.kind)
        if rule.earlier and (not rule.dated_by or not all(_is_era(each) for each in rule.earlier)):
            raise ConnectorError("config", "bad_earlier", field=rule.field)
    for name, spec in fields.items():
        if spec.is_required and name not in named:
            raise ConnectorError("config", "field_not_mapped", field=name, resource=mapping.resource)


def elsewhere(source: str, external_id: str) -> str:
    """How a value map names a record of another source.

    >>> elsewhere("crm", "P1"), referred("crm::P1"), referred("P1")
    ('crm::P1', {'source': 'crm', 'external_id': 'P1'}, 'P1')
    """
    return f"{source}::{external_id}"


def referred(target: str) -> str | dict[str, str]:
    """What a value map names, as a record refers to it: an id, or source and id of a record of another source."""
    found = _ELSEWHERE.fullmatch(target)
    return found.groupdict() if found else target


def _is_era(earlier: object) -> bool:
    """Whether this is a value map with the day on which it ended."""
    if not isinstance(earlier, Mapping) or not isinstance(earlier.get("values"), Mapping):
        return False
    try:
        date.fromisoformat(earlier.get("until", ""))
    except (TypeError, ValueError):
        return False
    return all(isinstance(meaning, str) for meaning in earlier["values"].values())


def check_columns(mapping: StreamMapping, headings: Sequence[str], *, file: str) -> None:
    """Refuse a file without a column the mapping needs, naming what is missing and what is there."""
    there = {values.normalise(heading) for heading in headings}
    missing = [name for name in mapping.needed_columns if values.normalise(name) not in there]
    if missing:
        raise ConnectorError(
            "data", "missing_column", file=file, columns="、".join(missing), found="、".join(h for h in headings if h)
        )
