"""Reads of misses."""

import datetime
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce

from kpis.selectors.matrix.freshness import FRESH, read_freshness
from reviews.models import Miss
from reviews.models.misses import MissQuerySet


def open_cases(misses: MissQuerySet | None = None) -> MissQuerySet:
    """One row per case that awaits an answer: its latest miss, with `period_count` (how many of it are open).

    Ordered by the money at stake. `misses` narrows what is looked at.
    """
    awaiting = (Miss.objects.all() if misses is None else misses).awaiting_answer()
    case = Coalesce("case_id", "pk")
    same_case = Miss.objects.awaiting_answer().annotate(root=case).filter(root=models.OuterRef("root"))
    latest = same_case.order_by("-period_start").values("pk")[:1]
    count: Any = same_case.order_by().values("root").annotate(count=models.Count("pk")).values("count")
    return (
        awaiting.annotate(root=case)
        .filter(pk=models.Subquery(latest))
        .annotate(period_count=models.Subquery(count))
        .select_related("node__metric", "node__tree", "member")
        .by_amount_at_stake()
    )


def with_freshness(misses: Sequence[Miss], *, now: datetime.datetime) -> Sequence[Miss]:
    """Give each miss its `is_stale` and `as_of`, for pages; a confirmed one has a locked number. Three queries."""
    metrics = [None if miss.confirmed_at else miss.node.metric for miss in misses]
    found = read_freshness({metric.code for metric in metrics if metric}, now=now)
    for miss, metric in zip(misses, metrics, strict=True):
        fresh = found.get(metric.code, FRESH) if metric else FRESH
        miss.is_stale, miss.as_of = fresh.is_stale, fresh.as_of
    return misses
