"""Rows of a batch on their way into the database: compared by a digest of their content, and written for COPY.

Rows that carry the same fields are written a column at a time, and every distinct value of a column once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import repeat
from typing import Any, TypeAlias

from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from kpis.engine.record_batch import Reading, RowGroup
from kpis.engine.resources import Resource
from kpis.models.resources import MODELS

NULL = r"\N"
Column: TypeAlias = "models.Field[Any, Any]"
Wanted: TypeAlias = Mapping[str, set[str]]  # source → external ids
Found: TypeAlias = Mapping[str, Mapping[str, str]]  # source → external id → id of the row, as COPY reads it
LEADING = ("index", "row_id", "external_id", "is_deleted", "present", "content_hash", "source_updated_at")
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)
_quoted: Callable[[str], str] = json.encoder.encode_basestring
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
# Equal values of one of these types are written alike; 1, True and Decimal("1.0") would be equal to one another too.
_TELLING = frozenset({int, bool, date})


@dataclass(frozen=True, slots=True)
class Stored:
    """What a batch has to know of a row that is stored already."""

    id: int
    content_hash: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class References:
    """A column of references: what was sent, each once, and for every row the place of its own in it.

    `names`: source and external id of each of the distinct ones, None where nothing or a list is referred to; `wanted`
    are those of the rows.
    """

    distinct: Sequence[Any]
    places: Sequence[int]
    names: Sequence[tuple[str, str] | None]
    wanted: Wanted

    @classmethod
    def of(cls, column: Sequence[Any]) -> References:
        """References that were sent alike are one and the same list."""
        distinct = {id(value): value for value in column}
        place_of = {name: place for place, name in enumerate(distinct)}
        names = [(each[0], each[1]) if _is_one(each) else None for each in distinct.values()]
        places = [place_of[id(value)] for value in column]
        return cls(list(distinct.values()), places, names, _by_source(names))

    def only(self, places: Sequence[int]) -> References:
        """Those of the rows at these places; what none of them has may still be among the distinct ones."""
        if len(places) == len(self.places):
            return self
        some = [self.places[at] for at in places]
        return replace(self, places=some, wanted=_by_source(self.names[place] for place in set(some)))

    def texts(self) -> list[str]:
        """Each row's as JSON."""
        become = [_reference_text(value) for value in self.distinct]
        return [become[place] for place in self.places]

    def ids(self, found: Found) -> list[str]:
        """The id of the row that each points at, as COPY reads it."""
        become = [found.get(name[0], {}).get(name[1], NULL) if name else NULL for name in self.names]
        return [become[place] for place in self.places]


