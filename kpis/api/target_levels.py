"""Gaps between levels, and moving what a leaver still holds, as JSON."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import MemberReference, NodeReference, Number, TreeReference, node_or_error
from kpis.api.queries import OFFICIAL, find_asked_member
from kpis.api.serializers import FREQUENCIES, LINES, PageSerializer
from kpis.choices import DimensionCode, Grain
from kpis.engine.gaps import GapVerdict
from kpis.selectors.target_gaps import LEVELS

VERDICTS = [(verdict.value, verdict.value) for verdict in GapVerdict]


class GapParameters(serializers.Serializer):
    """Which targets are compared."""

    tree = TreeReference()
    node = serializers.CharField(required=False, help_text=_("Default: every node that adds up."))
    line = serializers.ChoiceField(LINES, default=OFFICIAL)
    grain = serializers.ChoiceField(FREQUENCIES, default=Grain.MONTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the node."""
        tree = attrs["tree"]
        if attrs["line"] == OFFICIAL:
            attrs["line"] = tree.official_line
        return {**attrs, "node": node_or_error(attrs["node"], tree) if attrs.get("node") else None}


class GapSerializer(serializers.Serializer):
    """A target above against the parts below; `missing` is negative where more is written below than above."""

    top_down = Number()
    taken_on = Number()
    unassigned = Number(help_text=_("What lies below but on nobody, or on somebody who has left."))
    missing = Number()
    verdict = serializers.ChoiceField(VERDICTS)


class PeriodGapSerializer(GapSerializer):
    """The same for one period."""

    period_start = serializers.DateField()


class LevelSerializer(serializers.Serializer):
    """One comparison of two levels; periods that cannot be compared are left out."""

    node = NodeReference()
    above = MemberReference(allow_null=True, help_text=_("The team above; null = the company."))
    below = serializers.ChoiceField([(level.value, level.value) for level in LEVELS])
    periods = PeriodGapSerializer(many=True)
    total = GapSerializer()


class LevelPageSerializer(PageSerializer):
    """Comparisons, the company's first."""

    results = LevelSerializer(many=True)


class HandOverSerializer(serializers.Serializer):
    """Whose rest goes to whom; both by their code among the persons."""

    tree = TreeReference()
    person = serializers.CharField()
    receiver = serializers.CharField()
    reason = serializers.CharField(allow_blank=True, default="", max_length=2000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the two."""
        for name in ("person", "receiver"):
            attrs[name] = find_asked_member(DimensionCode.PERSON, attrs[name], field=name)
        return attrs


class HandedOverSerializer(serializers.Serializer):
    """How many targets were moved; `request` names the request where they wait for approval."""

    target_count = serializers.IntegerField()
    request = serializers.UUIDField(source="request.public_id", default=None, allow_null=True)
