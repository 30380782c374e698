"""What a page shows of a definition's form: its sections and their conditions."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms

from kpis.selectors.known_values import KnownField, Pairs


@dataclass(frozen=True, slots=True)
class Row:
    """One condition: its fields, and what the data knows of the one it is about."""

    number: int
    prefix: str
    field: forms.BoundField
    op: forms.BoundField
    value: forms.BoundField | None
    known: KnownField

    @property
    def is_chosen(self) -> bool:
        return bool(self.field.value())

    @property
    def suggestions(self) -> Pairs:
        """Values to choose from while one types; none where they are a closed list anyway."""
        return () if self.known.is_closed or self.value is None else self.known.values


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of one part of a definition, and its conditions (None: this part takes none)."""

    prefix: str
    title: str
    fields: Sequence[forms.BoundField]
    rows: Sequence[Row] | None
