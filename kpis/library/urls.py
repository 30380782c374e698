"""Addresses of the library's pages."""

from django.urls import path

from kpis.library.views import editor, library

urlpatterns = [
    path("", library.library, name="library"),
    path("new/", library.new, name="library-new"),
    path("<slug:code>/", library.detail, name="library-template"),
    path("<slug:code>/publish/", library.publish, name="library-publish"),
    path("<slug:code>/retire/", library.retire, name="library-retire"),
    path("<slug:code>/push/", library.push, name="library-push"),
    path("<slug:code>/edit/", editor.edit, name="library-edit"),
    path("<slug:code>/edit/check/", editor.check, name="library-check"),
    path("<slug:code>/edit/step/", editor.step, name="library-step"),
    path("<slug:code>/edit/remove/", editor.remove, name="library-remove"),
    path("<slug:code>/metrics/<slug:metric>/", editor.metric, name="library-metric"),
    path("<slug:code>/metrics/<slug:metric>/remove/", editor.metric_remove, name="library-metric-remove"),
]
