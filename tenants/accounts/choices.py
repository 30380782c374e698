"""The roles: each is a group seeded in every console or company schema."""

from django.db import models
from django.utils.translation import pgettext_lazy


class Role(models.TextChoices):
    OWNER = "owner", pgettext_lazy("roles", "Owner")
    MANAGER = "manager", pgettext_lazy("roles", "Manager")
    MEMBER = "member", pgettext_lazy("roles", "Member")
    VIEWER = "viewer", pgettext_lazy("roles", "Viewer")
    HR = "hr", pgettext_lazy("roles", "HR")
    CONSULTANT = "consultant", pgettext_lazy("roles", "Consultant")


COMPANY_ROLES = tuple(Role)
CONSOLE_ROLES = (Role.OWNER, Role.CONSULTANT)
