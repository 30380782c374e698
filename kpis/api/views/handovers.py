"""From marketing to sales: the ledger, what was agreed, the rules for leads, and what they found."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.handovers import (
    HandoverDefinitionPageSerializer,
    HandoverDefinitionSerializer,
    HandoverPageSerializer,
    HandoverParameters,
    HandoverSerializer,
    HandoverSummarySerializer,
    LeadExclusionPageSerializer,
    LeadExclusionSerializer,
    LeadExclusionVerdictSerializer,
    LeadLinkPageSerializer,
    LeadLinkSerializer,
    LeadLinkVerdictSerializer,
    LeadRulesSerializer,
)
from kpis.api.pagination import PAGE_PARAMETERS, CursorPages, ListPages
from kpis.choices import ExclusionReason
from kpis.engine.values import Absence
from kpis.models import HandoverDefinition, Lead, LeadExclusion, LeadLink
from kpis.selectors.handovers import (
    narrow_handovers,
    read_handovers,
    read_ledger_sources,
    seen_by,
    summarise_by_source,
)
from kpis.selectors.lead_rules import find_lead_rules
from kpis.services.handover import define_handover
from kpis.services.joining import choose_lead, count_duplicate, judge_scan, undo_link
from kpis.services.lead_rules import set_lead_rules
from tenants.capabilities import Capability


class HandoversView(CompanyAPIView):
    """Leads handed over."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(
        summary="Handover ledger",
        operation_id="handovers_list",
        parameters=[HandoverParameters, *PAGE_PARAMETERS],
        responses=HandoverPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Every lead that became an MQL, the latest first; a reader finds those of the people in sight."""
        asked = _asked(request)
        rows = seen_by(read_handovers(asked["start"], asked["end"], now=timezone.now()), self.sight.people)
        found = narrow_handovers(rows, source=asked["lead_source"], owner=asked["owner"], standing=asked["status"])
        pages = ListPages()
        page = pages.paginate_queryset(found, request)
        return pages.get_paginated_response(HandoverSerializer(page, many=True).data)


class HandoverSummaryView(CompanyAPIView):
    """What handovers come to."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(
        summary="Handovers by lead source", parameters=[HandoverParameters], responses=HandoverSummarySerializer
    )
    def get(self, request: Request) -> Response:
        """The company's; narrowed to a person those in sight alone."""
        asked, now = _asked(request), timezone.now()
        start, end = asked["start"], asked["end"]
        rows = read_handovers(start, end, now=now)
        leads, sources = read_ledger_sources(now=now)
        is_known = rows or leads.tells_none(start, end, timezone.localdate(now))
        if asked["owner"] is not None:
            rows = seen_by(rows, self.sight.people)
        found = narrow_handovers(rows, source=asked["lead_source"], owner=asked["owner"], standing=asked["status"])
        summary = {
            "as_of": sources.as_of,
            "stale": sources.is_stale,
            "absence": None if is_known else Absence.MISSING,
            "lead_sources": summarise_by_source(found),
        }
        return Response(HandoverSummarySerializer(summary).data)


class HandoverDefinitionsView(CompanyAPIView):
    """What marketing and sales agreed on."""

    capabilities = {"get": Capability.READ_RESULTS, "post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Handover definitions",
        operation_id="handover_definitions_list",
        parameters=[*PAGE_PARAMETERS],
        responses=HandoverDefinitionPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Every agreement, the one that comes into force last first."""
        pages = ListPages()
        page = pages.paginate_queryset(list(HandoverDefinition.objects.all()), request)
        return pages.get_paginated_response(HandoverDefinitionSerializer(page, many=True).data)

    @extend_schema(
        summary="Agree anew", request=HandoverDefinitionSerializer, responses={201: HandoverDefinitionSerializer}
    )
    def post(self, request: Request) -> Response:
        """A new agreement from a day on; earlier ones stay."""
        serializer = HandoverDefinitionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = define_handover(**serializer.validated_data, actor=self.actor, now=timezone.now())
        return Response(HandoverDefinitionSerializer(made).data, status=status.HTTP_201_CREATED)


class LeadRulesView(CompanyAPIView):
    """The rules for leads."""

    capabilities = {"get": Capability.READ_RESULTS, "put": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Rules for leads", responses=LeadRulesSerializer)
    def get(self, request: Request) -> Response:
        """The rules in force."""
        return Response(LeadRulesSerializer(find_lead_rules()).data)

    @extend_schema(summary="Set the rules for leads", request=LeadRulesSerializer, responses=LeadRulesSerializer)
    def put(self, request: Request) -> Response:
        """All rules at once; leads and deals are looked at again."""
        serializer = LeadRulesSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rules = set_lead_rules(**serializer.validated_data, actor=self.actor, now=timezone.now())
        return Response(LeadRulesSerializer(rules).data)


class LeadLinksView(CompanyAPIView):
    """Links that rules made."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Links of deals to leads",
        operation_id="lead_links_list",
        parameters=[*PAGE_PARAMETERS],
        responses=LeadLinkPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """In force, taken off, and those that need a choice."""
        pages = CursorPages()
        page = pages.paginate_queryset(LeadLink.objects.select_related("deal", "lead"), request, self)
        return pages.get_paginated_response(LeadLinkSerializer(page, many=True).data)


class LeadLinkVerdictView(CompanyAPIView):
    """What a person says of a link."""

    capabilities = {"post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Undo or choose a link", request=LeadLinkVerdictSerializer, responses=LeadLinkSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Undone, no rule brings it back; chosen, it stays."""
        link = get_object_or_404(LeadLink, pk=pk)
        serializer = LeadLinkVerdictSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        said = serializer.validated_data
        if said["verdict"] == "undo":
            undo_link(link=link, actor=self.actor, now=timezone.now())
        else:
            lead = get_object_or_404(Lead, pk=said["lead"])
            choose_lead(link=link, lead=lead, actor=self.actor, now=timezone.now())
        return Response(LeadLinkSerializer(LeadLink.objects.select_related("deal", "lead").get(pk=pk)).data)


class LeadExclusionsView(CompanyAPIView):
    """Leads kept out of the count."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Leads kept out of the count",
        operation_id="lead_exclusions_list",
        parameters=[*PAGE_PARAMETERS],
        responses=LeadExclusionPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Duplicates and card scans, with what was said of them."""
        pages = CursorPages()
        page = pages.paginate_queryset(LeadExclusion.objects.select_related("lead", "same_as"), request, self)
        return pages.get_paginated_response(LeadExclusionSerializer(page, many=True).data)


class LeadExclusionVerdictView(CompanyAPIView):
    """What a person says of a lead kept out of the count."""

    capabilities = {"post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Count a lead or leave it out",
        request=LeadExclusionVerdictSerializer,
        responses=LeadExclusionSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """A verdict stays, whatever the rules find later."""
        row = get_object_or_404(LeadExclusion, pk=pk)
        serializer = LeadExclusionVerdictSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if row.reason == ExclusionReason.SCAN:
            judge_scan(leads=[row.lead_id], **serializer.validated_data, actor=self.actor, now=timezone.now())
        else:
            count_duplicate(exclusion=row, actor=self.actor, now=timezone.now())
        row = LeadExclusion.objects.select_related("lead", "same_as").get(pk=pk)
        return Response(LeadExclusionSerializer(row).data)


def _asked(request: Request) -> dict[str, Any]:
    parameters = HandoverParameters(data=request.query_params)
    parameters.is_valid(raise_exception=True)
    asked: dict[str, Any] = parameters.validated_data
    return asked