@dataclass(frozen=True, slots=True)
class Alike:
    """Rows that carry the same fields as COPY reads them: the columns they fill, and each row's text and digest.

    The digest is of what was sent, so that the same again is known without being written anywhere; `keys` are what a
    row has besides: its external id, and when the source last changed it. `told` is all of a row that asks the database
    nothing: keys, digest and contents.
    """

    group: RowGroup
    refs: Mapping[str, References]
    keys: Mapping[str, Sequence[str]]
    texts: Mapping[str, Sequence[str]]
    contents: Sequence[str]
    digests: Sequence[str]
    told: Sequence[str]
    present: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The plain ones that were sent, "refs", and "attributes" and "source_url" if any, as `contents` has them."""
        return tuple(self.texts)

    def differing(self, known: Mapping[str, Stored]) -> list[int]:
        """The places of the rows that are new or may differ from what is stored."""
        is_deleted = self.group.is_deleted
        if not known and not is_deleted:
            return list(range(len(self.group)))
        return [
            at
            for at, (external_id, digest) in enumerate(zip(self.group.external_ids, self.digests, strict=True))
            if _differs(is_deleted, digest, known.get(external_id))
        ]

    def only(self, places: Sequence[int]) -> Alike:
        """The rows at these places."""
        if len(places) == len(self.group):
            return self
        return replace(
            self,
            group=self.group.only(places),
            refs={name: column.only(places) for name, column in self.refs.items()},
            keys={name: [column[at] for at in places] for name, column in self.keys.items()},
            texts={name: [column[at] for at in places] for name, column in self.texts.items()},
            contents=[self.contents[at] for at in places],
            digests=[self.digests[at] for at in places],
            told=[self.told[at] for at in places],
        )

    def lines(self, places: Sequence[int], known: Mapping[str, Stored], ids: Mapping[str, Found]) -> Iterator[str]:
        """Some rows as COPY reads them: the columns of LEADING, the ids of the rows referred to, and `columns`."""
        some, count = self.only(places), len(places)
        stored = [known.get(external_id) for external_id in some.group.external_ids]
        columns: list[Iterable[str]] = [
            map(str, some.group.indexes),
            [NULL if each is None else str(each.id) for each in stored],
            some.keys["external_id"],
            repeat(text_of(self.group.is_deleted), count),
            repeat(self.present, count),
            some.digests,
            some.keys["source_updated_at"],
            *(column.ids(ids[name]) for name, column in some.refs.items()),
            some.contents,
        ]
        return map("\t".join, zip(*columns, strict=True))

    def new_columns(
        self, ids: Mapping[str, Found], defaults: Mapping[str, str]
    ) -> dict[tuple[str, ...], Sequence[str]]:
        """All rows as the columns of their table, where none of them is stored; `defaults` where nothing was sent.

        What a row tells is one, joined as it is in `told`, where nothing has to be put in for what is null.
        """
        own: dict[tuple[str, ...], Sequence[str]]
        own = {(f"{name}_id",): column.ids(ids[name]) for name, column in self.refs.items()}
        if not any(NULL in texts for name, texts in self.texts.items() if name in defaults):
            return own | {(*self.keys, "content_hash", *self.columns): self.told}
        own |= {(name,): texts for name, texts in self.keys.items()}
        own["content_hash",] = self.digests
        return own | {(name,): _without_nulls(texts, defaults.get(name)) for name, texts in self.texts.items()}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of one resource that was read, ready to be compared with what is stored.

    `covers_from`: the earliest date that its rows tell something about, None where they tell none.
    """

    reading: Reading
    groups: Sequence[Alike]
    covers_from: date | None


def prepared(resource: Resource, reading: Reading) -> Prepared:
    """Write what was read for COPY. Asks the database nothing."""
    plain, linked = frozenset(plain_columns(resource)), frozenset(linked_rows(resource))
    told = [group.values.get(name, ()) for group in reading.groups for name in resource.dates]
    earliest = min(filter(None, map(_earliest, told)), default=None)
    return Prepared(reading, [_alike(group, plain, linked) for group in reading.groups], earliest)


def plain_columns(resource: Resource) -> dict[str, Column]:
    """The columns of a resource's table that its fields fill, but for references."""
    columns = {each.name: each for each in MODELS[resource.code]._meta.concrete_fields}
    return {name: columns[name] for name, spec in resource.fields.items() if not spec.is_reference and name in columns}


def linked_rows(resource: Resource) -> dict[str, str]:
    """The references of a resource that its table keeps as the id of a row, with the resource they point at."""
    columns = {each.name for each in MODELS[resource.code]._meta.concrete_fields}
    return {name: entity for name, entity in resource.refs.items() if name in columns}


def copy_in(cursor: CursorWrapper, statement: str, text: str) -> None:
    """Send rows by COPY. Raises Django's database errors: a lost server is told from a fault of ours by them."""
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(text)


def text_of(value: Any) -> str:
    """A value as COPY reads it."""
    write = _WRITERS.get(type(value))
    return write(value) if write else escaped(_ENCODER.encode(value))


def escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: NULL,
    bool: lambda value: "t" if value else "f",
    str: escaped,
    int: str,
    Decimal: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
}


