"""Landings, calls and ranks as the API writes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import ActorField, MemberReference, NodeReference, Number, TreeReference, node_or_error
from kpis.api.queries import find_asked_member, find_asked_period
from kpis.api.serializers import PageSerializer, Selectable, with_member
from kpis.choices import DimensionCode, Grain, Level
from kpis.engine.landing import Fault
from kpis.engine.pace import Basis
from kpis.engine.scoring import Method
from kpis.engine.specs import DEAL_STEPS
from kpis.models import DealPhase

METHODS = [each.value for each in Method]


class CallSerializer(Selectable):
    """What somebody said about where a period will end; never changed."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    tree = TreeReference(write_only=True, required=False, allow_null=True, help_text=_("Needed when node is a code."))
    node = NodeReference()
    grain = serializers.ChoiceField(Grain.choices, default=Grain.MONTH)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = MemberReference(allow_null=True, default=None)
    value = Number()
    note = serializers.CharField(allow_blank=True, default="")
    actor = ActorField(read_only=True, allow_null=True)
    at = serializers.DateTimeField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node and member."""
        attrs["node"] = node_or_error(attrs["node"], attrs.pop("tree", None), context=self.context)
        return with_member(attrs, self.context)


class RankSerializer(serializers.Serializer):
    """A confidence rank: the company's weight beside the measured win rate of the last year."""

    code = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=80, allow_blank=True, default="")
    position = serializers.IntegerField(min_value=0, max_value=32767, default=0, write_only=True)
    weight = Number(max_digits=5, decimal_places=4, min_value=0, max_value=1, allow_null=True, default=None)
    measured = Number(read_only=True, allow_null=True, help_text=_("Won ÷ closed deals; null below ten of them."))
    won = Number(read_only=True)
    closed = Number(read_only=True)


class RankPageSerializer(PageSerializer):
    """Ranks, the surest first."""

    results = RankSerializer(many=True)


class PhaseSerializer(serializers.ModelSerializer):
    """A phase as deals carry it, and which step of a sale it is."""

    code = serializers.CharField(max_length=80)
    name = serializers.CharField(max_length=80, allow_blank=True, default="")
    step = serializers.IntegerField(
        min_value=1, max_value=DEAL_STEPS, allow_null=True, default=None, help_text=_("Null: not a step.")
    )

    class Meta:
        model = DealPhase
        fields = ("code", "name", "step")


class PhasePageSerializer(PageSerializer):
    """Phases in the order of their steps."""

    results = PhaseSerializer(many=True)


class LandingParameters(serializers.Serializer):
    """Whose landing is asked for; without a node the KGI's."""

    tree = TreeReference()
    node = serializers.CharField(required=False, default=None, help_text=_("The id or the code; default the KGI."))
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(required=False, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node, period and member."""
        tree = attrs["tree"]
        goal = tree.nodes.select_related("tree", "metric").filter(level=Level.KGI).first()
        node = goal if attrs["node"] is None else node_or_error(attrs["node"], tree)
        if node is None or node.metric is None:
            message = _("There is no KGI in this tree, or the node measures nothing. Name a node with a metric.")
            raise serializers.ValidationError({"node": message}, code="does_not_exist")
        return {
            "node": node,
            "period": find_asked_period(attrs["grain"], attrs["period_start"]),
            "dimension": attrs["dimension"],
            "member": find_asked_member(attrs["dimension"], attrs["member"]),
        }


class ScoreSerializer(serializers.Serializer):
    """How right a view has been over ended periods."""

    period_count = serializers.IntegerField()
    bias = Number(allow_null=True, help_text=_("Above 0: it promised too much."))
    error = Number(allow_null=True)


class LandingViewSerializer(serializers.Serializer):
    """One view of the landing; a value that is null has a code in `absence`."""

    method = serializers.ChoiceField(METHODS)
    value = Number(allow_null=True)
    absence = serializers.CharField(allow_null=True)
    achievement = Number(allow_null=True)
    shortfall = Number(allow_null=True, help_text=_("Target − landing; below 0 where more than the target comes."))
    score = ScoreSerializer(allow_null=True)


class PaceSerializer(serializers.Serializer):
    """What the pace rests on."""

    share = Number(allow_null=True, help_text=_("The share of a period that is usually reached by this business day."))
    basis = serializers.ChoiceField([each.value for each in Basis])
    low = Number(allow_null=True)
    high = Number(allow_null=True)
    period_count = serializers.IntegerField()


class RollUpStepSerializer(serializers.Serializer):
    """The counted open deals of one rank, unweighted."""

    rank = serializers.CharField(source="rank.code")
    name = serializers.CharField(source="rank.name")
    weight = Number(source="rank.applied", allow_null=True)
    count = serializers.IntegerField()
    amount = Number()
    cumulative = Number(help_text=_("Won, and of this rank or surer."))


class LeftOutSerializer(serializers.Serializer):
    """Deals left out for one reason; a deal with two reasons is in both."""

    reason = serializers.ChoiceField([each.value for each in Fault], source="fault")
    count = serializers.IntegerField()
    amount = Number()


class RollUpSerializer(serializers.Serializer):
    """The confidence roll-up, and what is left out of it until somebody corrects it."""

    steps = RollUpStepSerializer(many=True)
    left_out_count = serializers.IntegerField()
    left_out_amount = Number()
    left_out = LeftOutSerializer(many=True)


class LandingSerializer(serializers.Serializer):
    """Where a period will end; without views where it is over or the metric is no sum."""

    node = NodeReference()
    code = serializers.CharField(source="node.code")
    grain = serializers.ChoiceField(Grain.choices, source="period.row.grain")
    period_start = serializers.DateField(source="period.start")
    dimension = serializers.ChoiceField(DimensionCode.choices)
    member = serializers.CharField(source="member.code", allow_null=True)
    currency = serializers.CharField()
    actual = Number(allow_null=True)
    target = Number(allow_null=True)
    shown = serializers.ChoiceField(METHODS, source="shown.method", default=None, allow_null=True)
    proved = serializers.ChoiceField(METHODS, allow_null=True, help_text=_("Which view has been right most often."))
    views = LandingViewSerializer(many=True)
    pace = PaceSerializer()
    roll_up = RollUpSerializer(allow_null=True)
    call = CallSerializer(allow_null=True)


class LandingsSerializer(serializers.Serializer):
    """The landing that was asked for; null where nothing lands, in a period that is over or of a rate."""

    landing = LandingSerializer(allow_null=True)
