"""Finding what a caller of the API points at: an id where there is one, else the code people use."""

import uuid
from collections.abc import Mapping

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q

from kpis.models import DimensionMember, ExternalIdentity, KpiNode, KpiTree, Metric, Person


def find_metric(reference: str) -> Metric | None:
    """The metric with this id or code."""
    identity = _as_uuid(reference)
    return Metric.objects.filter(Q(public_id=identity) if identity else Q(code=reference)).first()


def find_tree(reference: str) -> KpiTree | None:
    """The tree with this id."""
    identity = _as_uuid(reference)
    return KpiTree.objects.filter(public_id=identity).first() if identity else None


def find_node(reference: str, tree: KpiTree | None = None) -> KpiNode | None:
    """The node with this id, or with this code in `tree`."""
    identity = _as_uuid(reference)
    nodes = KpiNode.objects.select_related("tree", "metric")
    if tree is not None:
        nodes = nodes.filter(tree=tree)
    if identity is not None:
        return nodes.filter(public_id=identity).first()
    return nodes.filter(code=reference).first() if tree is not None else None


def find_member(*, dimension: str, code: str) -> DimensionMember | None:
    """The member of a dimension with this code."""
    return DimensionMember.objects.filter(dimension__code=dimension, code=code).first()


def find_responsible(reference: str | Mapping[str, object]) -> Person | AbstractBaseUser | None:
    """Who is meant by a person's id, a user's id, or {"source", "external_id"} of a person (an alias will do)."""
    if isinstance(reference, Mapping):
        source, external_id = str(reference.get("source", "")), str(reference.get("external_id", ""))
        found = Person.objects.filter(source=source, external_id=external_id, deleted_at__isnull=True).first()
        return found or _person_by_alias(source, external_id)
    identity = _as_uuid(reference)
    if identity is None:
        return None
    person = Person.objects.filter(public_id=identity, deleted_at__isnull=True).first()
    return person or get_user_model().objects.filter(public_id=identity, is_active=True).first()


def _person_by_alias(source: str, external_id: str) -> Person | None:
    known = ExternalIdentity.objects.filter(entity="people", source=source, external_id=external_id)
    return Person.objects.filter(pk__in=known.values("row_id"), deleted_at__isnull=True).first()


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
