"""Reading on without a field that a source no longer has: which mappings can, and which cannot. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from integrations.connectors.catalogue import fields_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping

# What a stream fails with when its source lacks a field.
FIELD_GONE = frozenset({"missing_fields", "field_gone"})
# A record without this would be taken for something that nobody has said: a deal without an outcome for an open one.
STATED = frozenset({("deals", "outcome")})
HISTORY = "history."


@dataclass(frozen=True)
class Lesser:
    """The mappings that go on without some columns; names of those that lost a rule, and of those that cannot go on."""

    mappings: tuple[StreamMapping, ...]
    touched: frozenset[str]
    dropped: frozenset[str]


def lesser_for(error: ConnectorError, mappings: Sequence[StreamMapping]) -> Lesser | None:
    """How a stream goes on after the source said that fields are gone; None where it cannot, or that is not said."""
    gone = str(error.params.get("fields") or "").split(", ") if error.code in FIELD_GONE else []
    kept: list[StreamMapping] = []
    touched, dropped = set(), set()
    for mapping in mappings:
        rules = tuple(rule for rule in mapping.rules if not any(_reads(column, gone) for column in _columns(rule)))
        if len(rules) == len(mapping.rules) and not any(_reads(each, gone) for each in _own(mapping)):
            kept.append(mapping)
        elif _can_go_on(mapping, rules, gone):
            kept.append(replace(mapping, rules=rules))
            touched.add(mapping.stream)
        else:
            dropped.add(mapping.stream)
    return Lesser(tuple(kept), frozenset(touched), frozenset(dropped)) if kept and touched | dropped else None


def is_vital(resource: str, field: str) -> bool:
    """Whether nothing is read of a record without this one of our fields."""
    fields = fields_of(resource)
    return (field in fields and fields[field].is_required) or (resource, field) in STATED


def _can_go_on(mapping: StreamMapping, rules: Sequence[FieldRule], gone: Sequence[str]) -> bool:
    left = {rule.field for rule in rules}
    vital = {rule.field for rule in mapping.rules if is_vital(mapping.resource, rule.field)}
    return vital <= left and not any(_reads(each, gone) for each in _own(mapping))


def _own(mapping: StreamMapping) -> tuple[str, ...]:
    """The columns by which the mapping decides which rows there are."""
    return (*mapping.skip_blank, *([mapping.each] if mapping.each else []))


def _columns(rule: FieldRule) -> Iterator[str]:
    yield from rule.columns
    if rule.dated_by:
        yield rule.dated_by


def _reads(column: str, gone: Sequence[str]) -> bool:
    """Whether a column lies at or below one of these names; the history of a property is called by that property."""
    path = ".".join(part for part in column.removeprefix(HISTORY).split(".") if not part.isdigit())
    return any(column == name or path == name or path.startswith(f"{name}.") for name in gone)
