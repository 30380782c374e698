"""Addresses below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from integrations.api.connections import ConnectionViewSet
from integrations.api.facts import BulkFactsView

app_name = "integrations-api"

router = SimpleRouter(use_regex_path=False)
router.register("connections", ConnectionViewSet)

urlpatterns = [
    *router.urls,
    path("facts/<slug:resource>/bulk/", BulkFactsView.as_view(), name="bulk-facts"),
]
