"""Periods and their states."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view

from kpis.api.base import CompanyViewSet
from kpis.api.filters import PeriodFilter
from kpis.api.serializers import PeriodSerializer
from kpis.models import Period
from kpis.selectors.calendar import period_namer
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
        """With the names of periods in the caller's language."""
        return {**super().get_serializer_context(), "labels": period_namer()}
