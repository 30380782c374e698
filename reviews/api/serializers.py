"""The shapes of misses, improvement actions and meetings."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reviews.api.fields import MetricField, NumberField, OwnerField, PublicIdField, as_number
from reviews.choices import ActionStatus, AgendaKind, DecisionKind
from reviews.models import Action, AgendaItem, Decision, Meeting, MeetingSeries, Miss
from reviews.selectors.meetings import AgendaRow, FigureThenNow
from reviews.selectors.numbers import DECIMALS, Numbers, from_json


class MissSerializer(serializers.ModelSerializer):
    """A miss with its frozen numbers."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    node = PublicIdField(read_only=True)
    member = serializers.CharField(source="member.code", default=None, read_only=True)
    target = NumberField(read_only=True)
    value = NumberField(read_only=True)
    numerator = NumberField(read_only=True)
    denominator = NumberField(read_only=True)
    achievement = NumberField(read_only=True)
    amount_at_stake = NumberField(read_only=True)
    end = serializers.SerializerMethodField()
    case = PublicIdField(read_only=True)

    class Meta:
        model = Miss
        fields = [
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
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=DecisionKind.choices, allow_null=True))
    def get_end(self, miss: Miss) -> str | None:
        return miss.end or None


class AnswerSerializer(serializers.Serializer):
    """How a miss ends."""

    end = serializers.ChoiceField(choices=DecisionKind.choices)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ExpectedEffectSerializer(serializers.Serializer):
    """Which metric is expected to move by how much, and after how many days."""

    metric = MetricField(source="effect_metric", required=False, allow_null=True)
    amount = NumberField(source="effect_amount", required=False, allow_null=True)
    lag_days = serializers.IntegerField(
        source="effect_lag_days", required=False, allow_null=True, min_value=0, max_value=3650
    )


class ActionSerializer(serializers.ModelSerializer):
    """An improvement action; `owner` is null, an id, or {"source", "external_id"}."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    miss = PublicIdField(required=False, allow_null=True)
    node = PublicIdField(read_only=True)
    member = serializers.CharField(source="member.code", default=None, read_only=True)
    cause = serializers.CharField(max_length=4000)
    action = serializers.CharField(max_length=4000)
    owner = OwnerField(required=False, allow_null=True)
    due_on = serializers.DateField()
    expected_effect = ExpectedEffectSerializer(source="*", required=False)
    status = serializers.ChoiceField(choices=ActionStatus.choices, required=False)
    baseline = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = [
            "id",
            "miss",
            "node",
            "dimension",
            "member",
            "cause",
            "action",
            "owner",
            "due_on",
            "expected_effect",
            "status",
            "baseline",
            "verdict",
            "created_at",
            "finished_at",
        ]
        read_only_fields = ["dimension", "verdict", "created_at", "finished_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["miss"].queryset = self.context.get("answerable", Miss.objects.none())

    def to_representation(self, action: Action) -> dict[str, Any]:
        shown = super().to_representation(action)
        owner = action.owner or action.owner_user
        shown["owner"] = str(owner.public_id) if owner else None
        return shown

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_baseline(self, action: Action) -> dict[str, Any] | None:
        if action.baseline is None:
            return None
        key, numbers = from_json(action.baseline)
        period = {"grain": key.grain, "period_start": key.period_start, "frozen_at": action.baseline["frozen_at"]}
        return {**numbers_shown(numbers), **period}


class SeriesSerializer(serializers.ModelSerializer):
    """A meeting series."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = MeetingSeries
        fields = ["id", "name", "interval", "weekday", "week_of_month", "starts_at", "is_active"]


class MeetingSerializer(serializers.ModelSerializer):
    """A meeting; its state changes through open and close, its minutes through minutes."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    series = PublicIdField(queryset=MeetingSeries.objects.all())

    class Meta:
        model = Meeting
        fields = ["id", "series", "scheduled_at", "status", "minutes", "opened_at", "closed_at"]
        read_only_fields = ["status", "minutes", "opened_at", "closed_at"]


class MinutesSerializer(serializers.Serializer):
    """The minutes; with `version` (as read) nobody else's words are overwritten."""

    text = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=200_000)
    version = serializers.IntegerField(required=False, min_value=0)
    saved_at = serializers.DateTimeField(read_only=True, allow_null=True)


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
        amount = item.amount_at_stake
        return {
            "id": str(item.public_id),
            "kind": item.kind,
            "object": str(object_of(item).public_id),
            "title": item.title,
            "amount_at_stake": None if amount is None else as_number(amount),
            "frozen": frozen_shown(item, row.figure),
            "current": numbers_shown(row.figure.now) if row.figure else None,
            "decided": bool(row.decisions),
        }


class DecisionSerializer(serializers.ModelSerializer):
    """What was decided about a point."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    agenda_item = PublicIdField()
    action = PublicIdField(required=False, allow_null=True)

    class Meta:
        model = Decision
        fields = ["id", "agenda_item", "kind", "text", "action", "decided_at"]
        read_only_fields = ["decided_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agenda_item"].queryset = self.context.get("items", AgendaItem.objects.none())
        self.fields["action"].queryset = Action.objects.all()


class AgendaKpiSerializer(serializers.Serializer):
    """A KPI to put on the agenda: a node's id, or its code with the tree's id."""

    node = serializers.CharField()
    tree = serializers.CharField(required=False)


def object_of(item: AgendaItem) -> Any:
    """The miss, action or node that a point is about."""
    return item.miss or item.action or item.node


def numbers_shown(numbers: Numbers) -> dict[str, Any]:
    """Numbers as JSON numbers."""
    shown = {name: None if (value := getattr(numbers, name)) is None else as_number(value) for name in DECIMALS}
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
