"""What was achieved: the matrix, why the KGI is not its target, the records behind a cell."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.breakdowns import BreakdownSerializer, breakdown_data
from kpis.api.contributions import (
    ContributionParameters,
    ContributionsSerializer,
    contributions_data,
    segments_data,
)
from kpis.api.fields import as_number
from kpis.api.matrices import MatrixSerializer, matrix_data
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.queries import BreakdownParameters, MatrixParameters, RecordParameters
from kpis.api.serializers import (
    RecordPageSerializer,
    RecordSerializer,
)
from kpis.api.versions import answer_rendered
from kpis.choices import DimensionCode, Level
from kpis.selectors.breakdown import BreakdownError, BreakdownQuery, read_breakdown
from kpis.selectors.calendar import period_namer
from kpis.selectors.contributions import read_contributions
from kpis.selectors.details import Segment, read_effects
from kpis.selectors.grounds import read_side
from kpis.selectors.kept import read_answer
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.records import Record, RecordPage, Where
from kpis.selectors.visibility import Sight
from kpis.services.calendar import cover_stretch
from kpis.services.evidence import read_side_as_of
from tenants.capabilities import Capability


def _read(serializer: type[Any], request: Request) -> dict[str, Any]:
    parameters = serializer(data=request.query_params, context={"request": request})
    parameters.is_valid(raise_exception=True)
    return parameters.validated_data


MATRIX_PARAMETERS = tuple(MatrixParameters().fields)


class MatrixView(CompanyAPIView):
    """Nodes by members by periods; the answer is kept until anything that it shows has changed."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Matrix", parameters=[MatrixParameters], responses=MatrixSerializer)
    def get(self, request: Request) -> HttpResponse:
        """Value, target, achievement and status of every cell; a value that is null has a code in `absence`.

        Has an ETag: with `If-None-Match` 304 where nothing has changed. `generated_at` is when the numbers were read;
        nothing that they show has changed since.
        """
        now, sight = timezone.now(), self.sight
        # What was found right when the answer was kept is right as long as it is: trees and nodes are shown by it.
        named = [(name, request.query_params.get(name)) for name in MATRIX_PARAMETERS]
        seen = sorted((dimension, sorted(members)) for dimension, members in sight.members.items())
        asked = ("matrix", request.accepted_media_type, named, seen)
        answer = read_answer(asked, lambda: self._render(request, sight, now), now=now)
        return answer_rendered(request, answer.body, answer.digest)

    def _render(self, request: Request, sight: Sight, now: datetime) -> bytes:
        asked = _read(MatrixParameters, request)
        cover_stretch(start=asked["start"], end=asked["end"])
        live = asked.pop("live")
        query = MatrixQuery(**asked, is_live=live, member_ids=sight.members.get(asked["dimension"]))
        data = matrix_data(build_matrix(query, now=now), period_namer())
        body: bytes = request.accepted_renderer.render(data, request.accepted_media_type)
        return body


class BreakdownView(CompanyAPIView):
    """One metric by two dimensions."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Breakdown", parameters=[BreakdownParameters], responses=BreakdownSerializer)
    def get(self, request: Request) -> Response:
        """A metric where two dimensions cross, as teams by products; only pairs that have records, and in sight."""
        asked = _read(BreakdownParameters, request)
        cover_stretch(start=asked["start"], end=asked["end"])
        query = BreakdownQuery(dimensions=asked.pop("by"), visible=self.sight.members, **asked)
        try:
            found = read_breakdown(query, now=timezone.now())
        except BreakdownError as error:
            raise ValidationError({"metric": str(error)}, code="not_applicable") from None
        return Response(breakdown_data(query, found, period_namer()))


class ContributionsView(CompanyAPIView):
    """The gap of a KGI over the nodes of its tree."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Contributions", parameters=[ContributionParameters], responses=ContributionsSerializer)
    def get(self, request: Request) -> Response:
        """Shares, what is not explained and the timing add up to the gap between the KGI and its target."""
        asked = _read(ContributionParameters, request)
        member = asked["member"]
        if member is not None and not self.sight.allows(asked["dimension"], member.pk):
            raise PermissionDenied
        segment = Segment(asked["dimension"], member)
        found = read_contributions(
            asked["tree"], asked["period"], segment, now=timezone.now(), to_date=asked["to_date"]
        )
        return Response(contributions_data(found, self._segments(asked)))

    def _segments(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What the members of the asked dimension did; only for who sees all of them."""
        by, node = asked["by"], asked["node"]
        if not by:
            return None
        if self.sight.members.get(by) is not None:
            raise PermissionDenied
        node = node or asked["tree"].nodes.select_related("tree", "metric").filter(level=Level.KGI).first()
        if node is None or node.metric is None:
            return None
        found = read_effects(node, by, asked["period"], now=timezone.now(), to_date=asked["to_date"])
        return segments_data(node, by, found)


class _Records(Sequence[Record]):
    """The records behind a cell, read by the slice; `total` is what all of them give."""

    def __init__(self, read: Callable[..., RecordPage]) -> None:
        self._read = read
        self.total: Decimal | None = None

    def __len__(self) -> int:
        return self._read(limit=1).count

    def __getitem__(self, part: Any) -> Any:
        found = self._read(offset=part.start, limit=part.stop - part.start)
        self.total = found.total
        return found.records


class RecordsView(CompanyAPIView):
    """The facts behind a cell."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(
        summary="Records behind a cell",
        operation_id="records_list",
        parameters=[RecordParameters, *PAGE_PARAMETERS],
        responses=RecordPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Facts latest first, customers by what they give, with the link to each in its own system.

        The shares of all pages add up to `total`, the cell's side. A reader finds only records in sight. With `as_of`
        those that were counted at that moment, with what they were then.
        """
        asked, sight = _read(RecordParameters, request), self.sight
        if asked["member"] is not None and not sight.allows(asked["dimension"], asked["member"].pk):
            raise PermissionDenied
        where = Where(asked["dimension"], asked["member"], sight.members.get(DimensionCode.PERSON))
        read = partial(read_side, asked["side"], asked["period"], where)
        if asked["as_of"] is not None:
            read = partial(
                read_side_as_of,
                moment=asked["as_of"],
                now=timezone.now(),
                side=asked["side"],
                period=asked["period"],
                where=where,
            )
        pages, records = ListPages(), _Records(read)
        page = pages.paginate_queryset(records, request)
        body = pages.get_paginated_response(RecordSerializer(page, many=True).data).data
        return Response({"total": as_number(records.total), **body})
