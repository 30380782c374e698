"""A company's addresses, and the empty one."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.urls.company import urlpatterns as company_addresses
from kpis.api.base import CompanyAPIView
from tenants.capabilities import Capability


class EmptyView(CompanyAPIView):
    """Answers nothing to whoever may read results."""

    capabilities = {"get": Capability.READ_RESULTS}

    def get(self, _request: Request) -> Response:
        return Response({})


urlpatterns = [path("api/v1/bench/empty/", EmptyView.as_view()), *company_addresses]
