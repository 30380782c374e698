"""Words for resources and fields, and values as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils import formats, timezone

from integrations.choices import describe_problem
from integrations.models import SyncRun
from integrations.selectors.connections import Speed, speed_of
from integrations.selectors.labels import field_label, frequency_label, resource_label, value_label

register = template.Library()
register.filter("resource_label", resource_label)
register.filter("frequency_label", frequency_label)


@register.simple_tag
def field_name(resource: str, field: str) -> str:
    """The name of a field of a resource."""
    return field_label(resource, field)


@register.simple_tag
def value_name(resource: str, field: str, value: str) -> str:
    """The name of a value out of a closed list."""
    return value_label(resource, field, value)


@register.simple_tag
def run_speed(run: SyncRun) -> Speed | None:
    """How fast a run reads, and how long it will take."""
    return speed_of(run=run, now=timezone.now())


@register.simple_tag
def problem_sentence(problem: Mapping[str, Any]) -> str:
    """A problem of one stream in words."""
    return describe_problem(problem["code"], problem["params"])


@register.simple_tag
def querystring_of(**parts: str) -> str:
    """Names and values as the query of an address, escaped."""
    return urlencode(parts)


@register.filter
def paired(names: Iterable[str], values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Each name with its value."""
    return zip(names, values, strict=True)


@register.filter
def shown_value(value: Any) -> str:
    """A value of a record: dates and numbers in the reader's notation, lists joined, nothing for none.

    A reference to a record of another source is its id with the source behind it.
    """
    if value is None:
        return ""
    if isinstance(value, Mapping) and value.keys() == {"source", "external_id"}:
        return f"{value['external_id']} ({value['source']})"
    if isinstance(value, list | tuple):
        return "、".join(str(each) for each in value)
    if isinstance(value, datetime):
        return str(formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT"))
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
