"""What a preset comes to at one source: which rules hold, which are left out, which words are open. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from integrations.connectors.base import SourceField
from integrations.connectors.catalogue import fields_of, position_of
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.connectors.presets.base import Wish
from integrations.connectors.values import normalise


@dataclass(frozen=True)
class LeftOut:
    """One of our fields that comes from nowhere, because the source has none of `columns`."""

    field: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class OpenWords:
    """Words of the source for one of our fields that nobody has said the meaning of."""

    field: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """One mapping as a preset proposes it. `lacks` are required fields among those left out: it cannot be used then."""

    mapping: StreamMapping
    left_out: tuple[LeftOut, ...]
    open_words: tuple[OpenWords, ...]

    @property
    def lacks(self) -> tuple[LeftOut, ...]:
        fields = fields_of(self.mapping.resource)
        return tuple(each for each in self.left_out if each.field in fields and fields[each.field].is_required)

    def reduced(self, kept: Sequence[str]) -> StreamMapping:
        """The mapping with these of our fields and the required ones alone."""
        fields = fields_of(self.mapping.resource)
        rules = [rule for rule in self.mapping.rules if rule.field in kept or fields[rule.field].is_required]
        return replace(self.mapping, rules=tuple(rules))


def propose(wish: Wish, described: Sequence[SourceField], *, name: str) -> Proposal:
    """The wish as far as the source has its fields, as a mapping called `name`.

    >>> from integrations.connectors.presets.base import wish
    >>> wanted = wish("accounts", "Account", {"external_id": "Id", "name": "Name", "size": ("Staff", "Employees")})
    >>> found = propose(wanted, [SourceField("Id", "Id"), SourceField("Employees", "従業員数")], name="accounts")
    >>> [(rule.field, rule.column) for rule in found.mapping.rules], [each.field for each in found.lacks]
    ([('external_id', 'Id'), ('size', 'Employees')], ['name'])
    """
    there = {each.name: each for each in described}
    rules: list[FieldRule] = []
    left_out: list[LeftOut] = []
    for field, ways in wish.rules.items():
        found = next((way for way in ways if there.keys() >= set(way.columns)), None)
        if found is None:
            wanted = dict.fromkeys(column for way in ways for column in way.columns if column not in there)
            left_out.append(LeftOut(field, tuple(wanted)))
        else:
            known = _understood(wish.resource, found, there)
            rules.append(_labelled(known, there) if field in wish.labelled else known)
    mapping = StreamMapping(
        name,
        wish.resource,
        position_of(wish.resource),
        wish.reads,
        tuple(rules),
        each=wish.each,
        skip_blank=tuple(column for column in wish.skip_blank if column in there),
    )
    return Proposal(mapping, tuple(left_out), tuple(_open_words(mapping, there)))


def _understood(resource: str, rule: FieldRule, there: Mapping[str, SourceField]) -> FieldRule:
    """The rule of a closed list with what the source itself says of its words, which knows better than a preset."""
    column, choices = there.get(rule.column or ""), fields_of(resource)[rule.field].choices
    said = {word: meaning for word, meaning in column.meanings if meaning in choices} if column else {}
    return replace(rule, values={**rule.values, **said}) if said else rule


def _labelled(rule: FieldRule, there: Mapping[str, SourceField]) -> FieldRule:
    """The rule with the labels of its words as what they mean; words that it knows stay as they are."""
    known = there.get(rule.column or "")
    labels = {code: label for code, label in known.choices if label != code} if known else {}
    return replace(rule, values={**labels, **rule.values})


def _open_words(mapping: StreamMapping, there: Mapping[str, SourceField]) -> Iterator[OpenWords]:
    """Of fields with a closed list the words that no value map knows; words of others are kept as they are."""
    fields = fields_of(mapping.resource)
    for rule in mapping.rules:
        choices, column = fields[rule.field].choices, there.get(rule.column or "")
        if not choices or column is None:
            continue
        known = {normalise(word) for word in rule.values}
        words = (word for word, _label in column.choices)
        unknown = tuple(word for word in words if word not in choices and normalise(word) not in known)
        if unknown:
            yield OpenWords(rule.field, unknown)
