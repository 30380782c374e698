"""Top-down against bottom-up, and what people who have left still hold."""

from dataclasses import asdict
from datetime import date
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.target_levels import (
    GapParameters,
    HandedOverSerializer,
    HandOverSerializer,
    LevelPageSerializer,
    LevelSerializer,
)
from kpis.choices import DimensionCode
from kpis.engine.gaps import LevelGap
from kpis.models import Person
from kpis.selectors.leavers import read_leavers
from kpis.selectors.target_gaps import LevelRow, read_level_gaps
from kpis.selectors.target_grid import GridQuery, read_columns
from kpis.services.leavers import move_targets
from tenants.capabilities import Capability


class TargetGapsView(CompanyAPIView):
    """Targets of one level against the sum of the level below, per period and for the year."""

    capabilities = {"get": Capability.SET_TARGETS}

    @extend_schema(
        summary="Top-down against bottom-up",
        operation_id="target_gaps_list",
        parameters=[GapParameters, *PAGE_PARAMETERS],
        responses=LevelPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The levels of which the caller sees all parts."""
        parameters = GapParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        asked = parameters.validated_data
        node = asked["node"]
        query = GridQuery(asked["tree"], asked["line"], node.frequency if node else asked["grain"], node=node)
        starts = [column.start for column in read_columns(query)]
        rows = [_shown(row, starts) for row in read_level_gaps(query, sight=self.sight)]
        pages = ListPages()
        page = pages.paginate_queryset(rows, request)
        return pages.get_paginated_response(LevelSerializer(page, many=True).data)


class TargetHandOverView(CompanyAPIView):
    """What somebody who has left still holds goes to somebody who is there."""

    capabilities = {"post": Capability.SET_TARGETS}

    @extend_schema(summary="Move a leaver's targets", request=HandOverSerializer, responses=HandedOverSerializer)
    def post(self, request: Request) -> Response:
        """Every open period that ends after the last day, on every line; of the period of leaving the days after it."""
        serializer = HandOverSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked, sight = serializer.validated_data, self.sight
        leavers = read_leavers(tree=asked["tree"], sight=sight)
        leaver = next((each for each in leavers if each.person.member_id == asked["person"].pk), None)
        if leaver is None:
            raise Http404
        if not sight.may_write(DimensionCode.PERSON, asked["receiver"].pk):
            raise PermissionDenied
        receiver = get_object_or_404(Person.objects.select_related("member"), member=asked["receiver"])
        moved = move_targets(
            leaver=leaver, receiver=receiver, reason=asked["reason"], actor=self.actor, now=timezone.now()
        )
        return Response(HandedOverSerializer(moved).data)


def _shown(row: LevelRow, starts: list[date]) -> dict[str, Any]:
    periods = zip(starts, row.gaps, strict=True)
    return {
        "node": row.node,
        "above": row.above,
        "below": row.below,
        "periods": [{"period_start": start, **_numbers(gap)} for start, gap in periods if gap is not None],
        "total": _numbers(row.total) if row.total else None,
    }


def _numbers(gap: LevelGap) -> dict[str, Any]:
    return {**asdict(gap), "missing": gap.missing, "verdict": gap.verdict.value}
