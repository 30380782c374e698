"""The data floor: connectors in, API keys."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Data")

    def ready(self) -> None:
        from integrations.selectors.checklist import check_automatic, check_frequency, check_manual_entry
        from integrations.selectors.health import read_sync_state
        from integrations.selectors.troubles import read_troubles
        from integrations.services.hooks import EVENT_RECEIVED
        from integrations.services.runs import SYNC_REQUESTED
        from integrations.services.schedule import DUE_COMPARISON, DUE_CONNECTION, DUE_MENDING, DUE_RUN
        from integrations.tasks import (
            DUE_RETENTION,
            ask_people_to_mend,
            compare_connection,
            fetch_notified,
            forget_old,
            look_into_connection,
            seed_retention_clock,
            sync,
            take_up_run,
        )
        from integrations.views.connections import drift_panel, first_step
        from tenants.capabilities import Capability
        from tenants.choices import CompanyType
        from tenants.outbox.registry import on
        from tenants.registry import (
            ChecklistItem,
            DueKind,
            HealthSignal,
            NavigationEntry,
            PagePanel,
            ProvisionStep,
            SourceWatch,
            Stage,
            checklist,
            due_kinds,
            health_signals,
            model_capabilities,
            navigation,
            panels,
            provision_steps,
            source_watches,
        )

        on(SYNC_REQUESTED, sync)
        on(EVENT_RECEIVED, fetch_notified)
        due_kinds.register(DueKind(DUE_CONNECTION, look_into_connection, retry_after=timedelta(minutes=10)))
        due_kinds.register(DueKind(DUE_RETENTION, forget_old, retry_after=timedelta(hours=1)))
        provision_steps.register(ProvisionStep("retention clock", CompanyType.COMPANY, seed_retention_clock, 40))
        due_kinds.register(DueKind(DUE_COMPARISON, compare_connection, retry_after=timedelta(minutes=10)))
        due_kinds.register(DueKind(DUE_MENDING, ask_people_to_mend, retry_after=timedelta(minutes=10)))
        due_kinds.register(DueKind(DUE_RUN, take_up_run, retry_after=timedelta(minutes=10)))
        navigation.register(
            NavigationEntry("data", _("Data"), "connections", "data", 70, Capability.MANAGE_CONNECTIONS)
        )
        checklist.register(ChecklistItem(8, Stage.IMPLEMENTING, _("Automatic from MA and SFA"), check_automatic))
        checklist.register(ChecklistItem(9, Stage.IMPLEMENTING, _("Little manual entry"), check_manual_entry))
        checklist.register(ChecklistItem(12, Stage.IMPLEMENTING, _("Update frequency set"), check_frequency))
        source_watches.register(SourceWatch("connections", read_troubles, 10))
        health_signals.register(HealthSignal("sync", read_sync_state, 10))
        panels.register(PagePanel("today", "integrations", "integrations/panels/today.html", first_step, 10))
        panels.register(PagePanel("kpi", "drift", "integrations/panels/drift.html", drift_panel, 5))
        for model in self.get_models():
            name = model._meta.model_name
            capability = Capability.MANAGE_KEYS if name == "apikey" else Capability.MANAGE_CONNECTIONS
            model_capabilities[f"integrations.{name}"] = capability
