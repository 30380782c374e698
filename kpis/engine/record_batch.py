"""Reading many records at once: each one becomes a typed row, or is rejected with its reasons.

Records that carry the same fields are read a column at a time, every distinct value of a column once, and are handed on
as columns. Where anything about a record is not plainly right, it is read again by itself, which finds all its faults.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.record_table import RecordTable
from kpis.engine.records import ID_LENGTH, SOURCE_LENGTH, RecordReader, Row, is_storable, storable
from kpis.engine.resources import Field, Kind, Resource

_DUPLICATE = Issue(
    "external_id", "duplicate", gettext_noop("The same external_id comes again later in this list; that one was used.")
)
_COMMON = frozenset({"external_id", "attributes", "source_url", "source_updated_at"})
# Equal values of one of these types read alike; 1, True and Decimal("1.0") would be equal to one another too.
_TELLING = frozenset({str, int, bool, date, datetime, Decimal})
_FAULTY: Any = object()


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that was not stored, and why."""

    index: int
    external_id: str | None
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Valid rows that carry the same fields, each of them a column in the order of `indexes` (see Row).

    `attributes` and `source_urls` are None where none of the rows has any; else each of them does.
    """

    indexes: Sequence[int]
    external_ids: Sequence[str]
    values: Mapping[str, Sequence[Any]]
    refs: Mapping[str, Sequence[Any]]
    is_deleted: bool
    attributes: Sequence[Mapping[str, Any]] | None
    source_urls: Sequence[str] | None
    updated_at: Sequence[datetime | None]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "RowGroup":
        """Some rows that carry the same fields."""
        first = rows[0]
        return cls(
            [row.index for row in rows],
            [row.external_id for row in rows],
            {name: [row.values[name] for row in rows] for name in first.values},
            {name: [row.refs[name] for row in rows] for name in first.refs},
            first.is_deleted,
            None if first.attributes is None else [row.attributes or {} for row in rows],
            None if first.source_url is None else [row.source_url or "" for row in rows],
            [row.source_updated_at for row in rows],
        )

    def __len__(self) -> int:
        return len(self.indexes)

    def rows(self) -> Iterator[Row]:
        count = len(self)
        nothing: Sequence[Any] = [None] * count
        values, refs = RecordTable(self.values, count), RecordTable(self.refs, count)
        deleted = [self.is_deleted] * count
        more = (self.attributes or nothing, self.source_urls or nothing, self.updated_at)
        return map(Row, self.indexes, self.external_ids, values, refs, deleted, *more)

    def only(self, places: Sequence[int]) -> "RowGroup":
        """The rows at these places."""
        if len(places) == len(self):
            return self

        def some(column: Sequence[Any]) -> list[Any]:
            return [column[at] for at in places]

        return RowGroup(
            some(self.indexes),
            some(self.external_ids),
            {name: some(column) for name, column in self.values.items()},
            {name: some(column) for name, column in self.refs.items()},
            self.is_deleted,
            None if self.attributes is None else some(self.attributes),
            None if self.source_urls is None else some(self.source_urls),
            some(self.updated_at),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a list of records came to; every record is in exactly one of the two."""

    groups: tuple[RowGroup, ...]
    rejections: tuple[Rejection, ...]

    @property
    def count(self) -> int:
        """How many records are valid."""
        return sum(map(len, self.groups))

    @property
    def rows(self) -> tuple[Row, ...]:
        """The valid records in the order in which they came."""
        return tuple(sorted((row for group in self.groups for row in group.rows()), key=lambda row: row.index))


def _unread(_address: str) -> str:
    return ""


def read_records(
    resource: Resource,
    records: Iterable[object],
    *,
    source: str,
    currency: str,
    seal: Callable[[str], str] = _unread,
) -> Reading:
    """Read records of one resource as CONTRACT "Bulk facts" writes them; alike ones may come as a RecordTable.

    A bare reference means the same `source`. Amounts sent with tax come out without, rounded half up to the unit of
    the record's currency (else `currency`). An e-mail address comes out as what `seal` makes of it, without as nothing.
    Of records with the same external id the last one counts and the earlier ones are rejected, so that nothing
    disappears unsaid.

    >>> from kpis.engine.resources import RESOURCES
    >>> reading = read_records(RESOURCES["products"], [{"external_id": "P1", "name": "Box"}, {"name": "?"}],
    ...                        source="crm", currency="JPY")
    >>> reading.rows[0].values
    {'name': 'Box'}
    >>> [issue.message for issue in reading.rejections[0].issues]
    ['external_id is missing. Send the id that the source gave the record.']
    """
    reader = _Columns(RecordReader(resource, source=source, currency=currency, seal=seal))
    groups, rejections = reader.read(records if isinstance(records, RecordTable) else list(records))
    groups, repeated = _without_repeated(groups)
    return Reading(tuple(groups), tuple(sorted([*rejections, *repeated], key=lambda each: each.index)))


