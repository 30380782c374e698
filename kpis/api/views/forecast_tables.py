"""The deal forecast table (ヨミ表), what changed and what was lost in it, and deals to check."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.forecast_tables import (
    ChangeParameters,
    CheckParameters,
    DealChangesSerializer,
    DealToCheckPageSerializer,
    DealToCheckSerializer,
    ForecastParameters,
    ForecastSerializer,
    GroupedForecastParameters,
    LossesSerializer,
)
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.choices import DimensionCode
from kpis.engine.landing import Fault
from kpis.selectors.deals import read_deals_to_check
from kpis.selectors.forecast_table import Since, read_deal_changes, read_forecast_table, read_since
from kpis.selectors.losses import read_losses
from kpis.templatetags.kpi import language_code
from tenants.capabilities import Capability
from tenants.settings.selectors import company_settings


class _ForecastView(CompanyAPIView):
    """What is asked about one table, for a caller who may see its member."""

    capabilities = {"get": Capability.READ_RESULTS}

    def asked(self, parameters: type[ForecastParameters]) -> dict[str, Any]:
        """The parameters, read and found valid. Raises PermissionDenied for a member out of sight."""
        read = parameters(data=self.request.query_params, context={"request": self.request})
        read.is_valid(raise_exception=True)
        asked: dict[str, Any] = read.validated_data
        if asked["member"] is not None and not self.sight.allows(asked["dimension"], asked["member"].pk):
            raise PermissionDenied
        return asked


class ForecastTableView(_ForecastView):
    """Won and open deals of a period."""

    @extend_schema(summary="Deal forecast table", parameters=[GroupedForecastParameters], responses=ForecastSerializer)
    def get(self, request: Request) -> Response:
        """Every deal in groups, and the foot from won to unsure; a reader finds only deals in sight."""
        asked = self.asked(GroupedForecastParameters)
        goal, period, member = asked["goal"], asked["period"], asked["member"]
        table = read_forecast_table(
            goal,
            period,
            member=member,
            people=self.sight.members.get(DimensionCode.PERSON),
            by=asked["by"],
            today=timezone.localdate(),
            limit=None,
        )
        found = {
            "node": goal.public_id,
            "code": goal.code,
            "grain": period.grain,
            "period_start": period.start_date,
            "dimension": asked["dimension"],
            "member": member.code if member else None,
            "currency": company_settings().currency,
            "table": table,
        }
        return Response(ForecastSerializer(found).data)


class ForecastChangesView(_ForecastView):
    """What changed in the deals of a period."""

    @extend_schema(
        summary="Changes of a deal forecast table", parameters=[ChangeParameters], responses=DealChangesSerializer
    )
    def get(self, request: Request) -> Response:
        """Since the last meeting that looked at the KGI, else of the last seven days; a reader finds own deals."""
        asked = self.asked(ChangeParameters)
        since = read_since(asked["goal"], now=timezone.now(), language=language_code())
        if asked["since"] is not None:
            since = Since(asked["since"], None)
        found = read_deal_changes(asked["period"], since=since.at, owners=self.sight.people)
        data = {"since": since.at, "occasion": since.occasion, "changes": found.rows}
        return Response(DealChangesSerializer(data).data)


class ForecastLossesView(_ForecastView):
    """What was lost in a period, and why."""

    @extend_schema(
        summary="Losses of a deal forecast table", parameters=[ForecastParameters], responses=LossesSerializer
    )
    def get(self, request: Request) -> Response:
        """By reason, competitor, phase and person in charge, in full; a reader finds only deals in sight."""
        asked = self.asked(ForecastParameters)
        people = self.sight.members.get(DimensionCode.PERSON)
        found = read_losses(asked["period"], member=asked["member"], people=people)
        return Response(LossesSerializer({"currency": company_settings().currency, "losses": found.rows}).data)


class DealsToCheckView(CompanyAPIView):
    """Deals whose record has to be corrected."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(
        summary="Deals to check",
        operation_id="deals_to_check_list",
        parameters=[CheckParameters, *PAGE_PARAMETERS],
        responses=DealToCheckPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """All open deals with a fault, and deals lost in the last 30 days without a reason, the largest first."""
        parameters = CheckParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        reason = parameters.validated_data["reason"]
        found = read_deals_to_check(
            people=self.sight.people, today=timezone.localdate(), fault=Fault(reason) if reason else None
        )
        pages = ListPages()
        page = pages.paginate_queryset(found.first, request)
        return pages.get_paginated_response(DealToCheckSerializer(page, many=True).data)
