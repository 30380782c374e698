"""Input requests as JSON."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import MemberReference, Number
from kpis.api.serializers import FREQUENCIES, PageSerializer
from kpis.choices import DimensionCode


class InputRequestParameters(serializers.Serializer):
    """Whose open values are asked for."""

    everybody = serializers.BooleanField(
        default=False, help_text=_("Of all people, for who may type for all. Default: the caller's own.")
    )


class InputRequestSerializer(serializers.Serializer):
    """One value that waits to be typed; it is entered through `entries/`."""

    node = serializers.UUIDField(source="node.public_id")
    metric = serializers.UUIDField(source="node.metric.public_id")
    name = serializers.CharField(source="node.name")
    grain = serializers.ChoiceField(FREQUENCIES, source="period.grain")
    period_start = serializers.DateField(source="period.start_date")
    period = serializers.CharField(source="label")
    dimension = serializers.ChoiceField(DimensionCode.choices, source="place.dimension")
    member = MemberReference(source="place.member", allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    late_by = serializers.IntegerField(
        help_text=_("Business days since it was due; 0 = due today, negative = to come.")
    )
    asked = serializers.CharField(
        source="asked.name", default=None, allow_null=True, help_text=_("Who is asked now: the owner, else the deputy.")
    )
    previous = Number(source="previous.value", default=None, allow_null=True)
    target = Number(allow_null=True)


class InputRequestPageSerializer(PageSerializer):
    """A page of open values."""

    results = InputRequestSerializer(many=True)
