"""Reads of metrics' definitions."""

from collections.abc import Mapping

from kpis.engine import specs
from kpis.engine.formula import names
from kpis.models import Metric, MetricVersion


def formula_references() -> Mapping[str, tuple[str, ...]]:
    """Metric code → the codes that its formulas name, over all its versions; none for other kinds."""
    references: dict[str, tuple[str, ...]] = dict.fromkeys(Metric.objects.values_list("code", flat=True), ())
    for code, data in MetricVersion.objects.values_list("metric__code", "spec").order_by("number"):
        spec = specs.parse_spec(data)
        if isinstance(spec, specs.Formula):
            references[code] = tuple(dict.fromkeys((*references[code], *names(spec.expression))))
    return references
