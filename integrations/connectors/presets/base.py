"""What a preset is, for files and for sources that are called, and short ways to write one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise

from integrations.connectors.base import SourceField, Stream
from integrations.connectors.catalogue import position_of
from integrations.connectors.mapping import FieldRule, StreamMapping


@dataclass(frozen=True)
class Preset:
    """A set of stream mappings of files under a code; `label` is what people choose by."""

    code: str
    label: str | Promise
    streams: tuple[StreamMapping, ...]


@dataclass(frozen=True)
class Wish:
    """How one stream of a source would be read, as far as its fields are there.

    `rules` holds for each of our fields the ways that would do, best first. Of the fields in `labelled` the words are
    codes at the source: their labels are taken.
    """

    resource: str
    reads: str
    rules: Mapping[str, tuple[FieldRule, ...]]
    each: str = ""
    skip_blank: tuple[str, ...] = ()
    labelled: frozenset[str] = frozenset()


Wishes = Callable[[Stream, Sequence[SourceField]], Sequence[Wish]]


@dataclass(frozen=True)
class SourcePreset:
    """What sources of one kind usually hold, under a code.

    `wishes` says for a stream with these fields what it would be read as; nothing for one that it does not know.
    `reads` are the streams without which it is incomplete.
    """

    code: str
    label: str | Promise
    kind: str
    wishes: Wishes
    reads: tuple[str, ...] = ()


def wish(
    resource: str,
    reads: str,
    fields: Mapping[str, str | FieldRule | Sequence[str | FieldRule]],
    *,
    values: Mapping[str, Mapping[str, str]] | None = None,
    **options: Any,
) -> Wish:
    """A wish whose fields come from `fields`: a column, a whole rule, or several of these, best first."""
    maps = values or {}

    def rule(field: str, way: str | FieldRule) -> FieldRule:
        return way if isinstance(way, FieldRule) else FieldRule(field, column=way, values=maps.get(field, {}))

    ways = {field: (given,) if isinstance(given, str | FieldRule) else given for field, given in fields.items()}
    rules = {field: tuple(rule(field, way) for way in given) for field, given in ways.items()}
    return Wish(resource, reads, rules, **options)


def standard(code: str, label: str | Promise, kind: str, wishes: Sequence[Wish]) -> SourcePreset:
    """A preset of a vendor whose streams and fields are called the same everywhere."""
    reads = tuple(dict.fromkeys(each.reads for each in wishes))
    return SourcePreset(
        code, label, kind, lambda stream, _fields: [each for each in wishes if each.reads == stream.name], reads
    )


def stream(
    resource: str,
    reads: str,
    columns: Mapping[str, str | FieldRule],
    *,
    name: str = "",
    position: int | None = None,
    optional: frozenset[str] = frozenset(),
    values: Mapping[str, Mapping[str, str]] | None = None,
    skip_blank: tuple[str, ...] = (),
    tax: str = "",
    tax_rate: Decimal | None = None,
) -> StreamMapping:
    """A stream whose fields come from `columns` (field → heading, or a whole rule)."""
    maps = values or {}
    rules = tuple(
        source
        if isinstance(source, FieldRule)
        else FieldRule(field, column=source, values=maps.get(field, {}), optional=field in optional)
        for field, source in columns.items()
    )
    options: dict[str, Any] = {"skip_blank": skip_blank, "tax": tax, "tax_rate": tax_rate}
    place = position_of(resource) if position is None else position
    return StreamMapping(name or resource, resource, place, reads, rules, **options)
