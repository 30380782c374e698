"""What a preset is, and short ways to write one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise

from integrations.connectors.catalogue import position_of
from integrations.connectors.mapping import FieldRule, StreamMapping


@dataclass(frozen=True)
class Preset:
    """A set of stream mappings under a code; `label` is what people choose by."""

    code: str
    label: str | Promise
    streams: tuple[StreamMapping, ...]


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
