"""How the operation goes: changes of facts, freshness, the checklist."""

from rest_framework import serializers

from kpis.api.fields import OpenObject
from kpis.api.serializers import PageSerializer, Selectable
from kpis.models import FactChange
from tenants.registry import ItemStatus, Stage


class ChangeSerializer(Selectable):
    """One change of one fact; `changes` maps a field to its old and new value."""

    id = serializers.IntegerField()
    resource = serializers.CharField(source="fact")
    external_id = serializers.CharField()
    action = serializers.ChoiceField(FactChange._meta.get_field("action").choices)
    changes = OpenObject()
    run = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField()


class StreamSerializer(serializers.Serializer):
    """What one source has delivered of one kind of fact."""

    source = serializers.CharField()
    resource = serializers.CharField(source="fact")
    covered_from = serializers.DateField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    expected_every = serializers.DurationField(allow_null=True)
    is_late = serializers.BooleanField()


class HealthSerializer(serializers.Serializer):
    """Whether numbers are fresh, and what other parts report."""

    status = serializers.ChoiceField(["ok", "late"])
    generated_at = serializers.DateTimeField()
    streams = StreamSerializer(many=True)
    signals = OpenObject()


class ChecklistItemSerializer(serializers.Serializer):
    """One item of the checklist as the system finds it today."""

    number = serializers.IntegerField()
    stage = serializers.ChoiceField(Stage.choices)
    title = serializers.CharField()
    status = serializers.ChoiceField(ItemStatus.choices)
    evidence = serializers.CharField(allow_blank=True)
    evidence_url = serializers.CharField(allow_blank=True)
    next_step = serializers.CharField(allow_blank=True)
    next_step_url = serializers.CharField(allow_blank=True)


class ChecklistSerializer(PageSerializer):
    """The checklist."""

    results = ChecklistItemSerializer(many=True)
