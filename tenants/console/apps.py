"""The consultancy's view of all clients as a Django app of the console schema."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.choices import CompanyType
from tenants.registry import (
    DueKind,
    NavigationEntry,
    ProvisionStep,
    console_navigation,
    due_kinds,
    model_capabilities,
    provision_steps,
)


class ConsoleConfig(AppConfig):
    name = "tenants.console"
    label = "console"
    verbose_name = _("Console")

    def ready(self) -> None:
        from tenants.capabilities import Capability
        from tenants.console.services import DUE_HEALTH, schedule_health
        from tenants.tasks import refresh_health

        due_kinds.register(DueKind(DUE_HEALTH, refresh_health, retry_after=timedelta(minutes=10)))
        provision_steps.register(ProvisionStep("health", CompanyType.COMPANY, schedule_health, 90))

        console_navigation.register(
            NavigationEntry("clients", _("Client companies"), "home", "company", 10, Capability.OPEN_CLIENTS)
        )
        for label in ("companyhealth", "companyrequest"):
            model_capabilities[f"console.{label}"] = Capability.MANAGE_GRANTS
