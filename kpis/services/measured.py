"""What is measured of the facts, over all definitions, and how whole groups of it become dirty."""

from collections.abc import Iterable

from kpis.engine import specs
from kpis.engine.cells import block_group
from kpis.engine.specs import Term
from kpis.models import DirtyRange, MetricVersion


def measured_terms() -> dict[str, dict[str, Term]]:
    """Block group → measure key → term, over all versions of all metrics."""
    terms: dict[str, dict[str, Term]] = {}
    for data in MetricVersion.objects.values_list("spec", flat=True):
        for term in specs.terms(specs.parse_spec(data)):
            terms.setdefault(block_group(term), {})[specs.measure_key(term)] = term
    return terms


def mark_groups(names: Iterable[str]) -> None:
    """Note whole measure groups as dirty, because what they measure, or the periods they are cut by, have changed."""
    DirtyRange.objects.bulk_create(DirtyRange(group=name) for name in sorted(set(names)))
