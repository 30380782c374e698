"""What is measured of the facts, over all definitions, and how whole groups of it become dirty."""

from collections.abc import Iterable, Mapping

from kpis.choices import Credit
from kpis.engine import specs
from kpis.engine.cells import EXACT, block_group
from kpis.engine.specs import Simple, Term, Window
from kpis.models import DirtyRange, MetricVersion
from kpis.selectors.measures import measure, window_axis


def measured_terms() -> dict[str, dict[str, Term]]:
    """Block group → measure key → term, over all versions of all metrics."""
    terms: dict[str, dict[str, Term]] = {}
    for data in MetricVersion.objects.values_list("spec", flat=True):
        for term in specs.terms(specs.parse_spec(data)):
            terms.setdefault(block_group(term), {})[specs.measure_key(term)] = term
    return terms


def groups_reading_records(terms: Mapping[str, Mapping[str, Term]]) -> frozenset[str]:
    """The groups of events of which something is measured that the events themselves do not say.

    A record that changed may change these where all its events stay the same: by a field that only the record has, or
    by its other dates. A window looks at the records behind all events of its fact.
    """
    groups = set()
    for name, of in terms.items():
        for term in of.values():
            if isinstance(term, Window):
                groups.add(f"{term.fact}.{window_axis(term)}:{Credit.REVENUE}")
            elif isinstance(term, Simple) and measure(term).reads_record:
                groups.add(name.removesuffix(EXACT))
    return frozenset(groups)


def mark_groups(names: Iterable[str]) -> None:
    """Note whole measure groups as dirty, because what they measure, or the periods they are cut by, have changed."""
    DirtyRange.objects.bulk_create(DirtyRange(group=name) for name in sorted(set(names)))
