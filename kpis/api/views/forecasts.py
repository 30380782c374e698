"""Where periods will end: the landing, managers' calls, and the ranks and phases that deals carry."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.filters import CallFilter
from kpis.api.landings import (
    CallSerializer,
    LandingParameters,
    LandingsSerializer,
    PhasePageSerializer,
    PhaseSerializer,
    RankPageSerializer,
    RankSerializer,
)
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.views.targets import SeenViewSet
from kpis.models import DealPhase, ForecastCall
from kpis.permissions import check_reach
from kpis.selectors.landings import read_landing
from kpis.selectors.pipeline import read_ranks
from kpis.services.calls import make_call
from kpis.services.phases import set_phase
from kpis.services.ranks import set_rank
from tenants.capabilities import Capability


@extend_schema_view(list=extend_schema(summary="Managers' calls"), retrieve=extend_schema(summary="One call"))
class CallViewSet(SeenViewSet):
    """What managers said about where periods will end, with every earlier call."""

    serializer_class = CallSerializer
    filterset_class = CallFilter
    queryset = ForecastCall.objects.select_related("node__tree", "member", "actor")
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "create": Capability.SET_TARGETS,
    }

    @extend_schema(summary="Make a call")
    def create(self, request: Request) -> Response:
        """Say where a running period will end; what was said before stays."""
        fields = self.checked()
        check_reach(request.user, self.scope, self.sight, fields["dimension"], fields["member"], [fields["node"]])
        call = make_call(**fields, actor=self.actor, now=timezone.now())
        return self.created(call.pk)


class RanksView(CompanyAPIView):
    """The ranks (ヨミ) that deals carry."""

    capabilities = {"get": Capability.READ_RESULTS, "post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Confidence ranks",
        operation_id="confidence_ranks_list",
        parameters=[*PAGE_PARAMETERS],
        responses=RankPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The surest first, each with the company's weight and the measured win rate."""
        pages = ListPages()
        page = pages.paginate_queryset(read_ranks(today=timezone.localdate()), request)
        return pages.get_paginated_response(RankSerializer(page, many=True).data)

    @extend_schema(summary="Describe a rank", request=RankSerializer, responses={201: RankSerializer})
    def post(self, request: Request) -> Response:
        """Name and weight of a rank; describing it again replaces them. Without a weight the measured rate counts."""
        serializer = RankSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        rank = set_rank(**serializer.validated_data, actor=self.actor, now=now)
        described = next(each for each in read_ranks(today=timezone.localdate(now)) if each.code == rank.code)
        return Response(RankSerializer(described).data, status=status.HTTP_201_CREATED)


class PhasesView(CompanyAPIView):
    """The phases that deals carry, as steps of a sale."""

    capabilities = {"get": Capability.READ_RESULTS, "post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="Deal phases",
        operation_id="deal_phases_list",
        parameters=[*PAGE_PARAMETERS],
        responses=PhasePageSerializer,
    )
    def get(self, request: Request) -> Response:
        """In the order of their steps; conversion metrics name these as step1, step2 and so on."""
        pages = ListPages()
        page = pages.paginate_queryset(list(DealPhase.objects.all()), request)
        return pages.get_paginated_response(PhaseSerializer(page, many=True).data)

    @extend_schema(summary="Describe a phase", request=PhaseSerializer, responses={201: PhaseSerializer})
    def post(self, request: Request) -> Response:
        """Name and step of a phase; describing it again replaces them, and all deals are looked at again."""
        serializer = PhaseSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        phase = set_phase(**serializer.validated_data, actor=self.actor, now=timezone.now())
        return Response(PhaseSerializer(phase).data, status=status.HTTP_201_CREATED)


class LandingsView(CompanyAPIView):
    """Where one period will end."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Landing", parameters=[LandingParameters], responses=LandingsSerializer)
    def get(self, request: Request) -> Response:
        """Pace, confidence roll-up and the manager's call at once, what is left out, and which has been right."""
        parameters = LandingParameters(data=request.query_params, context={"request": request})
        parameters.is_valid(raise_exception=True)
        asked = parameters.validated_data
        if asked["member"] is not None and not self.sight.allows(asked["dimension"], asked["member"].pk):
            raise PermissionDenied
        landing = read_landing(**asked, now=timezone.now())
        return Response(LandingsSerializer({"landing": landing}).data)
