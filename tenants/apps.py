"""Routing and lifecycle of companies, kept in the public schema."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("Client companies")

    def ready(self) -> None:
        from tenants.contenttypes import remember_per_thread
        from tenants.outbox.registry import on
        from tenants.services.companies import COMPANY_REQUESTED
        from tenants.tasks import provision

        remember_per_thread()
        on(COMPANY_REQUESTED, provision)
