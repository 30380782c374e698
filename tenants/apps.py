"""Routing and lifecycle of companies, kept in the public schema."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.registry import model_capabilities


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("Client companies")

    def ready(self) -> None:
        from tenants.capabilities import Capability
        from tenants.contenttypes import remember_per_thread
        from tenants.migration import note_migrations_with_their_work
        from tenants.outbox.registry import on
        from tenants.services.companies import COMPANY_REQUESTED
        from tenants.tasks import provision

        remember_per_thread()
        note_migrations_with_their_work()
        for label in ("company", "domain", "consultantgrant", "handoff", "duesync", "deadletter"):
            model_capabilities[f"tenants.{label}"] = Capability.MANAGE_GRANTS
        model_capabilities["outbox.event"] = Capability.MANAGE_GRANTS
        on(COMPANY_REQUESTED, provision)