def _earliest(column: Sequence[Any]) -> date | None:
    days = {value.date() if isinstance(value, datetime) else value for value in set(column) if isinstance(value, date)}
    return min(days, default=None)


def _alike(group: RowGroup, plain: frozenset[str], linked: frozenset[str]) -> Alike:
    further = {"attributes": group.attributes, "source_url": group.source_urls}
    present = [*group.values, *group.refs, *(name for name, column in further.items() if column is not None)]
    texts = {name: _texts(column) for name, column in group.values.items() if name in plain}
    references = {name: References.of(column) for name, column in group.refs.items()}
    texts["refs"] = _refs(references, len(group))
    if group.attributes is not None:
        texts["attributes"] = [text_of(each) for each in group.attributes]
    elif group.source_urls is not None:
        texts["attributes"] = [NULL] * len(group)
    if group.source_urls is not None:
        texts["source_url"] = _texts(group.source_urls)
    contents = list(map("\t".join, zip(*texts.values(), strict=True)))
    named = f"{{{','.join(present)}}}"
    # What was not sent is in the digest too: digests are kept, so that what they are of stays as it is.
    head, tail = (
        f"{named}\t{group.is_deleted}\t",
        f"\t{NULL}" * (("attributes" not in texts) + ("source_url" not in texts)),
    )
    digests = [hashlib.md5(f"{head}{each}{tail}".encode(), usedforsecurity=False).hexdigest() for each in contents]
    refs = {name: column for name, column in references.items() if name in linked}
    keys = {"external_id": _texts(group.external_ids), "source_updated_at": _texts(group.updated_at)}
    told = list(map("\t".join, zip(*keys.values(), digests, contents, strict=True)))
    return Alike(group, refs, keys, texts, contents, digests, told, named)


def _without_nulls(texts: Sequence[str], default: str | None) -> Sequence[str]:
    if default is None or NULL not in texts:
        return texts
    return [default if text == NULL else text for text in texts]


def _texts(column: Sequence[Any]) -> list[str]:
    kinds = set(map(type, column)) - {type(None)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is str:
        return _escaped_texts(column)
    if kind in _TELLING:
        become = {value: text_of(value) for value in set(column)}
        return [become[value] for value in column]
    write = _WRITERS.get(kind, text_of) if kind else text_of
    return [NULL if value is None else write(value) for value in column]


def _escaped_texts(column: Sequence[str | None]) -> list[str]:
    """Texts and nothing: looked at together first, since hardly ever one has to be escaped."""
    texts = [NULL if value is None else value for value in column]
    if _SPECIAL.search("".join(value for value in column if value is not None)):
        return [text_of(value) for value in column]
    return texts


def _refs(references: Mapping[str, References], count: int) -> list[str]:
    """The references of each row as one JSON object."""
    names = sorted(references)
    if not names:
        return ["{}"] * count
    shape = "{" + ", ".join(f'"{name}": %s' for name in names) + "}"
    columns = [references[name].texts() for name in names]
    return [shape % each for each in zip(*columns, strict=True)]


def _by_source(names: Iterable[tuple[str, str] | None]) -> Wanted:
    found: dict[str, set[str]] = {}
    for name in set(names):
        if name is not None:
            found.setdefault(name[0], set()).add(name[1])
    return found


def _reference_text(value: Any) -> str:
    if value is None:
        return "null"
    return escaped(f"[{_quoted(value[0])}, {_quoted(value[1])}]" if _is_one(value) else _ENCODER.encode(value))


def _is_one(value: Any) -> bool:
    """Whether this is one reference: nothing, and a list of them, are none."""
    return value is not None and len(value) == 2 and isinstance(value[0], str)


def _differs(is_deleted: bool, digest: str, stored: Stored | None) -> bool:
    if stored is None:
        return not is_deleted
    return not stored.is_deleted if is_deleted else stored.is_deleted or stored.content_hash != digest
