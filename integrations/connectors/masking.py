"""What a source said, as it may be kept: no mail address in it can be read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import ATTRIBUTE_PREFIX, FieldRule, StreamMapping
from kpis.engine.addresses import sealed_text
from kpis.engine.resources import Kind

_SEALED_BY_US = frozenset({Kind.ADDRESS, Kind.DOMAIN})


def columns_read_plain(mappings: Iterable[StreamMapping]) -> frozenset[str]:
    """The columns that something is made of for which a sealed address would not do: ids, names, custom fields."""
    columns = (
        column for each in mappings for rule in each.rules if not _is_sealed(each, rule) for column in rule.columns
    )
    return frozenset(path for column in columns for path in (column, _without_places(column)))


def masked(said: Mapping[str, Any], plain: frozenset[str], seal: Callable[[str], str]) -> dict[str, Any]:
    """What was said about a record with every address sealed, but for those in the columns of `plain`.

    >>> masked({"mail": "Sato <sato@example.jp>", "key": "sato@example.jp", "amount": 3}, frozenset({"key"}), len)
    {'mail': 'Sato <15@example.jp>', 'key': 'sato@example.jp', 'amount': 3}
    """
    return {name: _masked(value, name, plain, seal) for name, value in said.items()}


def _masked(value: Any, path: str, plain: frozenset[str], seal: Callable[[str], str]) -> Any:
    """`path` has no places of lists in it."""
    if path in plain:
        return value
    if isinstance(value, str):
        return sealed_text(value, seal)
    if isinstance(value, Mapping):
        return {name: _masked(inner, f"{path}.{name}", plain, seal) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, path, plain, seal) for inner in value]
    return value


def _without_places(column: str) -> str:
    return ".".join(part for part in column.split(".") if not part.isdigit())


def _is_sealed(mapping: StreamMapping, rule: FieldRule) -> bool:
    return not rule.field.startswith(ATTRIBUTE_PREFIX) and fields_of(mapping.resource)[rule.field].kind in _SEALED_BY_US
