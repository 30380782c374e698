"""Which references of a source point at nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, QuerySet

from kpis.models import UnresolvedReference


def unresolved_references(*, source: str, resources: Iterable[str], limit: int = 200) -> list[dict[str, Any]]:
    """The references of these resources whose target has not arrived, the most frequent first. One query."""
    grouped = _waiting(source, resources).values("fact", "field", "external_id").annotate(count=Count("id"))
    return [
        {"resource": each["fact"], "field": each["field"], "reference": each["external_id"], "count": each["count"]}
        for each in grouped.order_by("-count", "fact", "field", "external_id")[:limit]
    ]


def count_unresolved(*, source: str, resources: Iterable[str]) -> int:
    """How many references of these resources point at nothing. One query."""
    return _waiting(source, resources).count()


def _waiting(source: str, resources: Iterable[str]) -> QuerySet[UnresolvedReference]:
    return UnresolvedReference.objects.filter(fact__in=sorted(resources), source=source)
