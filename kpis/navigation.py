"""The entries of this floor in the navigation."""

from django.utils.translation import gettext_lazy as _

from tenants.capabilities import Capability
from tenants.registry import NavigationEntry, navigation

ENTRIES = (
    NavigationEntry("home", _("Home"), "home", "home", 10, Capability.READ_RESULTS),
    NavigationEntry("kpis", _("KPI"), "kpi-tree", "tree", 20, Capability.READ_RESULTS),
)


def register_navigation() -> None:
    """Called once, when the apps are ready."""
    for entry in ENTRIES:
        navigation.register(entry)
