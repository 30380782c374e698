"""The table of target beside actual (予実表)."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.budgets import BudgetParameters, BudgetSerializer, budget_data, budget_query
from kpis.selectors.budget_table import read_budget_table
from kpis.selectors.calendar import period_namer
from tenants.capabilities import Capability


class BudgetView(CompanyAPIView):
    """Target, actual and what follows from them for a fiscal year."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Budget versus actual table", parameters=[BudgetParameters], responses=BudgetSerializer)
    def get(self, request: Request) -> Response:
        """Months with quarters, halves and the year; a reader finds only the members in sight."""
        parameters = BudgetParameters(data=request.query_params, context={"request": request})
        parameters.is_valid(raise_exception=True)
        query = budget_query(parameters.validated_data)
        table = read_budget_table(query, sight=self.sight, now=timezone.now())
        return Response(budget_data(table, period_namer()))
