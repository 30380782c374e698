"""Definitions in words, for people who did not write them."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kpis.choices import SnapshotMeasure
from kpis.engine import formula, specs
from kpis.models import Deal, DealPhase, KpiNode, Metric, MetricVersion
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
STAGES = {
    "created": gettext_lazy("Created"),
    "mql": "MQL",
    "sql": "SQL",
    "deal": gettext_lazy("Deals"),
    "won": gettext_lazy("Won"),
}
RETENTION = {
    "logo_churn": gettext_lazy("Customers lost ÷ customers at the start"),
    "gross_churn": gettext_lazy("(MRR of lost customers + contraction) ÷ MRR at the start"),
    "net_churn": gettext_lazy("(MRR of lost customers + contraction − expansion) ÷ MRR at the start"),
    "grr": gettext_lazy("(MRR at the start − contraction − lost) ÷ MRR at the start"),
    "nrr": gettext_lazy("(MRR at the start + expansion − contraction − lost) ÷ MRR at the start, same customers"),
}
RENEWALS = {
    "count": gettext_lazy("Contracts renewed ÷ contracts due, as they were when the month began"),
    "amount": gettext_lazy("MRR of contracts renewed ÷ MRR of contracts due, as they were when the month began"),
}
CUSTOMER_VALUES = {
    "subscription": gettext_lazy(
        "Yearly MRR per customer × gross margin ÷ customer churn a year, %(years)s years at most"
    ),
    "frequency": gettext_lazy("Unit price × purchases per customer a year × %(years)s years"),
    "historic": gettext_lazy("Gross profit to date ÷ customers"),
}
CUSTOMER_COUNTS = {
    "new": gettext_lazy("Customers whose first purchase lies in the period"),
    "dormant": gettext_lazy("Customers who have bought before, but no more"),
}
SCORES = {
    "nps": gettext_lazy("(Answers of 9-10 − answers of 0-6) ÷ answers × 100"),
    "csat": gettext_lazy("Answers of 4-5 ÷ answers"),
}
# Closed lists that the models keep as plain text.
VALUES = {
    "call": gettext_lazy("Phone call"),
    "meeting": gettext_lazy("Sales meeting"),
    "visit": gettext_lazy("Customer visit"),
    "mail": gettext_lazy("E-mail sent"),
    "demo": gettext_lazy("Product demonstration"),
    "proposal": gettext_lazy("Proposal made"),
    "one_off": gettext_lazy("One-off revenue"),
    "recurring": gettext_lazy("Recurring revenue"),
    "maintenance": gettext_lazy("Maintenance revenue"),
    "other": gettext_lazy("Other kind"),
    "new": gettext_lazy("New customer"),
    "existing": gettext_lazy("Existing customer"),
}
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
    spec = specs.parse_spec(version.spec)
    if not isinstance(spec, specs.Formula):
        return spec_words(spec)
    codes = formula.names(spec.expression)
    return spec_words(spec, dict(Metric.objects.filter(code__in=codes).values_list("code", "name")))


def spec_words(spec: specs.Spec, names: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """The same for a definition that no metric has yet; `names` are those of the codes that a formula names."""
    match spec:
        case specs.Simple() as term:
            return _term_words(term)
        case specs.Ratio(numerator, denominator):
            above, below = _term_words(numerator), _term_words(denominator)
            return [f"{above[0]} ÷ {below[0]}", *dict.fromkeys([*above[1:], *below[1:]])]
        case specs.Formula(expression):
            return [_formula_words(expression, names)]
        case specs.Conversion() as conversion:
            return _conversion_words(conversion)
        case specs.Retention() as retention:
            return _retention_words(retention)
        case specs.Repeat() as repeat:
            return _repeat_words(repeat)
        case specs.Clv() as value:
            return _customer_value_words(value)
        case specs.Score() as score:
            return [str(SCORES[score.survey]), *_filters_words("surveys", score.filters)]
        case specs.Snapshot(measure, filters):
            noted = _("Written down once a day: %(measure)s") % {"measure": SnapshotMeasure(measure).label}
            return [noted, *_filters_words(specs.SNAPSHOT_FACTS.get(measure, ""), filters)]
        case specs.Manual():
            return [_("Entered by hand")]


def controllable_words(node: KpiNode) -> list[str]:
    """Who can move the number, and how far."""
    return [
        f"{DEPARTMENTS[department]}（{DEGREES[degree]}）"
        for department, degree in node.controllable_by.items()
        if department in DEPARTMENTS and degree in DEGREES
    ]


def stage_name(stage: str) -> str:
    """A stage as a reader knows it; a step of a sale by the company's phases, or its number before there are any."""
    if stage in STAGES:
        return str(STAGES[stage])
    step = stage.removeprefix("step")
    named = DealPhase.objects.filter(step=step).values_list("name", flat=True)
    return "・".join(named) or _("step %(number)s") % {"number": step}


