"""Every address of a client company's host."""

from django.contrib import admin
from django.urls import include, path, re_path

from integrations.views.hooks import receive
from kpis.api.base import NowhereView
from kpis.api.views.documents import DocsView, SchemaView
from tenants.accounts.views import enter, sign_in_for_admin

handler500 = "config.errors.server_error"

urlpatterns = [
    path("", include("kpis.urls")),
    path("", include("tenants.accounts.urls")),
    path("enter/", enter, name="enter"),
    path("admin/login/", sign_in_for_admin),
    path("admin/", admin.site.urls),
    path("data/", include("integrations.urls")),
    path("hooks/<str:token>/", receive, name="hook_call"),
    path("hooks/<str:token>/<str:secret>/", receive, name="hook_call"),
    path("api/v1/", include("kpis.api.urls")),
    path("api/v1/", include("integrations.api.urls")),
    path("api/v1/", include("reviews.api.urls")),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/docs/", DocsView.as_view(), name="api-docs"),
    re_path(r"^api/(?P<rest>[\s\S]*)\Z", NowhereView.as_view()),
    path("", include("reviews.urls")),
]
