"""Users and roles as a Django app of console and company schemas."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.choices import CompanyType
from tenants.registry import ProvisionStep, model_capabilities, provision_steps


class AccountsConfig(AppConfig):
    name = "tenants.accounts"
    label = "accounts"
    verbose_name = _("Users and roles")

    def ready(self) -> None:
        from tenants.accounts.choices import COMPANY_ROLES, CONSOLE_ROLES
        from tenants.accounts.services import seed_roles
        from tenants.capabilities import Capability

        provision_steps.register(
            ProvisionStep("roles", CompanyType.COMPANY, lambda _request: seed_roles(roles=COMPANY_ROLES), 10)
        )
        provision_steps.register(
            ProvisionStep("roles", CompanyType.CONSOLE, lambda _request: seed_roles(roles=CONSOLE_ROLES), 10)
        )
        for label in ("accounts.user", "auth.group"):
            model_capabilities[label] = Capability.MANAGE_PEOPLE
