"""Definitions in words, for people who did not write them."""

import re

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import SnapshotMeasure
from kpis.engine import formula, specs
from kpis.models import KpiNode, Metric, MetricVersion
from kpis.models.resources import MODELS

AGGREGATES = {
    "count": gettext_lazy("Number of %(fact)s"),
    "sum": gettext_lazy("Sum of %(field)s of %(fact)s"),
    "average": gettext_lazy("Average of %(field)s of %(fact)s"),
    "median": gettext_lazy("Median of %(field)s of %(fact)s"),
    "distinct": gettext_lazy("Number of different %(field)s of %(fact)s"),
}
OPERATORS = {
    "eq": "=",
    "in": "=",
    "ne": "≠",
    "not_in": "≠",
    "gt": ">",
    "gte": "≥",
    "lt": "<",
    "lte": "≤",
    "contains": "⊃",
}
SIGNS = {"*": " × ", "/": " ÷ ", "+": " + ", "-": " − "}
DEPARTMENTS = {
    "marketing": gettext_lazy("Marketing"),
    "inside_sales": gettext_lazy("Inside sales"),
    "field_sales": gettext_lazy("Field sales"),
    "account_owner": gettext_lazy("Account owners"),
    "customer_success": gettext_lazy("Customer success"),
}
DEGREES = {"full": gettext_lazy("fully"), "partial": gettext_lazy("partly")}


def definition_words(version: MetricVersion | None) -> list[str]:
    """What is calculated, one line each: the calculation, then how its parts are narrowed."""
    if version is None:
        return []
    match specs.parse_spec(version.spec):
        case specs.Simple() as term:
            return _term_words(term)
        case specs.Ratio(numerator, denominator):
            above, below = _term_words(numerator), _term_words(denominator)
            return [f"{above[0]} ÷ {below[0]}", *dict.fromkeys([*above[1:], *below[1:]])]
        case specs.Formula(expression):
            return [_formula_words(expression)]
        case specs.Snapshot(measure):
            return [_("Written down once a day: %(measure)s") % {"measure": SnapshotMeasure(measure).label}]
        case _:
            return [_("Entered by hand")]


def controllable_words(node: KpiNode) -> list[str]:
    """Who can move the number, and how far."""
    return [
        f"{DEPARTMENTS[department]}（{DEGREES[degree]}）"
        for department, degree in node.controllable_by.items()
        if department in DEPARTMENTS and degree in DEGREES
    ]


def _term_words(term: specs.Simple) -> list[str]:
    model = MODELS[term.fact]
    if term.days_between:
        first, last = (_field_name(model, name) for name in term.days_between)
        field = _("days from %(first)s to %(last)s") % {"first": first, "last": last}
    else:
        field = _field_name(model, term.field) if term.field else ""
    what = AGGREGATES[term.aggregate] % {"field": field, "fact": model._meta.verbose_name_plural}
    lines = [str(what), _("Dated by %(date)s") % {"date": _field_name(model, term.date)}]
    if term.credit == "overlay":
        lines.append(_("Overlay credit"))
    return [*lines, *(_filter_words(model, each) for each in term.filters)]


def _filter_words(model: type[models.Model], condition: specs.Filter) -> str:
    name = _field_name(model, condition.field)
    if condition.op == "is_null":
        return (
            _("%(field)s is empty") % {"field": name} if condition.value else _("%(field)s is known") % {"field": name}
        )
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return (
        f"{name} {OPERATORS[condition.op]} {', '.join(_value_words(model, condition.field, each) for each in values)}"
    )


def _value_words(model: type[models.Model], field: str, value: object) -> str:
    if field in {each.name for each in model._meta.get_fields()}:
        choices = dict(getattr(model._meta.get_field(field), "flatchoices", None) or ())
        return str(choices.get(value, value))
    return str(value)


def _field_name(model: type[models.Model], name: str) -> str:
    if name in {each.name for each in model._meta.get_fields()}:
        return str(getattr(model._meta.get_field(name), "verbose_name", name))
    return name.removeprefix(specs.ATTRIBUTES)


def _formula_words(expression: str) -> str:
    """The expression with the names of the metrics in place of their codes."""
    named = dict(Metric.objects.filter(code__in=formula.names(expression)).values_list("code", "name"))
    parts = re.split(r"([A-Za-z_]\w*)", expression)
    return "".join(named.get(part, _signs(part)) for part in parts)


def _signs(text: str) -> str:
    for code, sign in SIGNS.items():
        text = text.replace(code, sign)
    return re.sub(" +", " ", text)
