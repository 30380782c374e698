"""Addresses below /api/v1/."""

from django.urls import path

from integrations.api.facts import BulkFactsView

app_name = "integrations-api"

urlpatterns = [
    path("facts/<slug:resource>/bulk/", BulkFactsView.as_view(), name="bulk-facts"),
]
