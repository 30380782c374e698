"""Model permissions that follow from roles, so that nothing has to be seeded when a model is added."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from tenants.capabilities import Capability, has_capability
from tenants.context import find_current_company
from tenants.registry import model_capabilities

DEFAULT_CAPABILITY = Capability.MANAGE_DEFINITIONS


class RoleBackend(ModelBackend):
    """Who may touch a model in the admin: those with the capability registered for it (`model_capabilities`).

    A model whose table is not in this kind of schema belongs to nobody here; public tables belong to the console.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        app_label, _, codename = perm.partition(".")
        label = f"{app_label}.{codename.partition('_')[2]}"
        return _may_use_admin(user_obj, app_label) and has_capability(user_obj, _capability_of(label))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        models = [model._meta.label_lower for model in apps.get_app_config(app_label).get_models()]
        return _may_use_admin(user_obj, app_label) and any(
            has_capability(user_obj, _capability_of(label)) for label in models
        )


def _capability_of(label: str) -> str:
    return model_capabilities.get(label, DEFAULT_CAPABILITY)


def _may_use_admin(user: Any, app_label: str) -> bool:
    company = find_current_company()
    if company is None or not has_capability(user, Capability.USE_ADMIN):
        return False
    here = settings.TENANT_TYPES[company.type]["APPS"]
    public = settings.TENANT_TYPES["public"]["APPS"] if company.is_console else []
    return apps.get_app_config(app_label).name in {*here, *public}
