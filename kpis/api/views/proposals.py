"""Targets proposed for the periods of a year; setting them is another call."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.fields import MemberReference, Number, TreeReference, node_or_error
from kpis.api.problems import FieldError, Problem
from kpis.api.queries import OFFICIAL, find_asked_member
from kpis.api.targets import ProrationSerializer
from kpis.choices import DimensionCode, SpreadMethod, TargetLine
from kpis.models import DimensionMember
from kpis.permissions import check_reach
from kpis.selectors.target_proposals import NoProposalError, ProposalQuery, nobody_of, propose_targets
from tenants.capabilities import Capability


class ProposalParameters(serializers.Serializer):
    """One row of targets, and how its periods are to be filled."""

    tree = TreeReference(required=False, default=None, help_text=_("Needed when node is a code."))
    node = serializers.CharField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(allow_null=True, default=None)
    line = serializers.ChoiceField([*TargetLine.choices, (OFFICIAL, _("Official"))], default=OFFICIAL)
    method = serializers.ChoiceField(SpreadMethod.choices)
    value = Number(allow_null=True, default=None, help_text=_("Of the fiscal year; from a period on: of each period."))
    start = serializers.DateField(allow_null=True, default=None, help_text=_("Periods before it keep what they have."))
    step = Number(default=1, min_value=0, help_text=_("What sums are rounded to; the last period takes the rest."))
    receiver = serializers.CharField(
        allow_null=True, default=None, help_text=_("Who takes over what is left; without it, it stays unassigned.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node, member and receiver."""
        node = node_or_error(attrs["node"], attrs.pop("tree"), context=self.context)
        if node.metric is None:
            message = _("%(node)s measures nothing, so it has no target. Set it on a KPI below.") % {"node": node.code}
            raise serializers.ValidationError({"node": message}, code="no_metric")
        if not attrs["step"]:
            raise serializers.ValidationError({"step": _("Write a step above zero.")})
        dimension = attrs["dimension"]
        receiver = attrs["receiver"]
        return {
            **attrs,
            "node": node,
            "line": node.tree.official_line if attrs["line"] == OFFICIAL else attrs["line"],
            "member": find_asked_member(dimension, attrs["member"]),
            "receiver": None if receiver is None else find_asked_member(dimension, receiver, field="receiver"),
        }


class ProposedTargetSerializer(serializers.Serializer):
    """One target as it is (null = not set) and as it is proposed."""

    member = MemberReference(allow_null=True)
    period_start = serializers.DateField()
    current = Number(allow_null=True)
    value = Number()
    proration = ProrationSerializer(allow_null=True, help_text=_("To be set with the target."))
    is_changed = serializers.BooleanField(help_text=_("Whether setting it would change anything."))


class ProposalSerializer(serializers.Serializer):
    """Proposed targets; the last period of a spread holds `remainder`, which rounding left over."""

    targets = ProposedTargetSerializer(many=True)
    remainder = Number()


class TargetProposalView(CompanyAPIView):
    """How a row of targets could be filled: evenly, by business days, as in past years, and so on."""

    capabilities = {"post": Capability.SET_TARGETS}

    @extend_schema(summary="Propose targets", request=ProposalParameters, responses=ProposalSerializer)
    def post(self, request: Request) -> Response:
        """Nothing is stored: look at the answer, then set it with `targets/bulk/`."""
        parameters = ProposalParameters(data=request.data, context={"request": request})
        parameters.is_valid(raise_exception=True)
        query = ProposalQuery(**parameters.validated_data)
        for member in _written(query):
            check_reach(request.user, self.scope, self.sight, query.dimension, member, [query.node])
        try:
            proposal = propose_targets(query, now=timezone.now())
        except NoProposalError as error:
            issue = error.issue
            message = issue.translated(_)
            raise Problem(
                status=status.HTTP_409_CONFLICT,
                code=issue.code,
                detail=message,
                errors=[FieldError(issue.field, issue.code, message)],
            ) from error
        return Response(ProposalSerializer(proposal).data)


def _written(query: ProposalQuery) -> list[DimensionMember | None]:
    """Whose targets the answer is about."""
    if query.method != SpreadMethod.HAND_OVER or query.member is None:
        return [query.member]
    return [query.member, query.receiver or nobody_of(query.dimension)]
