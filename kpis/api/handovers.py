"""The handover ledger, what was agreed, and how leads and deals are joined, as the API is asked for them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import Number
from kpis.api.queries import check_stretch
from kpis.api.serializers import PageSerializer
from kpis.choices import ExclusionReason, ExclusionVerdict, LinkRule
from kpis.engine.handover import Standing
from kpis.engine.joining import LINK_RULES
from kpis.engine.values import Absence
from kpis.models import HandoverDefinition, LeadExclusion, LeadLink, LeadRules

STANDINGS = [each.value for each in Standing]
LINK_VERDICTS = ["undo", "choose"]


class HandoverParameters(serializers.Serializer):
    """Handed over in [from, to), narrowed."""

    lead_source = serializers.CharField(required=False, default=None, help_text=_("The code of a member."))
    owner = serializers.CharField(required=False, default=None, help_text=_("The code of a member of person."))
    status = serializers.ChoiceField(STANDINGS, required=False, default=None)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            **super().get_fields(),
            "from": serializers.DateField(source="start", help_text=_("Inclusive.")),
            "to": serializers.DateField(source="end", help_text=_("Exclusive.")),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return check_stretch(attrs)


class OriginalSerializer(serializers.Serializer):
    """A record as its own system names it."""

    source = serializers.CharField()
    external_id = serializers.CharField()
    url = serializers.CharField(source="source_url", allow_blank=True)


class FirstContactSerializer(OriginalSerializer):
    """The first contact after the handover."""

    kind = serializers.CharField()
    happened_on = serializers.DateField()
    happened_at = serializers.DateTimeField(allow_null=True)


class HandoverSerializer(serializers.Serializer):
    """One lead that marketing handed over, and what became of it."""

    lead = OriginalSerializer()
    account = serializers.CharField(allow_blank=True)
    lead_source = serializers.CharField(source="source.code")
    owner = serializers.CharField(source="person.code", help_text=_("The code of a member of person."))
    owner_name = serializers.CharField(source="owner", allow_blank=True)
    handed_over_on = serializers.DateField(source="day")
    status = serializers.ChoiceField(STANDINGS, source="standing")
    settled_on = serializers.DateField(allow_null=True, help_text=_("Accepted or returned."))
    reason = serializers.CharField(allow_blank=True)
    first_contact = FirstContactSerializer(source="contact", allow_null=True)
    response_hours = Number(
        source="response.hours", default=None, allow_null=True, help_text=_("Office hours; null without both times.")
    )
    response_days = serializers.IntegerField(
        source="response.days", default=None, allow_null=True, help_text=_("Business days.")
    )
    agreed_hours = Number(allow_null=True)
    in_time = serializers.BooleanField(
        source="is_in_time", allow_null=True, help_text=_("null: still open, nothing agreed, or the times are unknown.")
    )
    deal = OriginalSerializer(allow_null=True)


class HandoverPageSerializer(PageSerializer):
    """The latest first."""

    results = HandoverSerializer(many=True)


class HandoverLineSerializer(serializers.Serializer):
    """What handovers come to; rates are fractions, null without cases."""

    handed_over = serializers.IntegerField(source="summary.handed")
    contacted = serializers.IntegerField(source="summary.contacted")
    accepted = serializers.IntegerField(source="summary.accepted")
    returned = serializers.IntegerField(source="summary.returned")
    waiting = serializers.IntegerField(source="summary.waiting")
    contact_rate = Number(source="summary.contact_rate", allow_null=True)
    acceptance_rate = Number(source="summary.acceptance_rate", allow_null=True)
    in_time_rate = Number(source="summary.in_time_rate", allow_null=True)
    in_time_judged = serializers.IntegerField(source="summary.judged")
    median_response_hours = Number(source="summary.median_hours", allow_null=True)
    lead_source = serializers.CharField(source="source.code")
    name = serializers.CharField(source="source.name")


class HandoverSummarySerializer(serializers.Serializer):
    """By lead source, the most handed over first; how fresh leads and deals are."""

    as_of = serializers.DateTimeField(
        allow_null=True, help_text=_("When all of their sources had come; null where one never did.")
    )
    stale = serializers.BooleanField(help_text=_("One of their sources is late."))
    absence = serializers.ChoiceField(
        [Absence.MISSING.value], allow_null=True, help_text=_("Where no lead is listed and nobody knows of any.")
    )
    lead_sources = HandoverLineSerializer(many=True)


class HandoverDefinitionSerializer(serializers.ModelSerializer):
    """What marketing and sales agreed on."""

    response_hours = Number()

    class Meta:
        model = HandoverDefinition
        fields = (
            "effective_from",
            "mql_meaning",
            "sql_meaning",
            "response_hours",
            "marketing_name",
            "sales_name",
            "agreed_on",
            "recorded_at",
        )
        read_only_fields = ("recorded_at",)


class HandoverDefinitionPageSerializer(PageSerializer):
    """The one in force last first."""

    results = HandoverDefinitionSerializer(many=True)


class LeadRulesSerializer(serializers.ModelSerializer):
    """The company's rules for leads."""

    link_order = serializers.ListField(child=serializers.ChoiceField(LINK_RULES))

    class Meta:
        model = LeadRules
        fields = ("link_order", "joins_same_email", "scan_count", "scan_minutes", "opens_at", "closes_at")
        extra_kwargs = {name: {"required": True} for name in fields}


class LeadLinkSerializer(serializers.ModelSerializer):
    """Which lead a deal came from and why; without a lead one of the candidates has to be chosen."""

    deal = OriginalSerializer()
    lead = OriginalSerializer(allow_null=True)
    rule = serializers.ChoiceField(LinkRule.choices)
    candidates = serializers.SerializerMethodField()

    class Meta:
        model = LeadLink
        fields = ("id", "deal", "lead", "rule", "candidates", "decided_at", "undone_at")

    def get_candidates(self, link: LeadLink) -> list[int]:
        """Ids by which one of them is chosen."""
        return list(link.candidates)


class LeadLinkPageSerializer(PageSerializer):
    """The latest first."""

    results = LeadLinkSerializer(many=True)


class LeadLinkVerdictSerializer(serializers.Serializer):
    """Take a link off, or choose one of the candidates."""

    verdict = serializers.ChoiceField(LINK_VERDICTS)
    lead = serializers.IntegerField(required=False, default=None, help_text=_("With choose: one of the candidates."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["verdict"] == "choose" and attrs["lead"] is None:
            raise serializers.ValidationError({"lead": _("Name one of the candidates.")}, code="required")
        return attrs


class LeadExclusionSerializer(serializers.ModelSerializer):
    """Why a lead is kept out of the count, or was."""

    lead = OriginalSerializer()
    reason = serializers.ChoiceField(ExclusionReason.choices)
    same_as = OriginalSerializer(allow_null=True)
    verdict = serializers.ChoiceField(ExclusionVerdict.choices, allow_blank=True)

    class Meta:
        model = LeadExclusion
        fields = ("id", "lead", "reason", "same_as", "is_out", "is_worked", "verdict", "decided_at", "verdict_at")


class LeadExclusionPageSerializer(PageSerializer):
    """The latest first."""

    results = LeadExclusionSerializer(many=True)


class LeadExclusionVerdictSerializer(serializers.Serializer):
    """Count the lead, or leave out the card for good."""

    verdict = serializers.ChoiceField(ExclusionVerdict.choices)
