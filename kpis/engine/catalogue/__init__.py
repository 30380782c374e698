"""The catalogue: the metrics of the trade with what they mean, how they are computed, and where they mislead.

Adding one is one entry in `sales`, `written` or `customers` and a test of its number. Definitions follow DOMAIN "Metric
definitions".
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from kpis.engine import specs
from kpis.engine.catalogue.customers import CUSTOMERS
from kpis.engine.catalogue.entries import CatalogueEntry
from kpis.engine.catalogue.sales import SALES
from kpis.engine.catalogue.written import WRITTEN
from kpis.engine.specs import Conversion, Filter, Ratio, Simple, Spec

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {each.metric.code: each for each in (*SALES, *WRITTEN, *CUSTOMERS)}
)

__all__ = ["CATALOGUE", "CatalogueEntry", "facts_of", "is_same", "with_needs"]


def with_needs(code: str) -> tuple[str, ...]:
    """An entry's code after those of all that its formula needs.

    >>> with_needs("win_rate")
    ('won_deals', 'closed_deals', 'win_rate')
    """
    found = [each for needed in CATALOGUE[code].needs for each in with_needs(needed)]
    return tuple(dict.fromkeys([*found, code]))


def facts_of(code: str) -> tuple[str, ...]:
    """The facts that an entry is computed from, its formula's included.

    >>> facts_of("clv_subscription")
    ('contracts', 'revenues')
    >>> facts_of("activities_per_deal")
    ('activities', 'deals')
    >>> facts_of("step_conversion")
    ('deals', 'deal-stage-events')
    >>> facts_of("order_backlog")
    ('deals', 'revenues')
    """
    return tuple(
        dict.fromkeys(fact for each in with_needs(code) for fact in specs.facts_read(CATALOGUE[each].metric.spec))
    )


def is_same(one: Spec, other: Spec) -> bool:
    """Whether two definitions count the same: one value is a list of one, a period's conversion a ratio.

    >>> won = specs.Simple("deals", "closed_on", "count", filters=(specs.Filter("outcome", "eq", "won"),))
    >>> is_same(won, CATALOGUE["won_deals"].metric.spec)
    True
    >>> is_same(specs.Conversion("leads", "mql", "sql"), specs.Conversion("leads", "mql", "sql", basis="period"))
    False
    """
    return specs.canonical(_plain(one)) == specs.canonical(_plain(other))


def _plain(spec: Spec) -> Spec:
    match spec:
        case Conversion(basis="period"):
            return _plain(Ratio(*specs.conversion_sides(spec)))
        case Ratio(numerator, denominator):
            return Ratio(_listed(numerator), _listed(denominator))
        case Simple():
            return _listed(spec)
        case _:
            return spec


def _listed(term: Simple) -> Simple:
    filters = tuple(
        Filter(each.field, "in", (each.value,)) if each.op == "eq" and not isinstance(each.value, tuple) else each
        for each in term.filters
    )
    return replace(term, filters=filters)
