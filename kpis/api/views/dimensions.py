"""By what numbers can be divided."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.filters import MemberFilter
from kpis.api.serializers import DimensionSerializer, MemberSerializer
from kpis.api.versions import answer
from kpis.models import Dimension, DimensionMember
from kpis.services.dimensions import rename_dimension, rename_member
from tenants.capabilities import Capability

CAPABILITIES = {
    "list": Capability.READ_RESULTS,
    "retrieve": Capability.READ_RESULTS,
    "partial_update": Capability.MANAGE_DEFINITIONS,
}


@extend_schema_view(
    list=extend_schema(summary="Dimensions"),
    retrieve=extend_schema(summary="One dimension"),
)
class DimensionViewSet(CompanyViewSet):
    """The built-in dimensions and the company's own segments."""

    queryset = Dimension.objects.all()
    serializer_class = DimensionSerializer
    capabilities = CAPABILITIES
    lookup_field = "code"
    lookup_url_kwarg = "code"
    lookup_value_converter = "slug"

    @extend_schema(summary="Name a dimension")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give a dimension the company's own name."""
        dimension = self.row_to_change()
        changes = self.checked(instance=dimension, partial=True)
        if "name" in changes:
            rename_dimension(dimension=dimension, name=changes["name"], actor=self.actor)
        return answer(request, self.shown(dimension.pk))


@extend_schema_view(
    list=extend_schema(summary="Members of a dimension"),
    retrieve=extend_schema(summary="One member of a dimension"),
)
class MemberViewSet(CompanyViewSet):
    """The values of one dimension."""

    queryset = DimensionMember.objects.select_related("parent")
    serializer_class = MemberSerializer
    filterset_class = MemberFilter
    capabilities = CAPABILITIES
    lookup_field = "code"
    lookup_url_kwarg = "code"
    lookup_value_converter = "path"

    def get_queryset(self) -> QuerySet[DimensionMember]:
        """Members of the dimension in the address."""
        members = super().get_queryset().filter(dimension__code=self.kwargs.get("dimension"))
        if self.action == "list" and not Dimension.objects.filter(code=self.kwargs.get("dimension")).exists():
            raise Http404
        return members

    @extend_schema(summary="Name a member")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give a member a name in place of its code."""
        member = self.row_to_change()
        changes = self.checked(instance=member, partial=True)
        if "name" in changes:
            rename_member(member=member, name=changes["name"], actor=self.actor)
        return answer(request, self.shown(member.pk))