def _without_repeated(groups: list[RowGroup]) -> tuple[list[RowGroup], list[Rejection]]:
    """The rows without those of which the same external id comes again later."""
    last: dict[str, int] = {}
    for group in groups:
        for external_id, index in zip(group.external_ids, group.indexes, strict=True):
            last[external_id] = max(index, last.get(external_id, 0))
    if len(last) == sum(map(len, groups)):
        return groups, []
    kept, rejections = [], []
    for group in groups:
        told = list(zip(group.external_ids, group.indexes, strict=True))
        places = [at for at, (external_id, index) in enumerate(told) if last[external_id] == index]
        kept += [group.only(places)] if places else []
        rejections += [
            Rejection(index, external_id, (_DUPLICATE,)) for external_id, index in told if last[external_id] != index
        ]
    return kept, rejections


class _Columns:
    """Reads records of one resource by their columns."""

    def __init__(self, reader: RecordReader) -> None:
        self.reader = reader
        self.resource = reader.resource
        self.source = reader.source
        self.fault_count = 0

    def read(self, records: Sequence[object]) -> tuple[list[RowGroup], list[Rejection]]:
        """What the records came to; the same external id may come several times."""
        groups = [
            group
            for indexes, table in _tables(records)
            if self.is_plain(table)
            for group in self.groups(indexes, table)
        ]
        rows: list[Row] = []
        rejections: list[Rejection] = []
        for index in sorted({*range(len(records))}.difference(*(group.indexes for group in groups))):
            found = self.alone(index, records[index])
            if isinstance(found, Rejection):
                rejections.append(found)
            else:
                rows.append(found)
        return [*groups, *_grouped(rows)], rejections

    def is_plain(self, table: RecordTable) -> bool:
        """Whether records with these fields can be right at all; a deletion is looked at by itself."""
        fields, there = self.resource.fields, set(table.columns)
        needed = {name for name, spec in fields.items() if spec.is_required} | {"external_id"}
        return needed <= there and there <= fields.keys() | _COMMON

    def groups(self, indexes: Sequence[int], table: RecordTable) -> list[RowGroup]:
        """The rows of records with the same fields, without those that have a fault somewhere."""
        self.fault_count = 0
        reader, raws, nothing = self.reader, table.columns, [None] * len(table)
        values: dict[str, list[Any]] = {}
        refs: dict[str, list[Any]] = {}
        for name, spec in self.resource.fields.items():
            if name in raws:
                column = self.texts(raws[name], spec) or self.column(raws[name], partial(reader.field, name, spec))
                (refs if spec.is_reference else values)[name] = column
        external_ids = _plain_texts(raws["external_id"], ID_LENGTH)
        common: list[list[Any]] = [
            external_ids or self.column(raws["external_id"], reader.external_id),
            *(
                self.column(raws[name], read) if name in raws else nothing
                for name, read in (
                    ("attributes", reader.attributes),
                    ("source_url", reader.url),
                    ("source_updated_at", partial(reader.moment, "source_updated_at")),
                )
            ),
        ]
        is_taxed = any(name in values for name in self.resource.taxed)
        if is_taxed and not self.fault_count:
            is_taxed = not self.take_tax_off(values)
        external_ids, attributes, urls, updated_at = common
        group = RowGroup(indexes, external_ids, values, refs, False, attributes, urls, updated_at)
        if self.fault_count:
            faulty = _places_of_faults([*values.values(), *refs.values(), *common])
            group = group.only([at for at in range(len(table)) if at not in faulty])
        if is_taxed:
            rows = list(group.rows())
            for row in rows:
                reader.take_tax_off(row.values)
            return _grouped(rows)
        return _split(group)

    def take_tax_off(self, values: dict[str, list[Any]]) -> bool:
        """Make the amounts of rows net at once; False, and nothing is done, where not all of them have one."""
        taxed = [name for name in self.resource.taxed if name in values]
        if not all(set(map(type, values[name])) == {Decimal} for name in taxed):
            return False
        for name in ("currency", "tax", "tax_rate"):
            values.setdefault(name, [None] * len(values[taxed[0]]))
        rules = list(zip(values["currency"], values["tax"], values["tax_rate"], strict=True))
        is_one_rule = len(set(rules)) == 1
        for name in taxed:
            if is_one_rule:
                nets = {amount: self.reader.net(amount, *rules[0]) for amount in set(values[name])}
                values[name] = [nets[amount] for amount in values[name]]
            else:
                values[name] = [
                    self.reader.net(amount, *rule) for amount, rule in zip(values[name], rules, strict=True)
                ]
        return True

    def column(self, raws: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
        kinds = set(map(type, raws)) - {type(None)}
        if len(kinds) != 1 or not kinds <= _TELLING:
            return [self.value(raw, read) if is_storable(raw) else self.fault() for raw in raws]
        distinct = set(raws)
        if str in kinds and not is_storable("".join(raw for raw in distinct if raw is not None)):
            become = {raw: self.value(raw, read) if is_storable(raw) else self.fault() for raw in distinct}
        else:
            become = {raw: self.value(raw, read) for raw in distinct}
        return [become[raw] for raw in raws]

    def texts(self, raws: Sequence[Any], spec: Field) -> list[Any] | None:
        """A column of plain texts or bare references of which every one is there and fits; None for any other."""
        if spec.kind not in {Kind.TEXT, Kind.REF} or spec.choices:
            return None
        stripped = _plain_texts(raws, ID_LENGTH if spec.is_reference else spec.length)
        if stripped is None or not spec.is_reference:
            return stripped
        if not 0 < len(self.source.strip()) == len(self.source) <= SOURCE_LENGTH:
            return None
        become = {external_id: [self.source, external_id] for external_id in set(stripped)}
        return [become[external_id] for external_id in stripped]

    def value(self, raw: Any, read: Callable[[Any], Any]) -> Any:
        """What a value reads as; _FAULTY where it cannot be read."""
        value = read(raw)
        if not self.reader.issues:
            return value
        self.reader.issues.clear()
        return self.fault()

    def fault(self) -> Any:
        self.fault_count += 1
        return _FAULTY

    def alone(self, index: int, record: object) -> Row | Rejection:
        reader = replace(self.reader, issues=[])
        row = reader.row(index, record)
        if row is not None and not reader.issues:
            return row
        known = record.get("external_id") if isinstance(record, Mapping) else None
        return Rejection(index, None if known is None else storable(known), tuple(reader.issues))


def _tables(records: Sequence[object]) -> Iterator[tuple[Sequence[int], RecordTable]]:
    """The records that carry the same fields, with their places; what is not a record is left out."""
    if isinstance(records, RecordTable):
        yield range(len(records)), records
        return
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, record in enumerate(records):
        if type(record) is dict:
            alike.setdefault(tuple(record), []).append(index)
    for indexes in alike.values():
        yield indexes, RecordTable.of([records[index] for index in indexes])  # type: ignore[misc]


def _plain_texts(raws: Sequence[Any], longest: int) -> list[str] | None:
    """Texts without outer blanks, where every one is there and fits; else None."""
    if set(map(type, raws)) != {str}:
        return None
    stripped = [raw.strip() for raw in raws]
    is_fit = all(stripped) and max(map(len, raws)) <= longest and is_storable("".join(raws))
    return stripped if is_fit else None


def _places_of_faults(columns: Iterable[list[Any]]) -> frozenset[int]:
    return frozenset(at for column in columns for at, value in enumerate(column) if value is _FAULTY)


def _grouped(rows: Iterable[Row]) -> list[RowGroup]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (tuple(row.values), tuple(row.refs), row.is_deleted, row.attributes is None, row.source_url is None)
        groups.setdefault(key, []).append(row)
    return [RowGroup.of(some) for some in groups.values()]


def _split(group: RowGroup) -> list[RowGroup]:
    """Rows some of which may have attributes or an address, in groups of which all or none have them."""
    has_attributes, has_urls = (_are_there(column) for column in (group.attributes, group.source_urls))
    if not len(group) or has_attributes is None or has_urls is None:
        return _grouped(group.rows())
    attributes, urls = group.attributes if has_attributes else None, group.source_urls if has_urls else None
    return [replace(group, attributes=attributes, source_urls=urls)]


def _are_there(column: Sequence[Any] | None) -> bool | None:
    """Whether all of a column is there (True) or nothing (False); None for some of it."""
    told = {value is not None for value in column or ()}
    return None if len(told) == 2 else told == {True}
