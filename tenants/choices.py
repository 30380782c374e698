"""The closed lists of the tenants floor."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CompanyType(models.TextChoices):
    CONSOLE = "console", _("Console")
    COMPANY = "company", _("Client company")


class CompanyStatus(models.TextChoices):
    PROVISIONING = "provisioning", _("Being prepared")
    READY = "ready", _("In use")
    SUSPENDED = "suspended", _("Suspended")
    ARCHIVED = "archived", _("Archived")
