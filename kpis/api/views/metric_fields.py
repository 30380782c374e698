"""What the filters of a metric may name: the fields of a fact, and the values that the data holds."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.engine import specs
from kpis.engine.facts import FACTS, FactField, FieldType
from kpis.selectors.known_values import fields_in_words, read_known
from tenants.capabilities import Capability


class MetricFieldParameters(serializers.Serializer):
    """The fact that a metric counts; with `field` also the values of that one."""

    fact = serializers.ChoiceField(list(FACTS))
    field = serializers.CharField(required=False, default=None, help_text=_("The values of this field, too."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a field that nobody offers for the fact."""
        groups = fields_in_words(FACTS[attrs["fact"]], [attrs["fact"]])
        offered = {name: (label, words) for label, pairs in groups for name, words in pairs}
        field = attrs["field"]
        if field is not None and field not in offered:
            message = _("%(fact)s has no field %(name)s. It has: %(known)s.")
            words = {"fact": attrs["fact"], "name": field, "known": ", ".join(offered)}
            raise serializers.ValidationError({"field": message % words}, code="does_not_exist")
        return {**attrs, "offered": offered}


class KnownValueSerializer(serializers.Serializer):
    """One value, as a filter writes it and as people call it."""

    value = serializers.CharField()
    name = serializers.CharField()


class MetricFieldSerializer(serializers.Serializer):
    """One field that a filter may name; `group` is the record that says it, such as the deal of a revenue.

    `values`: the most frequent ones, or with `is_closed` all there are; null unless this field was asked for.
    """

    field = serializers.CharField()
    name = serializers.CharField()
    group = serializers.CharField()
    type = serializers.ChoiceField([each.value for each in FieldType])
    operators = serializers.ListField(child=serializers.CharField())
    is_closed = serializers.BooleanField()
    values = KnownValueSerializer(many=True, allow_null=True)


class MetricFieldsSerializer(serializers.Serializer):
    """All fields of a fact, or the one that was asked for, in one page."""

    results = MetricFieldSerializer(many=True)
    next = serializers.CharField(allow_null=True, default=None)
    previous = serializers.CharField(allow_null=True, default=None)


class MetricFieldsView(CompanyAPIView):
    """What the filters of a metric may name."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Fields for the filters of a metric",
        parameters=[MetricFieldParameters],
        responses=MetricFieldsSerializer,
    )
    def get(self, request: Request) -> Response:
        """The fields of a fact and of its account and deal; one of them with its values."""
        parameters = MetricFieldParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        fact, asked = parameters.validated_data["fact"], parameters.validated_data["field"]
        rows = [
            {
                "field": name,
                "name": words,
                "group": group,
                "values": None,
                **_described(specs.field_of(name, FACTS[fact])),
            }
            for name, (group, words) in parameters.validated_data["offered"].items()
            if asked in {None, name}
        ]
        if asked is not None:
            values = read_known(fact, asked).values
            rows = [{**row, "values": [{"value": value, "name": name} for value, name in values]} for row in rows]
        return Response(MetricFieldsSerializer({"results": rows}).data)


def _described(field: FactField | None) -> dict[str, Any]:
    known = field or FactField(FieldType.ANY)
    return {
        "type": known.type.value,
        "operators": specs.OPERATORS[known.type],
        "is_closed": bool(known.choices) or known.type is FieldType.BOOL,
    }
