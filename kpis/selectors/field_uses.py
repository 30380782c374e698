"""Which metrics read which fields of the records that sources deliver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

from kpis.engine import specs
from kpis.engine.formula import parse_formula
from kpis.engine.specs.uses import Use, fields_used
from kpis.models import Metric, MetricVersion


def metrics_by_field(*, day: date) -> dict[Use, list[Metric]]:
    """(resource, field) → the metrics that are computed from it on that day, through formulas too, by name.

    Two queries.
    """
    metrics = {metric.pk: metric for metric in Metric.objects.order_by("name", "pk")}
    known = _specs_in_force(day)
    by_code = {metrics[pk].code: spec for pk, spec in known.items() if pk in metrics}
    found: dict[Use, list[Metric]] = defaultdict(list)
    for pk, metric in metrics.items():
        if pk in known:
            for use in _used(known[pk], by_code, frozenset()):
                found[use].append(metric)
    return dict(found)


def _specs_in_force(day: date) -> dict[int, specs.Spec]:
    """The spec of each metric on a day: the last version that is in force, else its first."""
    found: dict[int, MetricVersion] = {}
    for version in MetricVersion.objects.order_by("metric_id", "number"):
        in_force = version.effective_from is None or version.effective_from <= day
        if in_force or version.metric_id not in found:
            found[version.metric_id] = version
    return {pk: specs.parse_spec(version.spec) for pk, version in found.items()}


def _used(spec: specs.Spec, by_code: Mapping[str, specs.Spec], seen: frozenset[str]) -> frozenset[Use]:
    if not isinstance(spec, specs.Formula):
        return fields_used(spec)
    names = [name for name in parse_formula(spec.expression).names if name in by_code and name not in seen]
    return frozenset(use for name in names for use in _used(by_code[name], by_code, seen | {name}))
