"""The shapes of misses, improvement actions and meetings."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import (
    MemberReference,
    MetricReference,
    NodeReference,
    Number,
    ResponsibleReference,
    TreeReference,
    as_number,
    node_or_error,
)
from kpis.api.serializers import Selectable
from kpis.choices import DimensionCode
from kpis.selectors.references import find_member
from reviews.api.fields import Measured, PublicId
from reviews.choices import ActionStatus, AgendaKind, DecisionKind, Verdict
from reviews.models import Action, AgendaItem, Decision, MeetingSeries, Miss
from reviews.selectors.meetings import AgendaRow, FigureThenNow
from reviews.selectors.numbers import DECIMALS, Numbers, from_json


class MissSerializer(Selectable, serializers.ModelSerializer):
    """A miss with its frozen numbers."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    node = NodeReference(read_only=True)
    member = MemberReference(read_only=True, allow_null=True)
    target = Measured()
    value = Measured()
    numerator = Measured(allow_null=True)
    denominator = Measured(allow_null=True)
    achievement = Measured(allow_null=True)
    amount_at_stake = Measured(allow_null=True)
    end = serializers.SerializerMethodField()
    case = PublicId(read_only=True, allow_null=True)

    class Meta:
        model = Miss
        fields = (
            "id",
            "node",
            "dimension",
            "member",
            "period_start",
            "grain",
            "target",
            "value",
            "numerator",
            "denominator",
            "achievement",
            "amount_at_stake",
            "asked",
            "status",
            "end",
            "end_reason",
            "case",
            "opened_at",
            "confirmed_at",
            "answered_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=DecisionKind.choices, allow_null=True))
    def get_end(self, miss: Miss) -> str | None:
        return miss.end or None


class AnswerSerializer(serializers.Serializer):
    """How a miss ends."""

    end = serializers.ChoiceField(choices=DecisionKind.choices)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ExpectedEffectSerializer(serializers.Serializer):
    """Which metric is expected to move by how much, and after how many days; null stands for none of the three."""

    metric = MetricReference(source="effect_metric", required=False, allow_null=True)
    amount = Number(source="effect_amount", required=False, allow_null=True)
    lag_days = serializers.IntegerField(
        source="effect_lag_days", required=False, allow_null=True, min_value=0, max_value=3650
    )

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(dict.fromkeys(self.fields) if data is None else data)


class OwnerReference(ResponsibleReference):
    """Who is in charge, as a person or a login."""

    def get_attribute(self, instance: Action) -> Any:
        return instance.owner or instance.owner_user


class ActionSerializer(Selectable):
    """An improvement action; node and segment of one with a miss are the miss's."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    miss = PublicId(among="misses", required=False, allow_null=True)
    tree = TreeReference(write_only=True, required=False, allow_null=True)
    node = NodeReference(required=False)
    dimension = serializers.ChoiceField(DimensionCode.choices, required=False)
    member = MemberReference(required=False, allow_null=True)
    cause = serializers.CharField(max_length=4000)
    action = serializers.CharField(max_length=4000)
    owner = OwnerReference(required=False, allow_null=True)
    due_on = serializers.DateField()
    expected_effect = ExpectedEffectSerializer(source="*", required=False, allow_null=True)
    status = serializers.ChoiceField(choices=ActionStatus.choices, required=False)
    baseline = serializers.SerializerMethodField()
    verdict = serializers.ChoiceField(choices=Verdict.choices, read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node and member; those of an action that exists do not change."""
        place = {name: attrs.pop(name) for name in ("tree", "node", "dimension", "member") if name in attrs}
        if self.instance is not None or attrs.get("miss"):
            return attrs
        if not place.get("node"):
            raise serializers.ValidationError({"node": self.fields["node"].error_messages["required"]}, code="required")
        attrs["node"] = node_or_error(place["node"], place.get("tree"))
        dimension = place.get("dimension", DimensionCode.COMPANY)
        if dimension != DimensionCode.COMPANY:
            member = find_member(dimension=dimension, code=place.get("member") or "")
            if member is None:
                message = self.fields["miss"].error_messages["does_not_exist"].format(value=place.get("member"))
                raise serializers.ValidationError({"member": message}, code="does_not_exist")
            attrs |= {"dimension": dimension, "member": member}
        return attrs

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_baseline(self, action: Action) -> dict[str, Any] | None:
        if action.baseline is None:
            return None
        key, numbers = from_json(action.baseline)
        period = {"grain": key.grain, "period_start": key.period_start, "frozen_at": action.baseline["frozen_at"]}
        return {**numbers_shown(numbers), **period}


class SeriesSerializer(Selectable, serializers.ModelSerializer):
    """A meeting series."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = MeetingSeries
        fields = ("id", "name", "interval", "weekday", "week_of_month", "starts_at", "is_active")


class MeetingSerializer(Selectable):
    """A meeting; its state changes through open and close, its minutes through minutes."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    series = PublicId(among="series")
    scheduled_at = serializers.DateTimeField()
    status = serializers.CharField(read_only=True)
    minutes = serializers.CharField(read_only=True)
    opened_at = serializers.DateTimeField(read_only=True, allow_null=True)
    closed_at = serializers.DateTimeField(read_only=True, allow_null=True)


class MinutesSerializer(serializers.Serializer):
    """The minutes; with `version` (as read) nobody else's words are overwritten."""

    text = serializers.CharField(source="minutes", allow_blank=True, trim_whitespace=False, max_length=200_000)
    version = serializers.IntegerField(source="minutes_version", required=False, min_value=0)
    saved_at = serializers.DateTimeField(source="minutes_saved_at", read_only=True, allow_null=True)


class AgendaItemSerializer(serializers.Serializer):
    """One point of an agenda: its numbers as they were at opening, and as they are now."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=AgendaKind.choices)
    object = serializers.UUIDField()
    title = serializers.CharField()
    amount_at_stake = serializers.FloatField(allow_null=True)
    frozen = serializers.DictField(allow_null=True)
    current = serializers.DictField(allow_null=True)
    decided = serializers.BooleanField()

    def to_representation(self, row: AgendaRow) -> dict[str, Any]:
        item = row.item
        return {
            "id": str(item.public_id),
            "kind": item.kind,
            "object": str((item.miss or item.action or item.node).public_id),
            "title": item.title,
            "amount_at_stake": as_number(item.amount_at_stake),
            "frozen": frozen_shown(item, row.figure),
            "current": numbers_shown(row.figure.now) if row.figure else None,
            "decided": bool(row.decisions),
        }


class AgendaSerializer(serializers.Serializer):
    """The whole agenda in order."""

    results = AgendaItemSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class DecisionSerializer(serializers.ModelSerializer):
    """What was decided about a point."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    agenda_item = PublicId(among="items")
    action = PublicId(among="actions", required=False, allow_null=True)

    class Meta:
        model = Decision
        fields = ("id", "agenda_item", "kind", "text", "action", "decided_at")
        read_only_fields = ("decided_at",)


class DecisionsSerializer(serializers.Serializer):
    """All decisions of a meeting; there is no other page."""

    results = DecisionSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class AgendaKpiSerializer(serializers.Serializer):
    """A KPI to put on the agenda: a node's id, or its code with the tree's id."""

    tree = TreeReference(required=False, allow_null=True)
    node = NodeReference()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the node."""
        return {"node": node_or_error(attrs["node"], attrs.get("tree"))}


def numbers_shown(numbers: Numbers) -> dict[str, Any]:
    """Numbers as JSON numbers."""
    shown = {name: as_number(getattr(numbers, name)) for name in DECIMALS}
    return {**shown, "status": numbers.status, "absence": numbers.absence, "state": numbers.state}


def frozen_shown(item: AgendaItem, figure: FigureThenNow | None) -> dict[str, Any] | None:
    """The frozen numbers with the period they are of; None before the meeting."""
    if not item.frozen or figure is None or figure.then is None:
        return None
    key, numbers = from_json(item.frozen)
    return {
        **numbers_shown(numbers),
        "node": str(figure.node.public_id),
        "dimension": key.dimension,
        "member": figure.member.code if figure.member else None,
        "grain": key.grain,
        "period_start": key.period_start.isoformat(),
        "frozen_at": item.frozen["frozen_at"],
    }
