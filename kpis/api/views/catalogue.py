"""The catalogue of metrics."""

from django.utils import timezone
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.choices import Accumulation, Direction, Unit
from kpis.selectors.catalogue import read_catalogue
from kpis.services.catalogue import add_from_catalogue
from tenants.capabilities import Capability


class CatalogueEntrySerializer(serializers.Serializer):
    """One metric of the trade; `metric` is the id of the company's own of this code, null where it has none.

    `is_defined_otherwise`: the company's own is another metric under the same code; the entry cannot be added.
    """

    code = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.ChoiceField(Unit.choices)
    direction = serializers.ChoiceField(Direction.choices)
    accumulation = serializers.ChoiceField(Accumulation.choices)
    spec = serializers.JSONField()
    meaning = serializers.CharField()
    formula = serializers.ListField(child=serializers.CharField())
    facts = serializers.ListField(child=serializers.CharField())
    needs = serializers.ListField(child=serializers.CharField())
    trap = serializers.CharField()
    metric = serializers.UUIDField(source="metric.public_id", allow_null=True, default=None)
    is_defined_otherwise = serializers.BooleanField()


class CatalogueSerializer(serializers.Serializer):
    """All of the catalogue, in one page."""

    results = CatalogueEntrySerializer(many=True)
    next = serializers.CharField(allow_null=True, default=None)
    previous = serializers.CharField(allow_null=True, default=None)


class AddedSerializer(serializers.Serializer):
    """The company's metric that an entry became."""

    id = serializers.UUIDField(source="public_id")
    code = serializers.CharField()
    name = serializers.CharField()


class CatalogueView(CompanyAPIView):
    """The metrics of the trade: definition, formula, facts needed, traps."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Catalogue of metrics", responses=CatalogueSerializer)
    def get(self, request: Request) -> Response:
        """Every entry in the caller's language."""
        return Response(CatalogueSerializer({"results": read_catalogue(language=get_language() or "ja")}).data)


class CatalogueAdditionView(CompanyAPIView):
    """Taking an entry over."""

    capabilities = {"post": Capability.MANAGE_DEFINITIONS}

    @extend_schema(summary="Add a metric of the catalogue", request=None, responses={201: AddedSerializer})
    def post(self, request: Request, code: str) -> Response:
        """The entry and what its formula needs become metrics of the company; those it has stay as they are."""
        language = get_language() or "ja"
        metric = add_from_catalogue(code=code, language=language, actor=self.actor, now=timezone.now())
        return Response(AddedSerializer(metric).data, status=status.HTTP_201_CREATED)
