"""Fields that a company names itself: added to a mapping under a code, with a type that the sample shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from integrations.connectors import values
from integrations.connectors.base import SourceField
from integrations.connectors.errors import BadValueError
from integrations.connectors.mapping import ATTRIBUTE_PREFIX, FieldRule
from integrations.connectors.values import Cell

CODE = re.compile(r"\w[\w -]{0,79}")
MOST_CODES = 50
BY_SAMPLE, TEXT = "sample", "text"
KINDS = [
    (BY_SAMPLE, _("by the sample")),
    (TEXT, pgettext_lazy("type of a field", "Text")),
    ("number", pgettext_lazy("type of a field", "Number")),
    ("date", pgettext_lazy("type of a field", "Date")),
    ("flag", pgettext_lazy("type of a field", "Yes or no")),
]
# What a source says about a field of its own, as far as a custom field has such a type.
TOLD = {"number": "number", "flag": "flag", "date": "date"}
UTC = ZoneInfo("UTC")


def codes_in(form: forms.Form, rules: Iterable[FieldRule]) -> list[str]:
    """The codes of the custom fields on the page: those that were sent, else those of the mapping in force."""
    if not form.is_bound:
        return [rule.field.removeprefix(ATTRIBUTE_PREFIX) for rule in rules if rule.field.startswith(ATTRIBUTE_PREFIX)]
    sent = [code.strip() for code in form.data.getlist("custom")]  # type: ignore[attr-defined]
    return [code for code in dict.fromkeys(sent) if CODE.fullmatch(code)][:MOST_CODES]


def faulty_codes(form: forms.Form) -> list[str]:
    """What was typed as a code and cannot be one."""
    sent = form.data.getlist("custom") if form.is_bound else ()  # type: ignore[attr-defined]
    return [code.strip()[:200] for code in sent if code.strip() and not CODE.fullmatch(code.strip())]


def code_fault(code: str) -> str:
    """Why this is no code, and what one is."""
    text = gettext("“%(code)s” cannot be the name of a field. Use up to 80 letters, digits, blanks, - and _.")
    return text % {"code": code}


def make_field(form: forms.Form, name: str, rule: FieldRule | None) -> None:
    """The field with which a person says the type of a custom field."""
    form.fields[f"kind.{name}"] = forms.ChoiceField(
        required=False,
        choices=KINDS,
        initial=BY_SAMPLE if rule is None else rule.kind or TEXT,
        label=_("Type"),
    )


def kind_said(chosen: str, field: SourceField | None, cells: Sequence[Cell]) -> str:
    """The type that was chosen; by the sample, as the source says it or else as every one of its cells can be read.

    >>> kind_said("sample", None, ["1,200", "30"]), kind_said("sample", None, ["001", "2"])
    ('number', '')
    """
    if chosen != BY_SAMPLE:
        return "" if chosen == TEXT else chosen
    if field is not None and field.kind in TOLD:
        return TOLD[field.kind]
    there = [cell for cell in cells if values.text_of(cell)]
    if not there or any(_is_code(cell) for cell in there):
        return ""
    readers: dict[str, Callable[[Cell], Any]] = {
        "number": values.parse_number,
        "date": lambda cell: values.parse_date(cell, zone=UTC),
        "flag": values.parse_bool,
    }
    return next((kind for kind, read in readers.items() if all(_can(read, cell) for cell in there)), "")


def _is_code(cell: Cell) -> bool:
    """Whether digits are written as no number is: 007 is a name, not seven."""
    return isinstance(cell, str) and re.fullmatch(r"\s*0\d+\s*", cell) is not None


def _can(read: Callable[[Cell], Any], cell: Cell) -> bool:
    try:
        return read(cell) is not None
    except BadValueError:
        return False
