"""Shapes of what the tree editor and the check of KPIs send and receive."""

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import ActorField, NodeReference, Number
from kpis.choices import BenchmarkVerdict
from kpis.engine.moves import STEPS
from kpis.engine.templates import TEMPLATES, Text
from kpis.engine.templates.benchmarks import KINDS as BENCHMARK_KINDS


@extend_schema_field({"type": "string"})
class TextField(serializers.Field):
    """A text of a template in the caller's language."""

    def to_representation(self, value: Text) -> str:
        return value.in_language(get_language() or "ja")


class CopySerializer(serializers.Serializer):
    """What a copy of a tree is to be."""

    fiscal_year = serializers.IntegerField(min_value=1950, max_value=2199)
    name = serializers.CharField(max_length=200)
    growth = Number(
        allow_null=True,
        default=None,
        min_value=0,
        help_text=_(
            "Take the targets of all segments and lines along, sums multiplied by this; without it the copy has none."
        ),
    )


class FromTemplateSerializer(serializers.Serializer):
    """Which template becomes a draft."""

    template = serializers.ChoiceField([(style, style) for style in TEMPLATES])
    fiscal_year = serializers.IntegerField(min_value=1950, max_value=2199)
    name = serializers.CharField(max_length=200, default="", allow_blank=True)


class MoveSerializer(serializers.Serializer):
    """Where a node goes: a parent and a position among its children, or one step."""

    parent = NodeReference(allow_null=True, required=False)
    position = serializers.IntegerField(min_value=0, max_value=32767, required=False)
    step = serializers.ChoiceField([(step, step) for step in STEPS], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Either a step alone, or a parent with a position."""
        if set(attrs) not in ({"step"}, {"parent", "position"}):
            raise serializers.ValidationError(_("Send step alone, or parent and position together."))
        return attrs


class FindingSerializer(serializers.Serializer):
    """One fault or remark about a KPI."""

    node = NodeReference()
    code = serializers.CharField()
    criterion = serializers.CharField(
        help_text=_("specific, measurable, achievable, relevant, time_bound or controllable")
    )
    is_fault = serializers.BooleanField()
    evidence = serializers.CharField()
    proposal = serializers.CharField()
    due_on = serializers.DateField()
    is_overdue = serializers.BooleanField()
    url = serializers.CharField(help_text=_("Where it is mended."))


class FindingsSerializer(serializers.Serializer):
    """What is open about the KPIs of a tree."""

    results = FindingSerializer(many=True)


class BenchmarkSerializer(serializers.Serializer):
    """An industry figure with its caveat; `low` and `high` are null where it varies by company."""

    kind = serializers.ChoiceField([(kind, kind) for kind in BENCHMARK_KINDS])
    low = Number(allow_null=True)
    high = Number(allow_null=True, help_text=_("Null with a low: this or more."))
    denominator = TextField()
    population = TextField()
    years = serializers.CharField()
    source = TextField()
    note = TextField()
    is_confirmed = serializers.BooleanField()


class SurveyNoteSerializer(serializers.Serializer):
    """What a survey said about a metric."""

    text = TextField()
    years = serializers.CharField()


class QuartilesSerializer(serializers.Serializer):
    """The middle half of the company's own last twelve months."""

    lower = Number(max_digits=34, decimal_places=14)
    median = Number(max_digits=34, decimal_places=14)
    upper = Number(max_digits=34, decimal_places=14)
    count = serializers.IntegerField()


class BenchmarkReviewSerializer(serializers.Serializer):
    """Somebody's word on the benchmark of a KPI."""

    verdict = serializers.ChoiceField(BenchmarkVerdict.choices)
    note = serializers.CharField()
    reviewed_by = ActorField(read_only=True, allow_null=True)
    reviewed_at = serializers.DateTimeField(read_only=True)


class GuidanceSerializer(serializers.Serializer):
    """The guidance beside a KPI's target."""

    benchmarks = BenchmarkSerializer(many=True)
    notes = SurveyNoteSerializer(many=True)
    own = QuartilesSerializer(allow_null=True)
    months_missing = serializers.IntegerField(help_text=_("Months until the own quartiles say anything."))
    review = BenchmarkReviewSerializer(allow_null=True)
