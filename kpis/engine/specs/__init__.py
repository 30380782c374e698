"""Metric specs: one frozen dataclass per kind, and their reading from the contract's JSON."""

from kpis.engine.facts import FACTS
from kpis.engine.issues import Issue
from kpis.engine.specs.kinds import (
    ADDITIVE_AGGREGATES,
    SNAPSHOT_MEASURES,
    Filter,
    FilterValue,
    Formula,
    Manual,
    Ratio,
    Scalar,
    Simple,
    Snapshot,
    Spec,
    canonical,
    event_kind,
    group,
    is_additive,
    measure_key,
    terms,
    to_data,
)
from kpis.engine.specs.reading import AGGREGATES, ATTRIBUTES, KINDS, LATER_KINDS, SpecError, parse_spec

__all__ = [
    "ADDITIVE_AGGREGATES",
    "AGGREGATES",
    "ATTRIBUTES",
    "FACTS",
    "KINDS",
    "LATER_KINDS",
    "SNAPSHOT_MEASURES",
    "Filter",
    "FilterValue",
    "Formula",
    "Issue",
    "Manual",
    "Ratio",
    "Scalar",
    "Simple",
    "Snapshot",
    "Spec",
    "SpecError",
    "canonical",
    "event_kind",
    "group",
    "is_additive",
    "measure_key",
    "parse_spec",
    "terms",
    "to_data",
]
