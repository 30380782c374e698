"""Who has confirmed the own targets, and confirming them."""

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.target_requests import (
    ConfirmationParameters,
    ConfirmationSerializer,
    ConfirmedSerializer,
    PersonConfirmationPageSerializer,
    PersonConfirmationSerializer,
)
from kpis.choices import DimensionCode
from kpis.models import KpiTree
from kpis.selectors.confirmations import find_person, read_confirmations
from kpis.selectors.today import find_tree
from kpis.services.confirmations import confirm_targets
from tenants.capabilities import Capability, Scope


class ConfirmationsView(CompanyAPIView):
    """Confirmations of own targets: once for each setting, and again after every change."""

    capabilities = {"get": Capability.READ_PERSON_RESULTS, "post": Capability.READ_PERSON_RESULTS}

    @extend_schema(
        summary="Confirmations of own targets",
        parameters=[ConfirmationParameters, *PAGE_PARAMETERS],
        responses=PersonConfirmationPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everybody in sight with targets of their own; a member sees himself."""
        parameters = ConfirmationParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        members = self.sight.members.get(DimensionCode.PERSON)
        if self.scope == Scope.OWN:
            own = find_person(request.user)
            members = frozenset({own.member_id} if own and own.member_id else ())
        tree = _tree(parameters)
        rows = read_confirmations(tree=tree, members=members) if tree else []
        pages = ListPages()
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(PersonConfirmationSerializer(page, many=True).data)

    @extend_schema(summary="Confirm the own targets", request=ConfirmationSerializer, responses=ConfirmedSerializer)
    def post(self, request: Request) -> Response:
        """Confirm the caller's targets as they were set by `seen_at`."""
        asked = ConfirmationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        seen_at = asked.validated_data["seen_at"]
        tree = _tree(asked)
        if tree is None:
            raise Http404
        confirmed = confirm_targets(tree=tree, seen_at=seen_at, actor=self.actor, now=timezone.now())
        return Response(ConfirmedSerializer({"confirmed": confirmed}).data)


def _tree(asked: ConfirmationParameters) -> KpiTree | None:
    """The tree that was named, else the one in force."""
    return asked.validated_data["tree"] or find_tree(today=timezone.localdate())
