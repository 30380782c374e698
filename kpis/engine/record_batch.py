"""Reading many records at once: each one becomes a typed row, or is rejected with its reasons.

Records that carry the same fields are read a column at a time, and every distinct value of a column once. Where
anything about a record is not plainly right, it is read again by itself, which finds all its faults.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from kpis.engine.issues import Issue, gettext_noop
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
class Reading:
    """What a list of records came to; every record is in exactly one of the two."""

    rows: tuple[Row, ...]
    rejections: tuple[Rejection, ...]


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
    """Read records of one resource as CONTRACT "Bulk facts" writes them.

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
    rows: dict[str, Row] = {}
    rejections: list[Rejection] = []
    for each in _Columns(RecordReader(resource, source=source, currency=currency, seal=seal)).read(list(records)):
        if isinstance(each, Rejection):
            rejections.append(each)
            continue
        earlier = rows.pop(each.external_id, None)
        if earlier:
            rejections.append(Rejection(earlier.index, earlier.external_id, (_DUPLICATE,)))
        rows[each.external_id] = each
    return Reading(tuple(rows.values()), tuple(sorted(rejections, key=lambda each: each.index)))


class _Columns:
    """Reads records of one resource by their columns."""

    def __init__(self, reader: RecordReader) -> None:
        self.reader = reader
        self.resource = reader.resource
        self.source = reader.source
        self.fault_count = 0

    def read(self, records: list[object]) -> list[Row | Rejection]:
        """What each record came to, in order."""
        alike: dict[tuple[object, ...], list[int]] = {}
        found: list[Row | Rejection | None] = [None] * len(records)
        for index, record in enumerate(records):
            if type(record) is dict:
                alike.setdefault(tuple(record), []).append(index)
        for names, indexes in alike.items():
            if self.is_plain(names):
                for row in self.rows(names, indexes, records):
                    found[row.index] = row
        return [row or self.alone(index, records[index]) for index, row in enumerate(found)]

    def is_plain(self, names: tuple[object, ...]) -> bool:
        """Whether records with these fields can be right at all; a deletion is looked at by itself."""
        fields, there = self.resource.fields, set(names)
        needed = {name for name, spec in fields.items() if spec.is_required} | {"external_id"}
        return needed <= there and there <= fields.keys() | _COMMON

    def rows(self, names: tuple[object, ...], indexes: list[int], records: list[Any]) -> list[Row]:
        """The rows of records with the same fields, without those that have a fault somewhere."""
        some = [records[index] for index in indexes]
        self.fault_count = 0
        reader, nothing = self.reader, [None] * len(some)
        values: dict[str, list[Any]] = {}
        refs: dict[str, list[Any]] = {}
        for name, spec in self.resource.fields.items():
            if name in names:
                column = self.texts(some, name, spec) or self.column(some, name, partial(reader.field, name, spec))
                (refs if spec.is_reference else values)[name] = column
        common: list[list[Any]] = [
            self.column(some, name, read) if name in names else nothing
            for name, read in (
                ("external_id", reader.external_id),
                ("attributes", reader.attributes),
                ("source_url", reader.url),
                ("source_updated_at", partial(reader.moment, "source_updated_at")),
            )
        ]
        is_taxed = any(name in values for name in self.resource.taxed)
        if is_taxed and not self.fault_count:
            is_taxed = not self.take_tax_off(values)
        faulty = _places_of_faults([*values.values(), *refs.values(), *common]) if self.fault_count else frozenset()
        told = zip(indexes, _rows(values, len(some)), _rows(refs, len(some)), *common, strict=True)
        rows = [
            Row(index, external_id, plain, linked, False, attributes, url, updated_at)
            for at, (index, plain, linked, external_id, attributes, url, updated_at) in enumerate(told)
            if at not in faulty
        ]
        if is_taxed:
            for row in rows:
                reader.take_tax_off(row.values)
        return rows

    def take_tax_off(self, values: dict[str, list[Any]]) -> bool:
        """Make the amounts of rows net at once; False, and nothing is done, where not all of them have one."""
        taxed = [name for name in self.resource.taxed if name in values]
        if not all(set(map(type, values[name])) == {Decimal} for name in taxed):
            return False
        for name in ("currency", "tax", "tax_rate"):
            values.setdefault(name, [None] * len(values[taxed[0]]))
        rules = (values["currency"], values["tax"], values["tax_rate"])
        for name in taxed:
            given = list(zip(values[name], *rules, strict=True))
            become = {each: self.reader.net(*each) for each in set(given)}
            values[name] = [become[each] for each in given]
        return True

    def column(self, records: list[Any], name: str, read: Callable[[Any], Any]) -> list[Any]:
        raws = [record[name] for record in records]
        kinds = set(map(type, raws)) - {type(None)}
        if len(kinds) != 1 or not kinds <= _TELLING:
            return [self.value(raw, read) if is_storable(raw) else self.fault() for raw in raws]
        distinct = set(raws)
        if str in kinds and not is_storable("".join(raw for raw in distinct if raw is not None)):
            become = {raw: self.value(raw, read) if is_storable(raw) else self.fault() for raw in distinct}
        else:
            become = {raw: self.value(raw, read) for raw in distinct}
        return [become[raw] for raw in raws]

    def texts(self, records: list[Any], name: str, spec: Field) -> list[Any] | None:
        """A column of plain texts or bare references of which every one is there and fits; None for any other."""
        raws = [record[name] for record in records]
        if spec.kind not in {Kind.TEXT, Kind.REF} or spec.choices or set(map(type, raws)) != {str}:
            return None
        stripped = [raw.strip() for raw in raws]
        longest = ID_LENGTH if spec.is_reference else spec.length
        if not all(stripped) or max(map(len, stripped)) > longest or not is_storable("".join(raws)):
            return None
        if not spec.is_reference:
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


def _places_of_faults(columns: Iterable[list[Any]]) -> frozenset[int]:
    return frozenset(at for column in columns for at, value in enumerate(column) if value is _FAULTY)


def _rows(columns: Mapping[str, list[Any]], count: int) -> list[dict[str, Any]]:
    """Columns as one dictionary a row."""
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]
