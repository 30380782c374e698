"""Periods and their states."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.filters import PeriodFilter
from kpis.api.queries import LONGEST, Stretch
from kpis.api.serializers import PeriodSerializer, ReasonSerializer
from kpis.api.versions import answer
from kpis.models import Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.open_restatements import count_open
from kpis.services.calendar import cover_stretch
from kpis.services.periods import close_period, make_provisional, reopen_period
from tenants.capabilities import Capability


@extend_schema_view(list=extend_schema(summary="Periods"), retrieve=extend_schema(summary="One period"))
class PeriodViewSet(CompanyViewSet):
    """The periods of the fiscal calendar; `from` and `to` bound their starts."""

    queryset = Period.objects.select_related("fiscal_year")
    serializer_class = PeriodSerializer
    filterset_class = PeriodFilter
    cursor_ordering = "start_date"
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "provisional": Capability.PROVISIONAL_PERIODS,
        "close": Capability.CLOSE_PERIODS,
        "reopen": Capability.CLOSE_PERIODS,
    }

    def get_serializer_context(self) -> dict[str, Any]:
        """With the names of periods in the caller's language, and how many of their KPIs wait for a decision."""
        return {**super().get_serializer_context(), "labels": period_namer(), "late_counts": count_open()}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of the list; a stretch of at most 20 years is answered for any year."""
        asked = Stretch(data=request.query_params)
        asked.is_valid(raise_exception=True)
        start, end = asked.validated_data["start"], asked.validated_data["end"]
        if start and end and start < end and end - start <= LONGEST:
            cover_stretch(start=start, end=end)
        return super().list(request, *args, **kwargs)

    @extend_schema(summary="Make a period provisional", request=ReasonSerializer, responses=PeriodSerializer)
    @action(detail=True, methods=["post"])
    def provisional(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """速報: make an ended month or week provisional before the clock does."""
        return self._move(make_provisional)

    @extend_schema(summary="Close a period", request=ReasonSerializer, responses=PeriodSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """確定: close an ended month or week and lock what it shows."""
        return self._move(close_period)

    @extend_schema(summary="Reopen a period", request=ReasonSerializer, responses=PeriodSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a closed month or week provisional again; needs a reason."""
        return self._move(reopen_period)

    def _move(self, service: Callable[..., Period]) -> Response:
        period = self.row_to_change()
        reason = ReasonSerializer(data=self.request.data)
        reason.is_valid(raise_exception=True)
        service(period=period, reason=reason.validated_data["reason"], actor=self.actor, now=timezone.now())
        return answer(self.request, self.shown(period.pk))
