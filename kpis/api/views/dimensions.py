"""By what numbers can be divided."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView, CompanyViewSet
from kpis.api.filters import MemberFilter
from kpis.api.serializers import (
    ChangedDimensionSerializer,
    DimensionSerializer,
    MemberSerializer,
    SegmentFieldsSerializer,
)
from kpis.api.versions import answer
from kpis.models import Dimension, DimensionMember
from kpis.selectors.segments import read_fields, segment_remarks
from kpis.services.dimensions import rename_dimension, rename_member
from kpis.services.segments import set_segment
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

    @extend_schema(summary="Name a dimension, or say what fills a segment", responses=ChangedDimensionSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give a dimension the company's own name, and seg1 to seg5 the key of attributes that fills it."""
        dimension = self.row_to_change()
        changes = self.checked(instance=dimension, partial=True)
        remarks: list[str] = []
        if changes.keys() & {"attribute", "is_active"}:
            segment = set_segment(code=dimension.code, **changes, actor=self.actor, now=timezone.now())
            remarks = segment_remarks(segment)
        elif "name" in changes:
            rename_dimension(dimension=dimension, name=changes["name"], actor=self.actor)
        changed = answer(request, self.shown(dimension.pk))
        changed.data = {**changed.data, "remarks": remarks}
        return changed


class SegmentFieldsView(CompanyAPIView):
    """What can fill a segment."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Fields that can fill a segment", responses=SegmentFieldsSerializer)
    def get(self, request: Request) -> Response:
        """Keys of attributes among the newest records of each kind, and what accounts say themselves."""
        return Response(SegmentFieldsSerializer({"results": read_fields()}).data)


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
