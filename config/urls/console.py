"""Every address of the console's host."""

from django.contrib import admin
from django.urls import include, path

from tenants.accounts.views import sign_in_for_admin

urlpatterns = [
    path("", include("tenants.accounts.urls")),
    path("", include("tenants.console.urls")),
    path("templates/", include("kpis.library.urls")),
    path("admin/login/", sign_in_for_admin),
    path("admin/", admin.site.urls),
]