def _conversion_words(spec: specs.Conversion) -> list[str]:
    start, end = stage_name(spec.start), stage_name(spec.end)
    narrowed = _filters_words(spec.fact, spec.filters)
    if spec.basis == "period":
        return [_("%(end)s in the period ÷ %(start)s in the period") % {"start": start, "end": end}, *narrowed]
    above = _("Of the %(start)s of the period, those that became %(end)s within %(days)s days")
    return [
        above % {"start": start, "end": end, "days": spec.window_days},
        _("Known %(days)s days after the end of the period") % {"days": spec.window_days},
        *narrowed,
    ]


def _retention_words(spec: specs.Retention) -> list[str]:
    narrowed = _filters_words("contracts", spec.filters)
    if spec.measure == "renewal_rate":
        window = [_window_words(spec.window_months)] if spec.window_months > 1 else []
        return [str(RENEWALS[spec.weight]), *window, *narrowed]
    return [str(RETENTION[spec.measure]), _window_words(spec.window_months), *narrowed]


def _repeat_words(spec: specs.Repeat) -> list[str]:
    if spec.measure != "rate":
        window = [_window_words(spec.window_months)] if spec.measure == "dormant" else []
        return [str(CUSTOMER_COUNTS[spec.measure]), *window, *_filters_words(spec.fact, spec.filters)]
    what = _("Customers with at least %(least)s purchases ÷ customers with a purchase") % {"least": spec.min_count}
    return [what, _window_words(spec.window_months), *_filters_words(spec.fact, spec.filters)]


def _customer_value_words(spec: specs.Clv) -> list[str]:
    what = str(CUSTOMER_VALUES[spec.formula]) % {"years": spec.years}
    window = [] if spec.formula == "historic" else [_window_words(spec.window_months)]
    return [what, *window, *_filters_words("revenues" if spec.formula == "historic" else "orders", spec.filters)]


def _window_words(months: int) -> str:
    return ngettext(
        "Over the month that ends with the period", "Over the %(months)s months that end with the period", months
    ) % {"months": months}


def _filters_words(fact: str, filters: Iterable[specs.Filter]) -> list[str]:
    return [_filter_words(MODELS[fact], each) for each in filters]


def _term_words(term: specs.Simple) -> list[str]:
    model = MODELS[term.fact]
    if term.days_between:
        first, last = (_field_name(model, name) for name in term.days_between)
        field = _("days from %(first)s to %(last)s") % {"first": first, "last": last}
    else:
        field = _field_name(model, term.field) if term.field else ""
    what = AGGREGATES[term.aggregate] % {"field": field, "fact": model._meta.verbose_name_plural}
    lines = [str(what), _("Dated by %(date)s") % {"date": axis_name(term.fact, term.date)}]
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


def field_name(fact: str, name: str) -> str:
    """A field of a fact, or of its account or deal, as people call it."""
    return _field_name(MODELS[fact], name)


def axis_name(fact: str, axis: str) -> str:
    """A date by which a fact is counted, as people call it; of a step of a sale the day on which a deal passed it."""
    if fact == "deals" and axis in specs.STEP_AXES:
        return _("the day of passing %(step)s") % {"step": stage_name(axis.removesuffix("_on"))}
    return _field_name(MODELS[fact], axis)


def value_name(fact: str, field: str, value: object) -> str:
    """A value of a closed list as people call it; anything else as it is."""
    return _value_words(MODELS[fact], field, value)


def _value_words(model: type[models.Model], field: str, value: object) -> str:
    if field.startswith(specs.DEAL):
        return _value_words(Deal, field.removeprefix(specs.DEAL), value)
    if field in {"kind", "customer_type"} and str(value) in VALUES:
        return str(VALUES[str(value)])
    if field in {each.name for each in model._meta.get_fields()}:
        choices = dict(getattr(model._meta.get_field(field), "flatchoices", None) or ())
        return str(choices.get(value, value))
    return str(value)


def _field_name(model: type[models.Model], name: str) -> str:
    if name.startswith(specs.ACCOUNT):
        inner = _field_name(MODELS["accounts"], name.removeprefix(specs.ACCOUNT))
        return _("%(field)s of the account") % {"field": inner}
    if name.startswith(specs.DEAL):
        return _("%(field)s of the deal") % {"field": _field_name(Deal, name.removeprefix(specs.DEAL))}
    for holder in (model, Deal):  # what a record carries of its deal is called as it is there
        if name in {each.name for each in holder._meta.get_fields()}:
            return str(getattr(holder._meta.get_field(name), "verbose_name", name))
    return name.removeprefix(specs.ATTRIBUTES)


def _formula_words(expression: str, names: Mapping[str, str]) -> str:
    """The expression with the names of the metrics in place of their codes."""
    parts = re.split(r"([A-Za-z_]\w*)", expression)
    return "".join(names.get(part, _signs(part)) for part in parts)


def _signs(text: str) -> str:
    for code, sign in SIGNS.items():
        text = text.replace(code, sign)
    return re.sub(" +", " ", text)
