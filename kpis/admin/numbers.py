"""Numbers of metrics in the administration: shown with their unit, rates typed in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils.functional import Promise

from kpis.choices import Unit
from kpis.engine.formats import write_number
from kpis.models import Metric
from kpis.templatetags.kpi import language_code, unit_word

HUNDRED = Decimal(100)


def write_measured(value: Decimal | None, metric: Metric | None) -> str:
    """A value as the pages show it; amounts without their currency, which is the company's."""
    if value is None:
        return "–"
    if metric is None:
        return f"{value.normalize():f}"
    written = write_number(value, unit=metric.unit, currency="", language=language_code())
    return written.text if metric.unit == Unit.AMOUNT else f"{written.text}{unit_word(written.unit)}"


def measured(field: str, label: str | Promise, *, metric: str) -> Callable[[Model], str]:
    """A column of a list: the row's `field` in the unit of the metric that stands at the path `metric`."""

    @admin.display(description=label, ordering=field)
    def column(row: Model) -> str:
        return write_measured(getattr(row, field), attrgetter(metric)(row))

    return column


def rated(field: str, label: str | Promise) -> Callable[[Model], str]:
    """A column of a list: a fraction in percent."""

    @admin.display(description=label, ordering=field)
    def column(row: Model) -> str:
        value = getattr(row, field)
        return "–" if value is None else write_number(value, unit=Unit.PERCENT, language=language_code()).text + "%"

    return column


def as_typed(value: Decimal | None, metric: Metric | None) -> str:
    """A stored value as it stands in a form."""
    if value is None:
        return ""
    return f"{(value * HUNDRED if _is_rate(metric) else value).normalize():f}"


def as_stored(typed: dict[str, Any], metric: Metric | None, *, fields: Iterable[str]) -> dict[str, Any]:
    """What a form holds, with the numbers in `fields` as they are stored."""
    if not _is_rate(metric):
        return typed
    return typed | {name: typed[name] / HUNDRED for name in fields if typed[name] is not None}


def _is_rate(metric: Metric | None) -> bool:
    return metric is not None and metric.unit == Unit.PERCENT
