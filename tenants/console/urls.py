"""Addresses of the console's pages."""

from django.urls import path

from tenants.console import views

urlpatterns = [
    path("", views.clients, name="home"),
    path("clients/add/", views.add_client, name="add_client"),
    path("clients/<uuid:company_id>/open/", views.open_client, name="open_client"),
]
