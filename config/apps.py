"""The config floor as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

# What changes the console's summary row of a company at once; everything else comes with its regular refresh.
HEALTH_TOPICS = (
    "sync.finished",
    "values.changed",
    "period.provisional",
    "period.closed",
    "meeting.planned",
    "meeting.closed",
)

# Apps of others that have no name for people, as the administration lists them.
FOREIGN_APPS = {"axes": _("Sign-in protection"), "otp_totp": _("Two-step sign-in")}


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = _("Configuration")

    def ready(self) -> None:
        from django.apps import apps

        from tenants.outbox.registry import on
        from tenants.tasks import refresh_health

        for topic in HEALTH_TOPICS:
            on(topic, refresh_health)
        for label, name in FOREIGN_APPS.items():
            apps.get_app_config(label).verbose_name = name
