"""The resources of the bulk contract as connectors see them: in which order they are filled, which fields divide."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kpis.engine.resources import RESOURCES as CONTRACT
from kpis.engine.resources import Field, Kind, Resource

COMMON: Mapping[str, Field] = MappingProxyType(
    {
        "external_id": Field(Kind.TEXT, is_required=True),
        "source_url": Field(Kind.TEXT, length=1000),
        "source_updated_at": Field(Kind.MOMENT),
    }
)
# What is referred to comes before what refers to it, so that references resolve at once.
ORDER = (
    "people",
    "teams",
    "memberships",
    "products",
    "accounts",
    "exchange-rates",
    "leads",
    "deals",
    "deal-lines",
    "deal-credits",
    "deal-stage-events",
    "lead-stage-events",
    "activities",
    "contracts",
    "orders",
    "revenues",
    "surveys",
)
# A word of these fields is a member of a dimension; one that a value map does not know goes to *unassigned*.
DIVIDING = frozenset({"region", "lead_source", "sales_channel", "partner", "product"})


def resource_of(slug: str) -> Resource | None:
    return CONTRACT.get(slug)


def position_of(slug: str) -> int:
    """The place of a resource in the order of reading, in steps of ten."""
    return (ORDER.index(slug) + 1) * 10


def fields_of(slug: str) -> Mapping[str, Field]:
    """Every field a mapping may fill, by name."""
    return {**COMMON, **CONTRACT[slug].fields}


def takes_tax(slug: str) -> bool:
    return bool(CONTRACT[slug].taxed)
