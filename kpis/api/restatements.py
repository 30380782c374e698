"""Deciding about restatements, as the API takes it and shows it."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import ActorField, MemberReference, NodeReference, node_or_error
from kpis.api.queries import find_asked_period
from kpis.api.serializers import CellNumbersSerializer, Selectable
from kpis.choices import DimensionCode, Grain, RestatementVerdict
from kpis.models import RestatementDecision
from kpis.selectors.restatements import CellNumbers


class RestatementDecisionSerializer(Selectable):
    """What was decided about one locked cell: `old` was locked, `new` was live."""

    id = serializers.UUIDField(source="public_id")
    node = NodeReference()
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices)
    member = MemberReference(allow_null=True)
    verdict = serializers.ChoiceField(RestatementVerdict.choices)
    old = serializers.SerializerMethodField()
    new = serializers.SerializerMethodField()
    old_locked_at = serializers.DateTimeField()
    reason = serializers.CharField()
    actor = ActorField(allow_null=True)
    decided_at = serializers.DateTimeField()

    def get_old(self, row: RestatementDecision) -> CellNumbersSerializer:
        numbers = CellNumbers(row.old_value, row.old_numerator, row.old_denominator, row.old_absence or None)
        return CellNumbersSerializer(numbers).data

    def get_new(self, row: RestatementDecision) -> CellNumbersSerializer:
        numbers = CellNumbers(row.new_value, row.new_numerator, row.new_denominator, row.new_absence or None)
        return CellNumbersSerializer(numbers).data


class DecisionRequestSerializer(serializers.Serializer):
    """Approve or refuse the restatements of one closed period, of some nodes or, without `nodes`, of all."""

    grain = serializers.ChoiceField(Grain.choices, default=Grain.MONTH)
    period_start = serializers.DateField()
    nodes = serializers.ListField(
        child=serializers.UUIDField(), default=None, allow_null=True, help_text=_("Ids of nodes; null for all.")
    )
    verdict = serializers.ChoiceField(RestatementVerdict.choices)
    reason = serializers.CharField(max_length=2000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the period and the nodes."""
        asked = attrs["nodes"]
        return {
            "period": find_asked_period(attrs["grain"], attrs["period_start"]),
            "nodes": None if asked is None else [node_or_error(str(each), None, field="nodes").pk for each in asked],
            "verdict": RestatementVerdict(attrs["verdict"]),
            "reason": attrs["reason"],
        }


class DecisionListSerializer(serializers.Serializer):
    """The decisions that were made, one for each cell."""

    results = RestatementDecisionSerializer(many=True)
