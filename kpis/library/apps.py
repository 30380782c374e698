"""The console's library of templates as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LibraryConfig(AppConfig):
    name = "kpis.library"
    label = "library"
    verbose_name = _("Template library")

    def ready(self) -> None:
        from kpis.library import registry

        registry.register()
