"""Every address of the console's host."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("tenants.accounts.urls")),
    path("", include("tenants.console.urls")),
    path("admin/", admin.site.urls),
]
