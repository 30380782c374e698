"""The data floor: connectors in, API keys."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Data")

    def ready(self) -> None:
        from integrations.services.runs import SYNC_REQUESTED
        from integrations.services.schedule import DUE_CONNECTION
        from integrations.tasks import look_into_connection, sync
        from tenants.capabilities import Capability
        from tenants.outbox.registry import on
        from tenants.registry import DueKind, NavigationEntry, due_kinds, navigation

        on(SYNC_REQUESTED, sync)
        due_kinds.register(DueKind(DUE_CONNECTION, look_into_connection, retry_after=timedelta(minutes=10)))
        navigation.register(
            NavigationEntry("data", _("Data"), "connections", "data", 70, Capability.MANAGE_CONNECTIONS)
        )
