"""Why the KGI is not its target, as the contract writes it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from kpis.api.fields import NodeReference, Number, TreeReference, as_number, node_or_error
from kpis.api.matrices import DueSerializer, due_data
from kpis.api.queries import find_asked_member, find_asked_period
from kpis.choices import DimensionCode, Grain, Unit
from kpis.engine.contribution import Method
from kpis.models import KpiNode
from kpis.selectors.contributions import Cause, Contributions, NodeShare
from kpis.selectors.effects import Against, SegmentEffects


class ContributionParameters(serializers.Serializer):
    """Which tree's KGI is explained, in which period, for the company or one member."""

    tree = TreeReference()
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(required=False, default=None)
    to_date = serializers.BooleanField(
        default=False, help_text=_("Of an open period, hold flows against the target that is due by now.")
    )

    by = serializers.ChoiceField(
        [each for each in DimensionCode.choices if each[0] != DimensionCode.COMPANY],
        default=None,
        allow_null=True,
        help_text=_("Also tell what the members of this dimension did to the company's number."),
    )
    node = NodeReference(
        default=None, allow_null=True, help_text=_("With by: which number the members are told of. Default: the KGI.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find period, member and node."""
        period = find_asked_period(attrs["grain"], attrs["period_start"])
        member = find_asked_member(attrs["dimension"], attrs["member"])
        if attrs["by"] and member is not None:
            message = _("Segments are told of the whole company. Leave dimension and member out, or by.")
            raise serializers.ValidationError({"by": message}, code="invalid")
        node = attrs["node"] and node_or_error(attrs["node"], attrs["tree"])
        return {**attrs, "period": period, "member": member, "node": node}


class ShareSerializer(serializers.Serializer):
    """What one node did to the gap; of a lagged one, its number of the month from `period_start`."""

    node = serializers.UUIDField(help_text=_("The node's id."))
    code = serializers.CharField()
    name = serializers.CharField()
    amount = Number()
    method = serializers.ChoiceField([each.value for each in Method])
    period_start = serializers.DateField()


class LeverSerializer(serializers.Serializer):
    """A number of the KGI's formula: its part with all that reaches it, and what it alone would have to be."""

    node = serializers.UUIDField(help_text=_("The node's id."))
    code = serializers.CharField()
    amount = Number()
    actual = Number()
    target = Number()
    needed = Number(allow_null=True, help_text=_("Null where no value of it closes the gap."))


class SegmentEffectSerializer(serializers.Serializer):
    """What one member of the dimension did, in units of the node."""

    member = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    amount = Number(help_text=_("volume + mix + rate"))
    volume = Number(help_text=_("By more or fewer cases; against a target all that a sum differs by."))
    mix = Number(help_text=_("By its weight in the whole."))
    rate = Number(help_text=_("By its own rate."))


class SegmentsSerializer(serializers.Serializer):
    """What segments did to a number: Σ members + rest = difference, exactly."""

    node = serializers.UUIDField(help_text=_("The node's id."))
    unit = serializers.ChoiceField(Unit.choices)
    by = serializers.ChoiceField(DimensionCode.choices)
    against = serializers.ChoiceField(
        [each.value for each in Against],
        help_text=_("target where the members have targets of their own, else previous_period."),
    )
    difference = Number(help_text=_("The company's value less its target, or the change that the members make up."))
    rest = Number(help_text=_("What no member answers for: targets that are not shared out, members without one."))
    members = SegmentEffectSerializer(many=True)


class ContributionsSerializer(serializers.Serializer):
    """The gap (actual − target) of a KGI = shares + not explained + timing, in whole units."""

    goal = serializers.UUIDField(allow_null=True, help_text=_("The KGI's id; null where there is nothing to explain."))
    unit = serializers.ChoiceField(Unit.choices, allow_null=True)
    currency = serializers.CharField(allow_null=True)
    gap = Number(allow_null=True, help_text=_("Null where the KGI has no value or no target."))
    shares = ShareSerializer(many=True)
    not_explained = Number(allow_null=True)
    timing = Number(allow_null=True)
    bottleneck = serializers.CharField(allow_null=True, help_text=_("The code of the node that costs most."))
    levers = LeverSerializer(many=True)
    due = DueSerializer(
        allow_null=True, help_text=_("With to_date: how much of every flow's target counts. Null where all of it does.")
    )
    segments = SegmentsSerializer(
        allow_null=True, help_text=_("With by; null where there is neither a target of a member nor a period before.")
    )


def contributions_data(found: Contributions | None, segments: dict[str, Any] | None) -> dict[str, Any]:
    """Plain data for JSON."""
    return _contributions(found) | {"segments": segments}


def segments_data(
    node: KpiNode, by: str, found: tuple[SegmentEffects, Mapping[str | None, str]] | None
) -> dict[str, Any] | None:
    """Plain data for JSON."""
    if found is None or node.metric is None:
        return None
    effects, names = found
    return {
        "node": str(node.public_id),
        "unit": node.metric.unit,
        "by": by,
        "against": effects.against.value,
        "difference": as_number(effects.difference),
        "rest": as_number(effects.rest),
        "members": [
            {"member": code, "name": names.get(code, "")}
            | {"amount": as_number(each.total)}
            | {name: as_number(getattr(each, name)) for name in ("volume", "mix", "rate")}
            for code, each in effects.by_member.items()
        ],
    }


def _contributions(found: Contributions | None) -> dict[str, Any]:
    if found is None:
        absent = dict.fromkeys(("goal", "unit", "currency", "gap", "not_explained", "timing", "bottleneck", "due"))
        return absent | {"shares": [], "levers": []}
    bottleneck = found.bottleneck
    return {
        "goal": str(found.goal.public_id),
        "unit": found.unit,
        "currency": found.currency,
        "gap": as_number(found.gap),
        "shares": [_share(share) for share in found.shares],
        "not_explained": as_number(found.not_explained),
        "timing": as_number(found.total_timing),
        "bottleneck": bottleneck.node.code if bottleneck else None,
        "levers": [_lever(cause) for cause in found.causes],
        "due": due_data(found.due),
    }


def _share(share: NodeShare) -> dict[str, Any]:
    return {
        "node": str(share.node.public_id),
        "code": share.node.code,
        "name": share.node.name,
        "amount": as_number(share.amount),
        "method": str(share.method),
        "period_start": share.period_start,
    }


def _lever(cause: Cause) -> dict[str, Any]:
    return {
        "node": str(cause.node.public_id),
        "code": cause.node.code,
        "amount": as_number(cause.amount),
        "actual": as_number(cause.actual),
        "target": as_number(cause.target),
        "needed": as_number(cause.needed),
    }
