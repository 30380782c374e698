"""The base domain itself: one page that says where to go."""

from django.urls import path

from tenants.views import welcome

urlpatterns = [path("", welcome, name="welcome")]
