"""Reads of metrics' definitions."""

from collections.abc import Mapping
from datetime import date

from django.db.models import F, Q

from kpis.engine import specs
from kpis.engine.formula import names
from kpis.engine.graph import needed
from kpis.models import FactStream, ManualEntry, Metric, MetricVersion


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


def narrowed_snapshots(day: date) -> Mapping[int, specs.Snapshot]:
    """Metric id → the snapshot that its definition of a day asks for, where that one has filters; one query."""
    in_force = MetricVersion.objects.filter(Q(effective_from=None) | Q(effective_from__lte=day))
    rows = in_force.order_by(F("effective_from").asc(nulls_first=True), "number").values_list("metric_id", "spec")
    parsed = {metric: specs.parse_spec(data) for metric, data in dict(rows).items() if data["kind"] == "snapshot"}
    return {metric: spec for metric, spec in parsed.items() if isinstance(spec, specs.Snapshot) and spec.filters}


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


def stands_for_typed(metric: Metric, start: date | None) -> bool:
    """Whether what is defined from `start` on (None = from the beginning) takes the place of typed values."""
    if not ManualEntry.objects.filter(metric=metric).exists():
        return False
    versions = list(metric.versions.order_by("number"))
    if start is None:
        replaced = next((each for each in versions if each.effective_from is None), versions[-1])
    else:
        before = [each for each in versions if (each.effective_from or date.min) <= start]
        replaced = max(before, key=lambda each: (each.effective_from or date.min, each.number), default=versions[0])
    return isinstance(specs.parse_spec(replaced.spec), specs.Manual)
