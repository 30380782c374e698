"""Reads of metrics' definitions."""

from collections.abc import Mapping

from kpis.engine import specs
from kpis.engine.formula import names
from kpis.engine.graph import needed
from kpis.models import FactStream, Metric, MetricVersion


def formula_references() -> Mapping[str, tuple[str, ...]]:
    """Metric code → the codes that its formulas name, over all its versions; none for other kinds."""
    references: dict[str, tuple[str, ...]] = dict.fromkeys(Metric.objects.values_list("code", flat=True), ())
    for code, data in MetricVersion.objects.values_list("metric__code", "spec").order_by("number"):
        spec = specs.parse_spec(data)
        if isinstance(spec, specs.Formula):
            references[code] = tuple(dict.fromkeys((*references[code], *names(spec.expression))))
    return references


def newest_specs() -> Mapping[str, specs.Spec]:
    """Metric code → its newest definition; one query."""
    versions = MetricVersion.objects.values_list("metric__code", "spec").order_by("number")
    return {code: specs.parse_spec(data) for code, data in dict(versions).items()}


def sourced_codes(definitions: Mapping[str, specs.Spec]) -> frozenset[str]:
    """The metrics for which data arrives: every fact they count, directly or by formula, has been delivered once.

    A metric that a person enters needs none; who enters it is the KPI owner. One query.
    """
    delivered = set(FactStream.objects.exclude(last_success_at=None).values_list("fact", flat=True))
    references = {
        code: names(spec.expression) if isinstance(spec, specs.Formula) else () for code, spec in definitions.items()
    }
    counted = {code: {term.fact for term in specs.terms(spec)} for code, spec in definitions.items()}
    return frozenset(
        code
        for code in definitions
        if all(counted.get(part, set()) <= delivered for part in needed(references, [code]))
    )
