"""Which references of a source point at nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count

from kpis.models import UnresolvedReference


def unresolved_references(*, source: str, resources: Iterable[str], limit: int = 200) -> list[dict[str, Any]]:
    """The references of these resources whose target has not arrived, the most frequent first. One query."""
    waiting = UnresolvedReference.objects.filter(fact__in=sorted(resources), source=source)
    grouped = waiting.values("fact", "field", "external_id").annotate(count=Count("id"))
    return [
        {"resource": each["fact"], "field": each["field"], "reference": each["external_id"], "count": each["count"]}
        for each in grouped.order_by("-count", "fact", "field", "external_id")[:limit]
    ]
