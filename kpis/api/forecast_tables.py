"""The deal forecast table (ヨミ表), its changes and losses, and deals to check, as the API is asked for them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import Number, TreeReference
from kpis.api.landings import LeftOutSerializer, RollUpStepSerializer
from kpis.api.queries import find_asked_member, find_asked_period
from kpis.api.serializers import PageSerializer
from kpis.choices import DimensionCode, Grain, Level, Outcome
from kpis.engine.landing import Fault
from kpis.selectors.forecast_table import BY_OWNER, BY_RANK, TOLD_FIELDS

FAULTS = [each.value for each in Fault]


class ForecastParameters(serializers.Serializer):
    """A tree, whose KGI counts won deals, and a period; the company or one member."""

    tree = TreeReference()
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(required=False, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the KGI, the period and the member."""
        goals = attrs["tree"].nodes.select_related("tree", "metric").filter(level=Level.KGI)
        goal = goals.exclude(metric=None).first()
        if goal is None:
            message = _("There is no KGI with a number in this tree. Name a tree that has one.")
            raise serializers.ValidationError({"tree": message}, code="does_not_exist")
        return {
            **attrs,
            "goal": goal,
            "period": find_asked_period(attrs["grain"], attrs["period_start"]),
            "member": find_asked_member(attrs["dimension"], attrs["member"]),
        }


class GroupedForecastParameters(ForecastParameters):
    """The same, with the deals in groups."""

    by = serializers.ChoiceField([BY_OWNER, BY_RANK], default=BY_OWNER)


class ChangeParameters(ForecastParameters):
    """The same, with the moment since which changes are told."""

    since = serializers.DateTimeField(
        required=False, default=None, help_text=_("Default: the last meeting on the KGI, else seven days ago.")
    )


class CheckParameters(serializers.Serializer):
    """Which deals to check."""

    reason = serializers.ChoiceField(FAULTS, required=False, default=None)


class DealSerializer(serializers.Serializer):
    """A deal as its own system names it; amounts in the company's currency, null where its record does not say."""

    source = serializers.CharField(source="deal.source")
    external_id = serializers.CharField(source="deal.external_id")
    name = serializers.CharField(source="deal.name", allow_blank=True)
    account = serializers.CharField(allow_blank=True)
    owner = serializers.CharField(allow_blank=True)
    url = serializers.CharField(source="deal.source_url", allow_blank=True)
    amount = Number(source="worth", allow_null=True)


class ForecastDealSerializer(DealSerializer):
    """A won deal, or one that may still be won; `faults` keep it out of the landing."""

    outcome = serializers.ChoiceField(Outcome.choices, source="deal.outcome")
    confidence = serializers.CharField(source="rank", allow_blank=True)
    date = serializers.DateField(source="day", allow_null=True, help_text=_("Closed, or expected to."))
    postponed_count = serializers.IntegerField(
        source="postponed.count",
        allow_null=True,
        help_text=_("As the source says, else the moves of the expected close to a later date that have been seen."),
    )
    postponed_since = serializers.DateField(
        source="postponed.since",
        allow_null=True,
        help_text=_("Moves have been seen from this day on and the deal is older; null where all of them are known."),
    )
    last_activity_on = serializers.DateField(source="deal.last_activity_on", allow_null=True)
    faults = serializers.ListField(child=serializers.ChoiceField(FAULTS))


class ForecastGroupSerializer(serializers.Serializer):
    """The deals of one owner or rank, or all won ones of a table by rank, with what they add up to."""

    name = serializers.CharField(allow_blank=True)
    won = Number()
    open = Number()
    left_out = Number()
    total = Number(help_text=_("Won, and what counts of the open ones."))
    deals = ForecastDealSerializer(many=True, source="rows")


class ForecastFootSerializer(serializers.Serializer):
    """From won to unsure; `value` is the weighted landing, null where it cannot be said."""

    won = Number()
    steps = RollUpStepSerializer(many=True)
    value = serializers.SerializerMethodField()
    left_out_count = serializers.IntegerField()
    left_out_amount = Number()
    left_out = LeftOutSerializer(many=True)

    def get_value(self, foot: Any) -> float | None:
        """The number of a value that is one."""
        return None if isinstance(foot.value, str) else float(foot.value)


class ForecastTableSerializer(serializers.Serializer):
    """All deals of the table; without a table the KGI does not count won deals."""

    groups = ForecastGroupSerializer(many=True)
    foot = ForecastFootSerializer()
    count = serializers.IntegerField()


class ForecastSerializer(serializers.Serializer):
    """The table that was asked for; null where the KGI does not count won deals."""

    node = serializers.UUIDField()
    code = serializers.CharField()
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices)
    member = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    table = ForecastTableSerializer(allow_null=True)


class OccasionSerializer(serializers.Serializer):
    """The meeting since which changes are told."""

    kind = serializers.CharField()
    label = serializers.CharField()


class DealChangeSerializer(serializers.Serializer):
    """One field of one deal: from what to what, as the source wrote it; "" is nothing."""

    source = serializers.CharField(source="deal.source")
    external_id = serializers.CharField(source="deal.external_id")
    name = serializers.CharField(source="deal.name", allow_blank=True)
    url = serializers.CharField(source="deal.source_url", allow_blank=True)
    field = serializers.ChoiceField(TOLD_FIELDS)
    old = serializers.CharField(allow_blank=True)
    new = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class DealChangesSerializer(serializers.Serializer):
    """Every change since a moment, latest first; without an occasion the moment was asked for or is seven days ago."""

    since = serializers.DateTimeField()
    occasion = OccasionSerializer(allow_null=True)
    changes = DealChangeSerializer(many=True)


class LossSerializer(serializers.Serializer):
    """Deals lost, or left without a decision, for one reason to one competitor in one phase by one person."""

    reason = serializers.CharField(allow_blank=True, help_text=_("Empty where the record does not say."))
    competitor = serializers.CharField(allow_blank=True)
    phase = serializers.CharField(
        allow_blank=True, help_text=_("The last open phase before the close. Empty where it is not known.")
    )
    owner = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()
    amount = Number(allow_null=True)


class LossesSerializer(serializers.Serializer):
    """Every line of losses of a period, the most money first."""

    currency = serializers.CharField()
    losses = LossSerializer(many=True)


class DealToCheckSerializer(DealSerializer):
    """A deal with what has to be corrected in its record."""

    date = serializers.DateField(source="day", allow_null=True, help_text=_("Expected; of a lost deal when it was."))
    faults = serializers.ListField(child=serializers.ChoiceField(FAULTS))


class DealToCheckPageSerializer(PageSerializer):
    """The largest first."""

    results = DealToCheckSerializer(many=True)
