"""Which fields of which records a metric is computed from, so that a field that fails can be told by its numbers."""

from collections.abc import Mapping
from types import MappingProxyType

from kpis.engine.facts import FACTS
from kpis.engine.specs.kinds import STEP_AXES, Filter, Spec, Term, Window
from kpis.engine.specs.terms import terms

Use = tuple[str, str]
"""A resource and a field of it."""

# What a day on which something happened is read from, where that is more than the field of its name.
_AXES: Mapping[Use, frozenset[Use]] = MappingProxyType(
    {
        ("leads", "mql_on"): frozenset({("lead-stage-events", "stage"), ("lead-stage-events", "entered_at")}),
        ("leads", "sql_on"): frozenset(
            {("lead-stage-events", "stage"), ("lead-stage-events", "entered_at"), ("deals", "lead")}
        ),
        ("leads", "deal_on"): frozenset({("deals", "lead"), ("deals", "created_on")}),
        ("leads", "won_on"): frozenset({("deals", "lead"), ("deals", "closed_on"), ("deals", "outcome")}),
        ("deals", "closed_on"): frozenset({("deals", "outcome")}),
        **{
            ("deals", axis): frozenset(
                {("deals", "phase"), ("deal-stage-events", "phase"), ("deal-stage-events", "entered_at")}
            )
            for axis in STEP_AXES
        },
    }
)
_CONTRACT = ("account", "starts_on", "ends_on", "mrr", "subscription")
_WINDOWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "retention": _CONTRACT,
        "renewals": (*_CONTRACT, "renewal_due_on", "renewed"),
        "purchases": ("account", "amount", "ordered_on", "closed_on", "outcome"),
        "history": ("account", "amount", "ordered_on", "closed_on", "outcome"),
        "margin": ("account", "amount", "gross_profit", "recognized_on"),
    }
)
# Without these nothing of a record can be counted, or for nobody.
_ALWAYS = ("external_id", "owner")


def fields_used(spec: Spec) -> frozenset[Use]:
    """The fields that the terms of a spec are computed from; nothing for a formula, which names other metrics.

    >>> from kpis.engine.specs import Simple
    >>> won = Simple("deals", "closed_on", "sum", field="amount", filters=(Filter("account.industry", "eq", "IT"),))
    >>> [use for use in sorted(fields_used(won)) if use[1] not in ("external_id", "owner")]
    [('accounts', 'industry'), ('deals', 'account'), ('deals', 'amount'), ('deals', 'closed_on'), ('deals', 'outcome')]
    """
    return frozenset(use for term in terms(spec) for use in _of_term(term))


def _of_term(term: Term) -> set[Use]:
    fact = term.fact
    used = {(fact, name) for name in _ALWAYS}
    for narrowing in term.filters:
        used |= _of_filter(fact, narrowing)
    if isinstance(term, Window):
        return used | {(fact, name) for name in _WINDOWS[term.subject]}
    axes = {term.date, *(term.days_between or ()), *((term.reached.axis,) if term.reached else ())}
    for axis in axes:
        used |= {(fact, axis)} | _AXES.get((fact, axis), frozenset())
    return used | ({(fact, term.field)} if term.field else set())


def _of_filter(fact: str, narrowing: Filter) -> set[Use]:
    """A filter looks at a field of the record or, carried or with a dot, at one of its deal or account."""
    name = narrowing.field
    for owner, resource in (("account", "accounts"), ("deal", "deals")):
        inner = name.removeprefix(f"{owner}.")
        if inner != name:
            return {(fact, owner), (resource, inner)}
    if name in FACTS[fact].carried:
        return {(fact, "deal"), ("deals", name)}
    return {(fact, name)}
