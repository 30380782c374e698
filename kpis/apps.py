"""The KPI floor."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.choices import CompanyType
from tenants.registry import ProvisionStep, provision_steps


class KpisConfig(AppConfig):
    name = "kpis"
    verbose_name = _("KPIs")

    def ready(self) -> None:
        from kpis.services.calendar import seed_calendar

        provision_steps.register(ProvisionStep("calendar", CompanyType.COMPANY, seed_calendar, 30))
