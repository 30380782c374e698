"""Why the KGI is not its target, as the contract writes it."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from kpis.api.fields import Number, TreeReference, as_number
from kpis.api.queries import find_asked_member, find_asked_period
from kpis.choices import DimensionCode, Grain, Unit
from kpis.engine.contribution import Method
from kpis.selectors.contributions import Cause, Contributions, NodeShare


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

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find period and member."""
        period = find_asked_period(attrs["grain"], attrs["period_start"])
        member = find_asked_member(attrs["dimension"], attrs["member"])
        return {**attrs, "period": period, "member": member}


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


def contributions_data(found: Contributions | None) -> dict[str, Any]:
    """Plain data for JSON."""
    if found is None:
        absent = dict.fromkeys(("goal", "unit", "currency", "gap", "not_explained", "timing", "bottleneck"))
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
