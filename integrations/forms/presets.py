"""What a person keeps of a preset: whole streams, and single fields of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.utils import ErrorList
from django.utils.translation import gettext as _

from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.connectors.presets.proposing import Proposal
from integrations.selectors.labels import field_label, value_label


@dataclass(frozen=True)
class ProposedField:
    """One of our fields as it is proposed; a required one stays as long as its stream does.

    `origin` is where it comes from, `meanings` the words whose meaning the preset brings.
    """

    field: str
    label: str
    origin: str
    is_required: bool
    is_kept: bool
    meanings: Sequence[tuple[str, str]]
    open_words: Sequence[str]


@dataclass(frozen=True)
class ProposedStream:
    """One stream in the form."""

    proposal: Proposal
    is_kept: bool
    errors: ErrorList
    fields: Sequence[ProposedField]

    @property
    def mapping(self) -> StreamMapping:
        return self.proposal.mapping


class PresetForm(forms.Form):
    """Which of the proposed streams and fields are kept; all of them until somebody takes some out."""

    def __init__(self, data: Any = None, *, proposals: Sequence[Proposal]) -> None:
        super().__init__(data)
        self._proposals = proposals
        names = [each.mapping.stream for each in proposals]
        self.fields["streams"] = forms.MultipleChoiceField(choices=[(name, name) for name in names], initial=names)
        self.fields["streams"].error_messages["required"] = _("Keep at least one stream, or map the streams by hand.")
        for each in proposals:
            fields = [rule.field for rule in each.mapping.rules]
            self.fields[f"fields.{each.mapping.stream}"] = forms.MultipleChoiceField(
                required=False, choices=[(field, field) for field in fields], initial=fields
            )

    @property
    def proposed(self) -> list[ProposedStream]:
        """The streams in their order."""
        kept = self["streams"].value() or ()
        return [self._shown(each, each.mapping.stream in kept) for each in self._proposals]

    @property
    def mappings(self) -> list[StreamMapping]:
        """What is kept. Of a valid form only."""
        kept = self.cleaned_data["streams"]
        return [
            each.reduced(self.cleaned_data[f"fields.{each.mapping.stream}"])
            for each in self._proposals
            if each.mapping.stream in kept
        ]

    def _shown(self, proposal: Proposal, is_kept: bool) -> ProposedStream:
        mapping = proposal.mapping
        bound = self[f"fields.{mapping.stream}"]
        kept = bound.value() or ()
        open_words = {each.field: each.words for each in proposal.open_words}
        fields = fields_of(mapping.resource)
        return ProposedStream(
            proposal,
            is_kept,
            bound.errors,
            [
                ProposedField(
                    field=rule.field,
                    label=field_label(mapping.resource, rule.field),
                    origin=_origin(mapping.resource, rule),
                    is_required=fields[rule.field].is_required,
                    is_kept=fields[rule.field].is_required or rule.field in kept,
                    meanings=[
                        (word, value_label(mapping.resource, rule.field, meaning))
                        for word, meaning in rule.values.items()
                        if meaning
                    ],
                    open_words=open_words.get(rule.field, ()),
                )
                for rule in mapping.rules
            ],
        )


def _origin(resource: str, rule: FieldRule) -> str:
    if rule.columns:
        return rule.template or rule.columns[0]
    return _("always “%(value)s”") % {"value": value_label(resource, rule.field, str(rule.constant))}
