"""The KPI floor."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from kpis.choices import Style
from tenants.choices import CompanyType
from tenants.outbox.registry import on
from tenants.registry import (
    CompanyTemplate,
    DueKind,
    ProvisionStep,
    TemplateField,
    due_kinds,
    model_capabilities,
    provision_steps,
    templates,
)

MODEL_CAPABILITIES = {
    "manage_people": ("person", "team", "teammembership", "teamleader"),
    "manage_calendar": ("calendarrule", "companyholiday", "fiscalyear", "period", "periodtransition", "calendarday"),
    "read_locked_values": ("lockedcell",),
    "set_targets": ("target", "targetrevision"),
    "enter_values": ("manualentry",),
}

NEW_BUSINESS_FIELDS = (
    TemplateField("kgi_amount", _("KGI: bookings of the year"), "amount"),
    TemplateField("average_deal_size", _("Average deal size"), "amount"),
    TemplateField("win_rate", _("Win rate (count)"), "percent"),
    TemplateField("opportunity_rate", _("Opportunity rate (MQL→SQL)"), "percent"),
    TemplateField("mql_rate", _("MQL rate (leads)"), "percent"),
)


class KpisConfig(AppConfig):
    name = "kpis"
    verbose_name = _("KPIs")

    def ready(self) -> None:
        from kpis.navigation import register_navigation
        from kpis.services.calendar import seed_calendar
        from kpis.services.trees import TYPED_FIELDS, instantiate_requested
        from kpis.tasks import DUE_PERIODS, move_periods, seed_clock

        register_navigation()
        due_kinds.register(DueKind(DUE_PERIODS, move_periods, retry_after=timedelta(hours=1)))
        on("calendar.changed", move_periods)
        provision_steps.register(ProvisionStep("calendar", CompanyType.COMPANY, seed_calendar, 30))
        provision_steps.register(ProvisionStep("period clock", CompanyType.COMPANY, seed_clock, 31))
        for capability, models in MODEL_CAPABILITIES.items():
            model_capabilities.update({f"kpis.{model}": capability for model in models})
        templates.register(
            CompanyTemplate("new_business", Style.NEW_BUSINESS.label, 10, instantiate_requested, TYPED_FIELDS)
        )
        templates.register(CompanyTemplate("route_sales", Style.ROUTE_SALES.label, 20))
        templates.register(CompanyTemplate("inside_sales", Style.INSIDE_SALES.label, 30))
