"""The consultancy's view of all clients as a Django app of the console schema."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    name = "tenants.console"
    label = "console"
    verbose_name = _("Console")
