"""The consultancy's view of all clients as a Django app of the console schema."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.registry import NavigationEntry, console_navigation, model_capabilities


class ConsoleConfig(AppConfig):
    name = "tenants.console"
    label = "console"
    verbose_name = _("Console")

    def ready(self) -> None:
        from tenants.capabilities import Capability

        console_navigation.register(
            NavigationEntry("clients", _("Client companies"), "home", "company", 10, Capability.OPEN_CLIENTS)
        )
        for label in ("companyhealth", "companyrequest"):
            model_capabilities[f"console.{label}"] = Capability.MANAGE_GRANTS
