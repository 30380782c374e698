"""Parallel checks as JSON."""

from typing import Any

import django_filters as filters
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import ActorField, MetricReference, Number, as_number
from kpis.api.filters import ReferenceFilter
from kpis.api.serializers import Selectable
from kpis.choices import ParallelOutcome
from kpis.engine.parallel import Verdict
from kpis.engine.values import Absence
from kpis.models import ParallelCheck
from kpis.selectors.parallel import CheckedMonth
from kpis.selectors.references import find_metric

VERDICTS = [(each.value, each.value) for each in Verdict]


class ParallelCheckFilter(filters.FilterSet):
    """Checks."""

    metric = ReferenceFilter(find=find_metric, field_name="metric")
    outcome = filters.ChoiceFilter(choices=ParallelOutcome.choices)

    class Meta:
        model = ParallelCheck
        fields = ("metric", "outcome")


class ParallelCheckSerializer(Selectable):
    """A typed metric beside the automatic one that is to take its place."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    metric = MetricReference()
    candidate = MetricReference(help_text=_("The automatic metric: same unit, adds up alike."))
    tolerance = Number(default=0, help_text=_("By how much a month may differ, in the metric's unit."))
    months_needed = serializers.IntegerField(default=3, min_value=1, max_value=12)
    outcome = serializers.ChoiceField(ParallelOutcome.choices, read_only=True)
    effective_from = serializers.DateField(read_only=True, allow_null=True)
    equal_months = serializers.IntegerField(read_only=True, allow_null=True, help_text=_("When it was switched."))
    reason = serializers.CharField(read_only=True)
    started_by = ActorField(read_only=True, allow_null=True)
    started_at = serializers.DateTimeField(read_only=True)
    ended_by = ActorField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)


class CheckedMonthSerializer(serializers.Serializer):
    """One month: typed, automatic, and the difference where both are numbers."""

    period_start = serializers.DateField(source="period.start_date")
    typed = Number(source="entry.value", default=None, allow_null=True)
    typed_absence = serializers.CharField(allow_blank=True)
    automatic = serializers.SerializerMethodField()
    automatic_absence = serializers.CharField(allow_blank=True)
    difference = Number(source="compared.difference", allow_null=True, max_digits=34, decimal_places=14)
    verdict = serializers.ChoiceField(VERDICTS, source="compared.verdict")

    @extend_schema_field({"type": ["number", "null"]})
    def get_automatic(self, month: CheckedMonth) -> Any:
        value = month.compared.automatic
        return None if isinstance(value, Absence) else as_number(value)


class CheckTableSerializer(serializers.Serializer):
    """The months of a check, latest first."""

    equal_count = serializers.IntegerField(help_text=_("Months in a row that are equal."))
    is_earned = serializers.BooleanField(help_text=_("Whether they are enough to switch without a reason."))
    months = CheckedMonthSerializer(many=True)


class SwitchSerializer(serializers.Serializer):
    """From which month on, and why where too few months are equal."""

    effective_from = serializers.DateField(
        allow_null=True, default=None, help_text=_("The start of a month. Default: the running one.")
    )
    reason = serializers.CharField(allow_blank=True, default="", max_length=500)


class StopSerializer(serializers.Serializer):
    """Why a check ends without a switch."""

    reason = serializers.CharField(max_length=500)
