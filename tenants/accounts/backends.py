"""Model permissions that follow from roles, so that nothing has to be seeded when a model is added."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from tenants.capabilities import Capability, has_capability
from tenants.registry import model_capabilities

DEFAULT_CAPABILITY = Capability.MANAGE_DEFINITIONS


class RoleBackend(ModelBackend):
    """Who may touch a model in the admin: those with the capability registered for it (`model_capabilities`)."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not user_obj.is_active or user_obj.is_anonymous:
            return False
        app_label, _, codename = perm.partition(".")
        model = codename.partition("_")[2]
        capability = model_capabilities.get(f"{app_label}.{model}", DEFAULT_CAPABILITY)
        return has_capability(user_obj, Capability.USE_ADMIN) and has_capability(user_obj, capability)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        if not user_obj.is_active or user_obj.is_anonymous:
            return False
        needed = {
            capability for label, capability in model_capabilities.items() if label.startswith(f"{app_label}.")
        } | {DEFAULT_CAPABILITY}
        return has_capability(user_obj, Capability.USE_ADMIN) and any(
            has_capability(user_obj, capability) for capability in needed
        )
