"""Target change requests and confirmations as JSON."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import ActorField, MemberReference, NodeReference, Number, TreeReference
from kpis.api.filters import ReferenceFilter
from kpis.api.serializers import PageSerializer, Selectable
from kpis.api.targets import TargetSerializer
from kpis.choices import DimensionCode, RequestStatus, RequestVerdict, TargetLine
from kpis.models import TargetRequest
from kpis.selectors.references import find_tree


class TargetRequestFilter(filters.FilterSet):
    """Requests."""

    tree = ReferenceFilter(find=find_tree, field_name="tree")
    status = filters.ChoiceFilter(choices=RequestStatus.choices)

    class Meta:
        model = TargetRequest
        fields = ("tree", "status")


class RequestedCellSerializer(serializers.Serializer):
    """One target of a request: when it was proposed (null = not set), and as it is to be (null = removed)."""

    node = NodeReference()
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices)
    member = MemberReference(allow_null=True)
    line = serializers.ChoiceField(TargetLine.choices)
    seen_value = Number(allow_null=True)
    seen_upper = Number(allow_null=True)
    value = Number(allow_null=True)
    upper = Number(allow_null=True)


class RequestDecisionSerializer(serializers.Serializer):
    """What one person said at one step."""

    step = serializers.IntegerField()
    verdict = serializers.ChoiceField(RequestVerdict.choices)
    comment = serializers.CharField()
    actor = ActorField(allow_null=True)
    at = serializers.DateTimeField()


class TargetRequestSerializer(Selectable):
    """A proposal of targets; `may_decide` says whether it waits for the caller."""

    id = serializers.UUIDField(source="public_id")
    tree = serializers.UUIDField(source="tree.public_id")
    status = serializers.ChoiceField(RequestStatus.choices)
    steps = serializers.IntegerField(help_text=_("How many approvals it needs."))
    reason = serializers.CharField()
    proposer = ActorField(allow_null=True)
    proposed_at = serializers.DateTimeField()
    answers = serializers.UUIDField(source="answers.public_id", default=None, allow_null=True)
    cells = RequestedCellSerializer(many=True)
    decisions = RequestDecisionSerializer(many=True)
    may_decide = serializers.SerializerMethodField()

    @extend_schema_field(bool)
    def get_may_decide(self, request: TargetRequest) -> bool:
        return self.context["approver"].may_decide(request)


class RequestedTargetsSerializer(serializers.Serializer):
    """Targets to propose together."""

    records = serializers.ListField(child=TargetSerializer(), allow_empty=False, max_length=5000)
    reason = serializers.CharField(max_length=2000)
    answers = serializers.UUIDField(
        allow_null=True, default=None, help_text=_("The returned request that this one answers.")
    )

    def validate_answers(self, value: Any) -> TargetRequest | None:
        """Find the request that is answered."""
        if value is None:
            return None
        found: QuerySet[TargetRequest] = self.context["visible"]
        request = found.filter(public_id=value).first()
        if request is None:
            message = _("There is no “%(value)s” here.") % {"value": value}
            raise serializers.ValidationError(message, code="does_not_exist")
        return request


class CommentSerializer(serializers.Serializer):
    """What is said with a decision; sending back needs it."""

    comment = serializers.CharField(allow_blank=True, default="", max_length=2000)


class PersonConfirmationSerializer(serializers.Serializer):
    """How far one person has confirmed the own targets of a tree's year."""

    person = serializers.UUIDField(source="person.public_id")
    name = serializers.CharField(source="person.name")
    target_count = serializers.IntegerField()
    unconfirmed_count = serializers.IntegerField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    waiting_since = serializers.DateTimeField(allow_null=True)


class PersonConfirmationPageSerializer(PageSerializer):
    """Everybody in sight with targets of their own."""

    results = PersonConfirmationSerializer(many=True)


class ConfirmationParameters(serializers.Serializer):
    """Which tree."""

    tree = TreeReference(required=False, default=None, help_text=_("Default: the tree in force."))


class ConfirmationSerializer(ConfirmationParameters):
    """What a person has seen."""

    seen_at = serializers.DateTimeField(help_text=_("Targets that were set later are not confirmed."))


class ConfirmedSerializer(serializers.Serializer):
    """How many targets were confirmed by this."""

    confirmed = serializers.IntegerField()
