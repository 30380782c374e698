"""What a number was at an earlier moment."""

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.evidence import EvidenceParameters, EvidenceSerializer, evidence_data
from kpis.choices import DimensionCode
from kpis.engine.issues import gettext_noop
from kpis.selectors.grounds import CellAddress
from kpis.services.evidence import compare_with_past
from tenants.capabilities import Capability
from tenants.settings.selectors import company_settings

NO_RECORDS = gettext_noop("%(node)s is not made of records alone; ask for the numbers it is made of.")


class EvidenceView(CompanyAPIView):
    """One number then and now."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Evidence as of a moment", parameters=[EvidenceParameters], responses=EvidenceSerializer)
    def get(self, request: Request) -> Response:
        """The number as its records gave it at `as_of`, beside now, with each record that counts otherwise and why."""
        asked = EvidenceParameters(data=request.query_params, context={"request": request})
        asked.is_valid(raise_exception=True)
        cell, sight = asked.validated_data, self.sight
        node, member = cell["node"], cell["member"]
        if member is not None and not sight.allows(cell["dimension"], member.pk):
            raise PermissionDenied
        found = node.metric and compare_with_past(
            CellAddress(node.metric, cell["period"], cell["dimension"], member),
            moment=cell["as_of"],
            people=sight.members.get(DimensionCode.PERSON),
            now=timezone.now(),
        )
        if not found:
            raise ValidationError({"node": _(NO_RECORDS) % {"node": node.code}}, code="not_applicable")
        return Response(evidence_data(found, unit=node.metric.unit, currency=company_settings().currency))
