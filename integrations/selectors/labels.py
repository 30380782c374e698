"""What resources and their fields are called by people."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from integrations.connectors.mapping import ATTRIBUTE_PREFIX
from kpis.models.resources import MODELS

# Fields of the contract that are kept elsewhere than in a column of their own.
ELSEWHERE = {"leaders": _("Team leaders"), "succeeds": _("Succeeds"), "team": _("Team")}

# The rhythms that are offered.
RHYTHMS = {
    timedelta(minutes=5): _("Near real time (every 5 minutes)"),
    timedelta(minutes=15): _("Every 15 minutes"),
    timedelta(hours=1): _("Every hour"),
    timedelta(days=1): _("Every day"),
    timedelta(days=7): _("Every week"),
    timedelta(days=31): _("Every month"),
}


def frequency_label(every: timedelta | None) -> str:
    """A rhythm in the reader's language, also one that is not offered; None = only by hand."""
    if every is None:
        return str(_("Only by hand"))
    if every in RHYTHMS:
        return str(RHYTHMS[every])
    minutes = max(1, round(every / timedelta(minutes=1)))
    if minutes % (24 * 60) == 0:
        days = minutes // (24 * 60)
        return ngettext("Every %(days)s day", "Every %(days)s days", days) % {"days": days}
    if minutes % 60 == 0:
        hours = minutes // 60
        return ngettext("Every %(hours)s hour", "Every %(hours)s hours", hours) % {"hours": hours}
    return ngettext("Every %(minutes)s minute", "Every %(minutes)s minutes", minutes) % {"minutes": minutes}


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
