"""What is remembered of changes of facts: each with those of the records that it reads from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db.models import Q

from kpis.models import FactChange
from kpis.models.resources import MODELS

# fact → (resource, its link to the fact) of what makes up a fact; → (link, resource) of what a fact reads from.
_CHILDREN: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "deals": (("deal-lines", "deal_id"), ("deal-credits", "deal_id")),
        "leads": (("lead-stage-events", "lead_id"), ("deals", "lead_id")),
    }
)
_PARENTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "deals": (("lead_id", "leads"),),
        "lead-stage-events": (("lead_id", "leads"),),
        "deal-stage-events": (("deal_id", "deals"),),
        "activities": (("deal_id", "deals"), ("lead_id", "leads")),
        "revenues": (("deal_id", "deals"),),
    }
)


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One thing that happened to a record: `changes` has field → (old, new); by a sync run, a person, or a program.

    `action` is arrived, updated, deleted or restored.
    """

    fact: str
    external_id: str
    action: str
    changes: Mapping[str, Sequence[Any]]
    run: int | None
    actor: str
    at: datetime


def read_changes(fact: str, ids: Sequence[int], *, since: datetime) -> Mapping[int, list[RecordChange]]:
    """Fact → what happened after a moment to it and to the records it is made of or reads from, earliest first.

    One query for all changes and one for each kind of link.
    """
    owners: dict[tuple[str, int], set[int]] = defaultdict(set)
    for pk in ids:
        owners[fact, pk].add(pk)
    found: dict[int, list[RecordChange]] = defaultdict(list)
    for resource, link in _CHILDREN.get(fact, ()):
        rows = MODELS[resource]._default_manager.filter(**{f"{link}__in": ids})
        for pk, owner, external_id, recorded_at in rows.values_list("pk", link, "external_id", "recorded_at"):
            owners[resource, pk].add(owner)
            if recorded_at > since:
                found[owner].append(RecordChange(resource, external_id, "arrived", {}, None, "", recorded_at))
    for link, resource in _PARENTS.get(fact, ()):
        rows = MODELS[fact]._default_manager.filter(pk__in=ids, **{f"{link}__isnull": False})
        for pk, parent in rows.values_list("pk", link):
            owners[resource, parent].add(pk)
    for change in _changes(owners, since):
        told = RecordChange(
            change.fact,
            change.external_id,
            change.action,
            change.changes,
            change.run,
            str(change.actor or ""),
            change.at,
        )
        for pk in owners[change.fact, change.fact_id]:
            found[pk].append(told)
    for changes in found.values():
        changes.sort(key=lambda change: change.at)
    return defaultdict(list, found)


def _changes(rows: Mapping[tuple[str, int], object], since: datetime) -> Sequence[FactChange]:
    by_fact: dict[str, list[int]] = defaultdict(list)
    for fact, pk in rows:
        by_fact[fact].append(pk)
    asked = Q(pk__in=[])
    for fact, ids in by_fact.items():
        asked |= Q(fact=fact, fact_id__in=ids)
    return list(FactChange.objects.select_related("actor").filter(asked, at__gt=since).order_by("id"))
