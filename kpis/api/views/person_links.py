"""People of several sources who are one person: those that were found, joining two by hand, taking them apart."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.pagination import PAGE_PARAMETERS, CursorPages
from kpis.api.person_links import PersonLinkPageSerializer, PersonLinkSerializer, PersonLinkVerdictSerializer
from kpis.models import PersonLink
from kpis.services.person_links import join_people, part_people
from tenants.capabilities import Capability


class PersonLinksView(CompanyAPIView):
    """People that are one person."""

    capabilities = {"get": Capability.MANAGE_DEFINITIONS, "post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(
        summary="People that are one person",
        operation_id="person_links_list",
        parameters=[*PAGE_PARAMETERS],
        responses=PersonLinkPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """In force, and taken off: of these no rule makes one person again."""
        pages = CursorPages()
        page = pages.paginate_queryset(PersonLink.objects.select_related("person", "same_as"), request, self)
        return pages.get_paginated_response(PersonLinkSerializer(page, many=True).data)

    @extend_schema(
        summary="Say that two are one person", request=PersonLinkSerializer, responses={201: PersonLinkSerializer}
    )
    def post(self, request: Request) -> Response:
        """What was the one's is the other's from now on; taking them apart gives it back."""
        serializer = PersonLinkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = join_people(**serializer.validated_data, actor=self.actor, now=timezone.now())
        return Response(PersonLinkSerializer(made).data, status=status.HTTP_201_CREATED)


class PersonLinkVerdictView(CompanyAPIView):
    """What somebody says of a link between people."""

    capabilities = {"post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Take two people apart", request=PersonLinkVerdictSerializer, responses=PersonLinkSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Each gets its own back, and no rule joins them again."""
        link = get_object_or_404(PersonLink, pk=pk)
        serializer = PersonLinkVerdictSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        part_people(link=link, actor=self.actor, now=timezone.now())
        return Response(PersonLinkSerializer(PersonLink.objects.select_related("person", "same_as").get(pk=pk)).data)
