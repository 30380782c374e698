"""What resources and their fields are called by people."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from integrations.connectors.mapping import ATTRIBUTE_PREFIX
from kpis.models.resources import MODELS

# Fields of the contract that are kept elsewhere than in a column of their own.
ELSEWHERE = {"leaders": _("Team leaders"), "succeeds": _("Succeeds"), "team": _("Team")}


def resource_label(resource: str) -> str:
    """The plural name of a resource, in the reader's language; the code of one that is not known."""
    model = MODELS.get(resource)
    return str(model._meta.verbose_name_plural) if model is not None else resource


def value_label(resource: str, field: str, value: str) -> str:
    """What a value out of a closed list is called, in the reader's language; any other value as it is."""
    model = MODELS.get(resource)
    choices = {} if model is None else {each.name: dict(each.flatchoices) for each in model._meta.fields}
    return str(choices.get(field, {}).get(value, value))


def field_label(resource: str, field: str) -> str:
    """The name of a field, in the reader's language: a custom field's own name, the code of one that is not known."""
    if field.startswith(ATTRIBUTE_PREFIX):
        return field.removeprefix(ATTRIBUTE_PREFIX)
    if field in ELSEWHERE:
        return str(ELSEWHERE[field])
    model = MODELS.get(resource)
    names = {} if model is None else {each.name: each.verbose_name for each in model._meta.fields}
    return str(names.get(field, field))
