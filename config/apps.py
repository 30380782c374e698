"""The config floor as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = _("Configuration")

    def ready(self) -> None:
        from tenants.outbox.registry import on
        from tenants.tasks import refresh_health

        for topic in ("sync.finished", "values.changed", "period.provisional", "period.closed", "meeting.closed"):
            on(topic, refresh_health)
