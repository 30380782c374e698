"""References and numbers as the contract writes them."""

from __future__ import annotations

import uuid
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.models import KpiNode, Metric, Person
from tenants.accounts.models import User


def as_uuid(text: Any) -> uuid.UUID | None:
    """A UUID, or None where it is something else."""
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None


def find_node(reference: str, tree: str | None) -> KpiNode | None:
    """A node by its id, or by its code in the tree of that id."""
    nodes = KpiNode.objects.select_related("metric", "tree", "responsible")
    if (public_id := as_uuid(reference)) is not None:
        return nodes.filter(public_id=public_id).first()
    tree_id = as_uuid(tree)
    return nodes.filter(code=reference, tree__public_id=tree_id).first() if tree_id else None


@extend_schema_field(OpenApiTypes.NUMBER)
class NumberField(serializers.Field):
    """An exact number, written as a JSON number."""

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise serializers.ValidationError(_("A number is needed."), code="invalid")
        try:
            number = Decimal(str(data))
        except InvalidOperation:
            raise serializers.ValidationError(_("A number is needed."), code="invalid") from None
        if not number.is_finite() or abs(number) >= Decimal(10) ** 18:
            raise serializers.ValidationError(_("This number is too large."), code="invalid")
        return number

    def to_representation(self, value: Decimal) -> int | float:
        return as_number(value)


def as_number(value: Decimal) -> int | float:
    """An integer where it is one, else a float."""
    return int(value) if value == value.to_integral_value() else float(value)


@extend_schema_field(OpenApiTypes.UUID)
class PublicIdField(serializers.Field):
    """Another row by its public id; `queryset` says which ones may be named (none: read only)."""

    def __init__(self, queryset: QuerySet[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queryset = queryset

    def to_internal_value(self, data: Any) -> Any:
        public_id = as_uuid(data)
        found = self.queryset.all().filter(public_id=public_id).first() if public_id and self.queryset else None
        if found is None:
            raise serializers.ValidationError(
                _("There is nothing with this id, or you may not see it."), code="not_found"
            )
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.public_id)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object"}]})
class OwnerField(serializers.Field):
    """Who is in charge: a person's or user's id, or {"source", "external_id"}; read as the id."""

    def to_internal_value(self, data: Any) -> Person | User:
        found: Person | User | None = None
        people = Person.objects.filter(deleted_at__isnull=True)
        if isinstance(data, dict):
            reference = {"source": str(data.get("source", "")), "external_id": str(data.get("external_id", ""))}
            found = people.filter(**reference).first()
        elif (public_id := as_uuid(data)) is not None:
            found = people.filter(public_id=public_id).first() or User.objects.filter(public_id=public_id).first()
        if found is None:
            raise serializers.ValidationError(
                _("This person is not known. Send a person's or user's id."), code="not_found"
            )
        return found

    def to_representation(self, value: Person | User) -> str:
        return str(value.public_id)


@extend_schema_field(OpenApiTypes.STR)
class MetricField(serializers.Field):
    """A metric by its id or code; read as the code."""

    def to_internal_value(self, data: Any) -> Metric:
        public_id = as_uuid(data)
        found = Metric.objects.filter(public_id=public_id) if public_id else Metric.objects.filter(code=str(data))
        metric = found.first()
        if metric is None:
            raise serializers.ValidationError(_("There is no such metric."), code="not_found")
        return metric

    def to_representation(self, value: Metric) -> str:
        return value.code
