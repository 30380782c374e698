"""A stored definition taken apart into what its form would have typed in it."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from kpis.forms.definitions.words import DAYS

Typed = MultiValueDict  # field name → the texts typed in it


def typed_of(spec: Mapping[str, object]) -> Typed:
    """A definition taken apart into what its form would have typed in it."""
    typed = QueryDict(mutable=True)
    _flatten("", spec, typed)
    return typed


def _flatten(prefix: str, data: Mapping[str, object], typed: Typed) -> None:
    for name, value in data.items():
        if name == "filters" and isinstance(value, list):
            for number, each in enumerate(value):
                _flatten_filter(f"{prefix}filters-{number}-", each, typed)
        elif isinstance(value, Mapping):
            _flatten(f"{prefix}{name}-", value, typed)
        elif name == "days_between" and isinstance(value, list | tuple):
            typed[f"{prefix}field"] = DAYS
            for number, each in enumerate(value):
                typed[f"{prefix}days_between-{number}"] = str(each)
        elif isinstance(value, list | tuple):
            typed.setlist(f"{prefix}{name}", [str(each) for each in value])
        elif value is not None and not (prefix and name == "kind"):
            typed[f"{prefix}{name}"] = str(value)


def _flatten_filter(prefix: str, condition: Mapping[str, Any], typed: Typed) -> None:
    op, value = condition["op"], condition["value"]
    typed[f"{prefix}field"] = condition["field"]
    typed[f"{prefix}op"] = "is_known" if op == "is_null" and value is False else op
    if op != "is_null":
        values = value if isinstance(value, list | tuple) else [value]
        typed.setlist(f"{prefix}value", [str(v).lower() if isinstance(v, bool) else str(v) for v in values])
