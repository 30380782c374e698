"""What resources and their fields are called by people."""

from __future__ import annotations

from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext as _

from integrations.connectors.mapping import ATTRIBUTE_PREFIX
from kpis.services.facts import MODELS


def resource_label(resource: str) -> str:
    """The plural name of a resource, in the reader's language; the code of one that is not known."""
    model = MODELS.get(resource)
    return str(model._meta.verbose_name_plural) if model is not None else resource


def field_label(resource: str, field: str) -> str:
    """The name of a field, in the reader's language: a custom field's own name, the code of one that is not known."""
    if field.startswith(ATTRIBUTE_PREFIX):
        return field.removeprefix(ATTRIBUTE_PREFIX)
    if field == "leaders":
        return _("Team leaders")
    model = MODELS.get(resource)
    try:
        return str(model._meta.get_field(field).verbose_name) if model is not None else field
    except FieldDoesNotExist:
        return field
