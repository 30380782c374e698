"""What the words of a field meant before a day: shown, kept when they change their meaning, and forgotten again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.connectors.mapping import FieldRule


@dataclass(frozen=True)
class EarlierWords:
    """What words meant before a day, each with the name of its meaning; `is_forgotten`: it goes when saved."""

    until: date
    said: Sequence[tuple[str, str]]
    is_forgotten: bool


@dataclass(frozen=True)
class EarlierRow:
    """The part of one field in the editor."""

    until: forms.BoundField
    dated_by: forms.BoundField
    kept: Sequence[EarlierWords]

    @property
    def is_open(self) -> bool:
        return bool(self.kept or self.until.value() or self.errors)

    @property
    def errors(self) -> list[str]:
        return [*self.until.errors, *self.dated_by.errors]


def make_fields(form: forms.Form, name: str, rule: FieldRule, columns: Sequence[tuple[str, str]]) -> None:
    """The fields with which a person keeps and forgets what the words of `name` meant before."""
    form.fields[f"until.{name}"] = forms.DateField(
        required=False,
        label=_("Before this day, the words meant what is saved now"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    form.fields[f"dated_by.{name}"] = forms.ChoiceField(
        required=False, label=_("The field with the day of a record"), choices=columns, initial=rule.dated_by
    )
    form.fields[f"forget.{name}"] = forms.MultipleChoiceField(
        required=False, choices=[(each["until"], each["until"]) for each in rule.earlier]
    )


def row_of(form: forms.Form, name: str, rule: FieldRule, named: Callable[[str], str]) -> EarlierRow:
    """`named` gives the name of a meaning."""
    forgotten = form[f"forget.{name}"].value() or ()
    kept = [
        EarlierWords(
            date.fromisoformat(each["until"]),
            [(word, named(meaning)) for word, meaning in each["values"].items()],
            each["until"] in forgotten,
        )
        for each in sorted(rule.earlier, key=lambda each: str(each["until"]))
    ]
    return EarlierRow(form[f"until.{name}"], form[f"dated_by.{name}"], kept)


def with_earlier(form: forms.Form, name: str, rule: FieldRule, cleaned: Mapping[str, Any]) -> FieldRule:
    """The rule with what a person keeps of earlier meanings; `rule` carries those that are saved now."""
    until, dated_by = cleaned.get(f"until.{name}"), cleaned.get(f"dated_by.{name}", "")
    forgotten = cleaned.get(f"forget.{name}") or ()
    kept = [each for each in rule.earlier if each["until"] not in forgotten and each["until"] != str(until)]
    if until is not None:
        if not rule.values:
            form.add_error(f"until.{name}", gettext("No meanings are saved yet that could count for the time before."))
        kept.append({"until": until.isoformat(), "values": dict(rule.values)})
    if kept and not dated_by:
        form.add_error(f"dated_by.{name}", gettext("Choose the field that says of which day a record is."))
    return replace(rule, dated_by=dated_by if kept else "", earlier=tuple(kept))
