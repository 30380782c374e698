"""The fields of the form, and how a condition's value is asked for and read."""

import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from kpis.engine.facts import FieldType
from kpis.forms.definitions.words import SEVERAL
from kpis.selectors.known_values import KnownField


class Choice(forms.ChoiceField):
    """A choice whose faults the engine tells."""

    def valid_value(self, value: Any) -> bool:
        return True


class Several(forms.MultipleChoiceField):
    """Choices whose faults the engine tells."""

    def valid_value(self, value: Any) -> bool:
        return True


def value_field(op: str, known: KnownField, list_id: str) -> forms.Field:
    if known.is_closed and op in SEVERAL:
        return Several(choices=known.values, widget=forms.CheckboxSelectMultiple, label=_("Values"))
    if known.is_closed and op != "contains":
        return Choice(choices=[("", "–"), *known.values], label=_("Value"))
    if op in SEVERAL:
        return forms.CharField(widget=Lines(attrs={"rows": 3}), label=_("Values (one per line)"))
    if known.type is FieldType.DATE:
        return forms.CharField(widget=forms.DateInput(attrs={"type": "date"}), label=_("Value"))
    attrs = {"list": list_id, "autocomplete": "off"} if known.values else {"autocomplete": "off"}
    return forms.CharField(widget=forms.TextInput(attrs=attrs), label=_("Value"))


class Lines(forms.Textarea):
    """Several values, one per line, however they were typed."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:
        values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name, "")]
        return "\n".join(values)


def scalar(text: str, kind: FieldType, *, is_ordered: bool) -> object:
    """A typed value as JSON has it; what does not fit stays text, for the engine to refuse."""
    if kind is FieldType.BOOL and text in {"true", "false"}:
        return text == "true"
    if kind is FieldType.NUMBER or (kind is FieldType.ANY and is_ordered):
        plain = unicodedata.normalize("NFKC", text).replace(",", "")
        try:
            number = Decimal(plain)
        except InvalidOperation:
            return text
        if number.is_finite():
            return int(number) if number == number.to_integral_value() else float(number)
    return text
