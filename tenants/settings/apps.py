"""A company's own settings as a Django app of the company schemas."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.choices import CompanyType
from tenants.registry import ProvisionStep, provision_steps


class CompanySettingsConfig(AppConfig):
    name = "tenants.settings"
    label = "company_settings"
    verbose_name = _("Company settings")

    def ready(self) -> None:
        from tenants.settings.services import seed_settings

        provision_steps.register(ProvisionStep("settings", CompanyType.COMPANY, seed_settings, 20))
