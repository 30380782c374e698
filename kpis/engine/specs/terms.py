"""What must be stored for a spec: its terms, under which key, in which group."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import assert_never

from kpis.engine.facts import FACTS
from kpis.engine.specs.kinds import (
    SNAPSHOT_FACTS,
    STAGES,
    STEP_AXES,
    WON,
    Clv,
    Conversion,
    Filter,
    Formula,
    Manual,
    Ratio,
    Reached,
    Repeat,
    Retention,
    Score,
    Simple,
    Snapshot,
    Spec,
    Term,
    Window,
)
from kpis.engine.specs.term_reading import DEAL
from kpis.engine.specs.writing import ordered, stable_json, term_data

# A landing by pace is made of whatever the KGI counts, and a call of nothing but what somebody says.
_WRITTEN_FROM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{measure: (fact,) for measure, fact in SNAPSHOT_FACTS.items()},
        "coverage": ("deals",),
        "landing_rollup": ("deals",),
        "order_backlog": ("deals", "revenues"),
    }
)
ADDITIVE_AGGREGATES = ("sum", "count", "average")


def terms(spec: Spec) -> tuple[Term, ...]:
    """The terms whose measures must be stored for a spec; none for formula and manual.

    >>> leads = Simple("leads", "created_on", "count")
    >>> terms(Ratio(leads, leads)) == (leads, leads)
    True
    """
    match spec:
        case Simple():
            return (spec,)
        case Ratio(numerator, denominator):
            return (numerator, denominator)
        case Formula() | Manual() | Snapshot():
            return ()
        case Conversion():
            return conversion_sides(spec)
        case Retention(measure="renewal_rate", window_months=1):
            return renewal_sides(spec)
        case Retention(measure="renewal_rate"):
            return (Window("renewals", "contracts", spec.window_months, filters=spec.filters),)
        case Retention():
            return (Window("retention", "contracts", spec.window_months, filters=spec.filters),)
        case Repeat(measure="new"):
            return (Window("history", spec.fact, 0, filters=spec.filters),)
        case Repeat(measure="dormant"):
            return (Window("history", spec.fact, spec.window_months, filters=spec.filters),)
        case Repeat():
            return (Window("purchases", spec.fact, spec.window_months, spec.min_count, spec.filters),)
        case Clv():
            return tuple(replace(term, filters=spec.filters) for term in _CLV_TERMS[spec.formula](spec.window_months))
        case Score():
            return score_sides(spec)
        case _:
            assert_never(spec)


def conversion_sides(spec: Conversion) -> tuple[Simple, Simple]:
    """Numerator and denominator of a conversion.

    >>> numerator, denominator = conversion_sides(Conversion("leads", "mql", "sql"))
    >>> denominator.date, numerator.date, numerator.reached
    ('mql_on', 'mql_on', Reached(axis='sql_on', within_days=90))
    """
    stages = STAGES[spec.fact]
    filters = (*spec.filters, *([Filter("origin", "in", spec.origin)] if spec.origin and spec.fact == "deals" else []))
    denominator = Simple(spec.fact, stages[spec.start], "count", filters=filters)
    if spec.basis == "cohort":
        reached = Reached("won_on" if spec.end == "won" else stages[spec.end], spec.window_days)
        return replace(denominator, reached=reached), denominator
    is_won_deal = spec.fact == "deals" and spec.end == "won"
    only = (*filters, WON) if is_won_deal else filters
    return Simple(spec.fact, stages[spec.end], "count", filters=only), denominator


def renewal_sides(spec: Retention) -> tuple[Simple, Simple]:
    """Renewed and due, by number of contracts or by their monthly amount, on the day they are due.

    >>> [side.aggregate for side in renewal_sides(Retention("renewal_rate", weight="amount"))]
    ['sum', 'sum']
    """
    by_amount = spec.weight == "amount"
    due = Simple(
        "contracts",
        "renewal_due_on",
        "sum" if by_amount else "count",
        field="mrr" if by_amount else None,
        filters=spec.filters,
    )
    return replace(due, filters=(*spec.filters, Filter("renewed", "eq", True))), due


def score_sides(spec: Score) -> tuple[Simple, Simple, Simple]:
    """The good answers, the bad ones, and all (CSAT knows no bad ones: it counts the best two of five).

    >>> [side.filters[-1].value for side in score_sides(Score("nps"))]
    [Decimal('9'), Decimal('6'), 'nps']
    """
    answers = Simple("surveys", "answered_on", "count", filters=(*spec.filters, Filter("kind", "eq", spec.survey)))
    best, worst = (Decimal(9), Decimal(6)) if spec.survey == "nps" else (Decimal(4), Decimal(-1))
    good = replace(answers, filters=(*answers.filters, Filter("score", "gte", best)))
    bad = replace(answers, filters=(*answers.filters, Filter("score", "lte", worst)))
    return good, bad, replace(answers, min_count=spec.min_count)


def measure_key(term: Term) -> str:
    """Under which key a term's measure is stored: a hash of everything but a `min_count` that only reading needs.

    >>> measure_key(Simple("leads", "created_on", "count", min_count=5)) == measure_key(
    ...     Simple("leads", "created_on", "count"))
    True
    """
    plain = replace(term, min_count=None) if isinstance(term, Simple) else term
    return hashlib.sha256(stable_json(term_data(ordered(plain))).encode()).hexdigest()[:12]


def event_kinds(fact: str) -> tuple[str, ...]:
    """All kinds of dated event that one kind of fact makes.

    >>> event_kinds("orders")
    ('orders.ordered_on',)
    """
    return tuple(dict.fromkeys(f"{fact}.{axis}" for axis in (*FACTS[fact].dates, *STAGES.get(fact, {}).values())))


def event_kind(simple: Simple) -> str:
    """The kind of dated event that a term counts.

    >>> event_kind(Simple("deals", "closed_on", "count"))
    'deals.closed_on'
    """
    return f"{simple.fact}.{simple.date}"


def group(simple: Simple) -> str:
    """The group of measures that are stored, and become dirty, together.

    >>> group(Simple("deals", "closed_on", "count", credit="overlay"))
    'deals.closed_on:overlay'
    """
    return f"{event_kind(simple)}:{simple.credit}"


def facts_behind(term: Term) -> tuple[str, ...]:
    """The facts that a term is computed from: its own, and those that say what it is narrowed or dated by.

    That is the history of when a deal passed a step, and the deals by whose channel, say, a revenue is narrowed.

    >>> facts_behind(Simple("deals", "step2_on", "count"))
    ('deals', 'deal-stage-events')
    >>> facts_behind(Simple("activities", "happened_on", "count", filters=(Filter("customer_type", "eq", "new"),)))
    ('activities', 'deals')
    """
    if steps_behind(term):
        return (term.fact, "deal-stage-events")
    return (term.fact, "deals") if any(is_of_deal(term.fact, each.field) for each in term.filters) else (term.fact,)


def is_of_deal(fact: str, name: str) -> bool:
    """Whether a filter of a fact reads the deal that the fact belongs to.

    >>> is_of_deal("revenues", "sales_channel"), is_of_deal("revenues", "product"), is_of_deal("deals", "product")
    (True, False, False)
    """
    return name in FACTS[fact].carried or name.startswith(DEAL)


def steps_behind(term: Term) -> frozenset[int]:
    """The steps of a sale that a term counts by: where the company has not numbered one, nobody passes it.

    >>> sorted(steps_behind(conversion_sides(Conversion("deals", "created", "step2"))[0]))
    [2]
    """
    if not isinstance(term, Simple) or term.fact != "deals":
        return frozenset()
    axes = (term.date, term.reached.axis) if term.reached else (term.date,)
    return frozenset(STEP_AXES[axis] for axis in axes if axis in STEP_AXES)


def facts_read(spec: Spec) -> tuple[str, ...]:
    """All facts that the numbers of a spec come from; of a formula none, its codes have their own.

    >>> facts_read(Simple("deals", "step2_on", "count")), facts_read(Snapshot("order_backlog"))
    (('deals', 'deal-stage-events'), ('deals', 'revenues'))
    """
    if isinstance(spec, Snapshot):
        return _WRITTEN_FROM.get(spec.measure, ())
    return tuple(dict.fromkeys(fact for term in terms(spec) for fact in facts_behind(term)))


def is_additive(term: Term) -> bool:
    """Whether months add up to a quarter (an average stores its sum and count; median and distinct do not add up).

    >>> is_additive(Simple("deals", "closed_on", "median", field="amount"))
    False
    """
    return isinstance(term, Simple) and term.aggregate in ADDITIVE_AGGREGATES


_CLV_TERMS: Mapping[str, Callable[[int], tuple[Window, ...]]] = MappingProxyType(
    {
        "subscription": lambda months: (Window("retention", "contracts", months), Window("margin", "revenues", months)),
        "frequency": lambda months: (Window("purchases", "orders", months),),
        "historic": lambda _months: (Window("margin", "revenues", 0),),
    }
)
