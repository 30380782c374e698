"""Working back from a goal, and applying what comes out."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.back_calculation_input import ApplyInput, BackCalculationInput
from kpis.api.back_calculations import BackCalculationSerializer, WorkedBackSerializer, worked_data
from kpis.api.base import CompanyViewSet
from kpis.api.filters import BackCalculationFilter
from kpis.api.versions import answer
from kpis.choices import DimensionCode
from kpis.models import BackCalculation
from kpis.permissions import check_reach
from kpis.selectors.back_calculation import month_namer, plan_targets
from kpis.selectors.calendar import period_namer
from kpis.services.back_calculation import apply_back_calculation
from tenants.capabilities import Capability


@extend_schema_view(
    list=extend_schema(summary="Applied back-calculations"),
    retrieve=extend_schema(summary="One applied back-calculation"),
)
class BackCalculationViewSet(CompanyViewSet):
    """From a goal to the orders, deals, opportunities, leads and activities that it takes."""

    queryset = BackCalculation.objects.select_related("tree", "request")
    serializer_class = BackCalculationSerializer
    filterset_class = BackCalculationFilter
    cursor_ordering = "-applied_at"
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "create": Capability.SET_TARGETS,
        "apply": Capability.SET_TARGETS,
    }

    @extend_schema(summary="Work back from a goal", request=BackCalculationInput, responses={200: WorkedBackSerializer})
    def create(self, request: Request) -> Response:
        """Calculates and stores nothing: what is needed, when, in three scenarios, and which targets would follow."""
        worked = self._asked(BackCalculationInput)["worked"]
        rows = plan_targets(worked.basis.places, worked.plan(), has_goal=worked.has_goal)
        return Response(worked_data(worked, rows, period_namer(), month_namer()))

    @extend_schema(summary="Apply as targets", request=ApplyInput, responses={201: BackCalculationSerializer})
    @action(detail=False, methods=["post"])
    def apply(self, request: Request) -> Response:
        """Write the targets of a scenario; closed periods keep theirs, and the same again changes nothing.

        Where the caller's change needs approval the targets are proposed: the answer's `request` names the request.
        """
        asked = self._asked(ApplyInput)
        worked, scenario = asked["worked"], asked["scenario"]
        rows = plan_targets(worked.basis.places, worked.plan(scenario), has_goal=worked.has_goal)
        for row in rows:
            check_reach(request.user, self.scope, self.sight, DimensionCode.COMPANY, None, [row.node])
        applied = apply_back_calculation(
            worked=worked,
            scenario=scenario,
            first=asked["first"],
            reason=asked["reason"],
            actor=self.actor,
            now=timezone.now(),
        )
        return answer(request, self.shown(applied.pk), code=status.HTTP_201_CREATED)

    def _asked(self, serializer: type[Any]) -> dict[str, Any]:
        given = serializer(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return given.validated_data
