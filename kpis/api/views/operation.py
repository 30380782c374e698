"""Whether the cycle turns: checklist, health, and what changed in the facts."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView, ListViewSet
from kpis.api.filters import ChangeFilter
from kpis.api.operation import ChangeSerializer, ChecklistSerializer, HealthSerializer
from kpis.models import FactChange
from kpis.selectors.operation import read_checklist, read_health
from tenants.capabilities import Capability, Scope


class ChecklistView(CompanyAPIView):
    """The items of the cycle, each verified from the state of the system."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Checklist", responses=ChecklistSerializer)
    def get(self, request: Request) -> Response:
        """Every item with its state, evidence and next step."""
        items = list(read_checklist(today=timezone.localdate()))
        return Response(ChecklistSerializer({"results": items}).data)


class HealthView(CompanyAPIView):
    """Whether numbers are fresh."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Health", responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        """The streams with their last success, and the signals of other parts."""
        return Response(HealthSerializer(read_health(now=timezone.now())).data)


@extend_schema_view(list=extend_schema(summary="Changes of facts"))
class ChangeViewSet(ListViewSet):
    """The feed of what changed in the facts, oldest first: `since` names the moment, `next` goes on from there."""

    queryset = FactChange.objects.all()
    serializer_class = ChangeSerializer
    filterset_class = ChangeFilter
    capabilities = {"list": Capability.READ_RESULTS}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes of all people's facts: only for those who may read them all."""
        if self.scope != Scope.ALL:
            raise PermissionDenied
        return super().list(request, *args, **kwargs)
