"""What every address of the API shares: permission, one call, one shape; versions, repeats and limits."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from kpis.api.idempotency import IdempotentMixin
from kpis.api.versions import answer, check_if_match
from kpis.permissions import HasCapability
from kpis.selectors.visibility import Sight, sight_of


class CallerMixin:
    """Who calls and what he may see."""

    capabilities: dict[str, str] = {}
    scope: str = ""
    request: Request

    @property
    def actor(self) -> AbstractBaseUser | None:
        """The person who acts; None for an API key."""
        user = self.request.user
        return user if isinstance(user, get_user_model()) else None

    @property
    def sight(self) -> Sight:
        """Whose results the caller may see today."""
        return sight_of(user=self.request.user, today=timezone.localdate())


class CompanyAPIView(CallerMixin, IdempotentMixin, APIView):
    """One address of its own kind."""

    permission_classes = [IsAuthenticated, HasCapability]


class ListViewSet(CallerMixin, IdempotentMixin, GenericViewSet):
    """A list; what it addresses is named by its public id."""

    permission_classes = [IsAuthenticated, HasCapability]
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of the list."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class CompanyViewSet(ListViewSet):
    """A list whose rows have addresses of their own."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row, with its version as ETag."""
        return answer(request, self.get_serializer(self.get_object()).data)

    def shown(self, pk: int) -> dict[str, Any]:
        """A row as it stands now, in full."""
        row = self.get_queryset().get(pk=pk)
        return self.get_serializer(row).data

    def created(self, pk: int) -> Response:
        """The answer to a POST that made a row."""
        return answer(self.request, self.shown(pk), code=status.HTTP_201_CREATED)

    def checked(self, **options: Any) -> Any:
        """The request's body, read and found valid, for a row that is to be changed or made."""
        serializer = self.get_serializer(data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def row_to_change(self) -> Any:
        """The addressed row, when the caller has seen its present version (`If-Match`)."""
        row = self.get_object()
        check_if_match(self.request, self.get_serializer(row).data)
        return row


@extend_schema(exclude=True)
class NowhereView(APIView):
    """Whatever is not an address of the API; says so as a problem, not as a page."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises Http404, whatever was tried."""
        raise Http404
