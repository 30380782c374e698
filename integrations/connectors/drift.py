"""How a source has drifted from what was mapped: fields that are gone, of another kind, words that came or went. Pure.

Words are known by their value, not by their label: a stage that is called otherwise keeps its meaning, and a new one
has none until a person gives it one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from integrations.connectors.base import SourceField
from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import ATTRIBUTE_PREFIX, FieldRule, StreamMapping
from integrations.connectors.values import normalise

DriftCode = Literal[
    "field_gone", "field_retyped", "word_new", "word_gone", "word_renamed", "field_empty", "field_unseen"
]

ENOUGH_RECORDS = 20


@dataclass(frozen=True)
class Drift:
    """One difference: of `column` at the source, which fills `field` of the resource. `params` name the sentence."""

    code: DriftCode
    stream: str
    resource: str
    field: str
    column: str
    params: Mapping[str, Any]


def drift_of(
    mapping: StreamMapping, described: Sequence[SourceField], before: Mapping[str, Mapping[str, Any]]
) -> list[Drift]:
    """How the described fields differ from the mapping, and from what `before` (of `seen_of`) remembers of them."""
    known = {each.name: each for each in described}
    found: list[Drift] = []
    for rule in mapping.rules:
        for column in rule.columns:
            now = known.get(_plain(column))
            if now is None and "." in column:
                continue  # of a record that it refers to, which the import itself asks for
            for code, params in _differences(mapping, rule, now, before.get(_plain(column))):
                found.append(Drift(code, mapping.reads, mapping.resource, rule.field, column, params))
    return found


def gone_of(mapping: StreamMapping, described: Sequence[SourceField], *, is_whole: bool) -> list[Drift]:
    """The columns of a mapping that a source does not show, each of the first of our fields that reads it.

    `is_whole`: whether `described` is all that there is, rather than what the first records have.
    """
    found = [each for each in drift_of(mapping, described, {}) if each.code == "field_gone"]
    first = {each.column: each for each in reversed(found)}.values()
    return [each if is_whole else replace(each, code="field_unseen") for each in reversed(first)]


def seen_of(mappings: Sequence[StreamMapping], described: Sequence[SourceField]) -> dict[str, dict[str, Any]]:
    """What is remembered of the mapped columns: kind, and words with their labels."""
    wanted = {_plain(column) for mapping in mappings for column in mapping.columns}
    return {
        each.name: {
            "kind": each.kind,
            "words": [list(word) for word in each.choices],
            "is_calculated": each.is_calculated,
        }
        for each in described
        if each.name in wanted
    }


def emptied(mapping: StreamMapping, report: Mapping[str, Any], filled: Collection[str]) -> list[Drift]:
    """Fields of a source that does not describe itself that had values before and have none in a whole import.

    `filled`: our fields that have had values; `report`: what the import saw. A few records prove nothing.
    """
    if report["read"] < ENOUGH_RECORDS:
        return []
    empty = [rule for rule in mapping.rules if report["blank"].get(rule.field, 0) == report["read"]]
    return [
        Drift("field_empty", mapping.reads, mapping.resource, rule.field, " + ".join(rule.columns), {})
        for rule in empty
        if rule.field in filled
    ]


def filled_in(mapping: StreamMapping, report: Mapping[str, Any]) -> set[str]:
    """Our fields of which an import saw a value."""
    return {
        rule.field for rule in mapping.rules if rule.columns and report["blank"].get(rule.field, 0) < report["read"]
    }


def _differences(
    mapping: StreamMapping, rule: FieldRule, now: SourceField | None, before: Mapping[str, Any] | None
) -> Iterator[tuple[DriftCode, Mapping[str, Any]]]:
    if now is None:
        yield "field_gone", {}
        return
    if before and before["kind"] != now.kind:
        yield "field_retyped", {"before": before["kind"], "now": now.kind}
    # What is put together of several columns has words of its own.
    if not now.choices or rule.template is not None or not _is_translated(mapping, rule):
        return
    meanings = {normalise(word) for word in rule.values}
    spec = fields_of(mapping.resource).get(rule.field)
    own = spec.choices if spec else frozenset()
    for value, label in now.choices:
        if normalise(value) not in meanings and value not in own:
            yield "word_new", {"word": value if label in {value, ""} else f"{label} ({value})"}
    there = {normalise(value) for value, _ in now.choices}
    earlier = {normalise(value) for value, _label in before["words"]} if before else set()
    for word in rule.values:
        # A map may know words that this source never had.
        if normalise(word) in earlier - there:
            yield "word_gone", {"word": word}
    called = dict(now.choices)
    for value, label in before["words"] if before else ():
        if value in called and called[value] != label and normalise(value) in meanings:
            yield "word_renamed", {"word": value, "before": label, "now": called[value]}


def _is_translated(mapping: StreamMapping, rule: FieldRule) -> bool:
    """Whether the words of a column are given a meaning: by a map, or because only certain words are taken."""
    if rule.field.startswith(ATTRIBUTE_PREFIX):
        return bool(rule.values)
    return bool(rule.values or fields_of(mapping.resource)[rule.field].choices)


def _plain(column: str) -> str:
    """A column without the numbers that name places in a list."""
    return ".".join(part for part in column.split(".") if not part.isdigit())
