"""Targets and entered values, as they go out and may come in."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import (
    ActorField,
    MemberReference,
    MetricReference,
    NodeReference,
    Number,
    TreeReference,
    node_or_error,
)
from kpis.api.serializers import FREQUENCIES, LINES, OFFICIAL, PageSerializer, Selectable, with_member
from kpis.choices import DimensionCode, EntryAbsence, Grain, TargetLine
from kpis.engine.proration import Proration


class ProrationSerializer(serializers.Serializer):
    """How a target of somebody who joins or leaves came about, as `targets/proposals/` proposes it."""

    whole = Number(help_text=_("The target before proration."))
    kept = Number(help_text=_("What of it stays for the days on which the person is there."))
    handed = Number(default=0, help_text=_("What of the difference somebody else took over."))

    def validate(self, attrs: dict[str, Any]) -> Proration:
        """As the engine counts with it."""
        return Proration(**{name: Decimal(value) for name, value in attrs.items()})


class TargetSerializer(Selectable):
    """A target of one node for one period of its own frequency."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    tree = TreeReference(write_only=True, required=False, allow_null=True, help_text=_("Needed when node is a code."))
    node = NodeReference()
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = MemberReference(allow_null=True, default=None)
    line = serializers.ChoiceField(LINES, default=TargetLine.TARGET)
    value = Number(allow_null=True, help_text=_("Null removes the target: no target is not 0."))
    upper = Number(allow_null=True, default=None)
    initial_value = Number(read_only=True, allow_null=True)
    initial_upper = Number(read_only=True, allow_null=True)
    reason = serializers.CharField(allow_blank=True, default="")
    proration = ProrationSerializer(
        allow_null=True,
        default=None,
        help_text=_("Send back what a proposal said, so that a later one counts from the same target."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node and member, and say `official` as the line it stands for."""
        if "node" in attrs:
            attrs["node"] = node_or_error(attrs["node"], attrs.get("tree"), context=self.context)
        attrs.pop("tree", None)
        node = attrs.get("node") or self.instance.node
        if attrs.get("line") == OFFICIAL[0]:
            attrs["line"] = node.tree.official_line
        if self.partial:
            attrs.setdefault("dimension", self.instance.dimension)
        return with_member(attrs, self.context)


class TargetBatchSerializer(serializers.Serializer):
    """Targets to set together."""

    records = serializers.ListField(child=TargetSerializer(), allow_empty=False, max_length=5000)


class TargetsSerializer(PageSerializer):
    """The targets that were set."""

    results = TargetSerializer(many=True)


class TargetRevisionSerializer(Selectable):
    """One setting of a target."""

    number = serializers.IntegerField()
    value = Number(allow_null=True, help_text=_("Null where the target was removed."))
    upper = Number(allow_null=True)
    reason = serializers.CharField()
    actor = ActorField(allow_null=True, help_text=_("Who set it, or proposed it where it was approved."))
    at = serializers.DateTimeField()
    request = serializers.UUIDField(
        source="request.public_id", default=None, allow_null=True, help_text=_("The approved request behind it.")
    )
    approvers = serializers.ListField(
        child=ActorField(), help_text=_("Who approved it, in order; empty where nobody had to.")
    )
    confirmed_at = serializers.DateTimeField(
        allow_null=True, help_text=_("When the person whose target it is has confirmed it.")
    )


class ManualEntrySerializer(Selectable):
    """A value that a person entered."""

    id = serializers.IntegerField(source="pk", read_only=True)
    metric = MetricReference()
    grain = serializers.ChoiceField(FREQUENCIES, default=Grain.MONTH)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = MemberReference(allow_null=True, default=None)
    value = Number(allow_null=True, default=None)
    absence = serializers.ChoiceField(
        EntryAbsence.choices,
        allow_blank=True,
        default="",
        help_text=_("Why there is no value, in place of one; the note says more."),
    )
    note = serializers.CharField(allow_blank=True, default="")
    entered_by = ActorField(read_only=True, allow_null=True)
    entered_at = serializers.DateTimeField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the member."""
        return with_member(attrs, self.context)
