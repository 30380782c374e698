"""Fields of the contract that the framework does not have."""

from collections.abc import Callable, Iterable
from decimal import Decimal, localcontext
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.engine.records import DEEPEST, is_storable, storable
from kpis.engine.values import Value
from kpis.models import DimensionMember, KpiNode, KpiTree, Metric, Person
from kpis.selectors.references import find_metric, find_node, find_responsible, find_tree

MAX_PRECISION = 400


def as_number(value: Decimal | None) -> int | float | None:
    """An exact number as JSON has it: whole numbers without a fraction, others unrounded.

    >>> as_number(Decimal("600.00")), as_number(Decimal("0.75")), as_number(None)
    (600, 0.75, None)
    """
    if value is None:
        return None
    whole = int(value)
    return whole if whole == value else float(value)


class Numbers(dict[Value | None, int | float | None]):
    """Each value as JSON has it, null for an absence; found once, as hundreds of thousands of cells have few values."""

    def __missing__(self, value: Value | None) -> int | float | None:
        self[value] = found = as_number(value) if isinstance(value, Decimal) else None
        return found

    def line(self, values: Iterable[Value | None]) -> list[int | float | None]:
        return list(map(self.__getitem__, values))


class Number(serializers.DecimalField):
    """An exact number inside, an unrounded JSON number outside; decimals beyond what is kept are rounded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 26, "decimal_places": 8, **options})

    def validate_precision(self, value: Decimal) -> Decimal:
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -self.decimal_places:
            with localcontext(prec=MAX_PRECISION):
                value = value.quantize(Decimal(1).scaleb(-self.decimal_places))
        return super().validate_precision(value)

    def to_representation(self, value: Decimal) -> int | float | None:
        return as_number(value)


@extend_schema_field({"type": "object", "additionalProperties": True})
class OpenObject(serializers.JSONField):
    """A JSON object whose keys are described in words."""

    default_error_messages = {
        "not_object": _("Send an object."),
        "invalid": _("%(name)s holds NUL, half a character or more than %(depth)s levels, which cannot be stored."),
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_object")
        if not is_storable(data):
            message = self.error_messages["invalid"] % {"name": self.field_name, "depth": DEEPEST}
            raise serializers.ValidationError(message, code="invalid")
        return data


def remembered(context: dict[str, Any], find: Callable[..., Any], **arguments: Any) -> Any:
    """What `find` finds, looked up once per request: a long list names the same few rows again and again."""
    found = context.setdefault("found", {})
    place = (find, *arguments.items())
    if place not in found:
        found[place] = find(**arguments)
    return found[place]


class _Reference(serializers.Field):
    """A row named by its id or by what people call it; shown as its id."""

    default_error_messages = {"does_not_exist": _("There is no “{value}” here.")}

    def find(self, value: Any) -> models.Model | None:
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> models.Model:
        found = self.find(data) if is_storable(data) else None  # what cannot be stored names nothing
        if found is None:
            self.fail("does_not_exist", value=storable(data))
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.public_id)


@extend_schema_field({"type": "string", "format": "uuid"})
class TreeReference(_Reference):
    """A tree by its id."""

    def find(self, value: Any) -> KpiTree | None:
        return remembered(self.context, find_tree, reference=str(value))


@extend_schema_field({"type": "string", "description": "The metric's id; its code is taken too."})
class MetricReference(_Reference):
    """A metric by its id or code."""

    def find(self, value: Any) -> Metric | None:
        return remembered(self.context, find_metric, reference=str(value))


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "uuid", "description": "A person or a user."},
            {
                "type": "object",
                "properties": {"source": {"type": "string"}, "external_id": {"type": "string"}},
                "required": ["source", "external_id"],
            },
        ]
    }
)
class ResponsibleReference(_Reference):
    """A person or a login by id, or a person by {"source", "external_id"}."""

    def find(self, value: Any) -> Person | models.Model | None:
        return find_responsible(value if isinstance(value, dict) else str(value))

    def get_attribute(self, instance: KpiNode) -> Person | models.Model | None:
        """One person, whether named as a person or as a login."""
        return instance.responsible or instance.responsible_user


@extend_schema_field({"type": "string", "format": "uuid"})
class PersonReference(_Reference):
    """A person by id."""

    def find(self, value: Any) -> Person | None:
        found = find_responsible(str(value))
        return found if isinstance(found, Person) else None


@extend_schema_field({"type": "string", "description": "The node's id; its code is taken too where the tree is known."})
class NodeReference(serializers.CharField):
    """A node by its id, or by its code in a tree; found by `node_or_error` once the tree is known."""

    def to_representation(self, value: KpiNode) -> str:
        return str(value.public_id)


class MemberReference(serializers.CharField):
    """A member of a dimension by its code; found once the dimension is known."""

    def to_representation(self, value: DimensionMember) -> str:
        return value.code


class ShownName(serializers.CharField):
    """A name that falls back to a translated word until somebody sets it."""

    def get_attribute(self, instance: models.Model) -> str:
        return str(instance)


@extend_schema_field({"type": "string", "format": "uuid"})
class ActorField(serializers.Field):
    """The id of a user."""

    def to_representation(self, value: Any) -> str:
        return str(value.public_id)


def node_or_error(
    reference: str, tree: KpiTree | None, *, field: str = "node", context: dict[str, Any] | None = None
) -> KpiNode:
    """The node that is meant. Raises ValidationError."""
    node = remembered({} if context is None else context, find_node, reference=reference, tree=tree)
    if node is None:
        message = _("There is no node “%(value)s” here. Give its id, or its code together with the tree.")
        raise serializers.ValidationError({field: message % {"value": reference}}, code="does_not_exist")
    return node
