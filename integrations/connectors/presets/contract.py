"""Files whose headings are the field names of the API contract, one file for each resource."""

from django.utils.translation import gettext_lazy as _

from integrations.connectors.catalogue import ORDER, fields_of
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.presets.base import Preset, stream


def _identity(resource: str) -> StreamMapping:
    fields = fields_of(resource)
    optional = frozenset(name for name, spec in fields.items() if not spec.is_required)
    return stream(resource, f"{resource}[._]*", {name: name for name in fields}, optional=optional)


CONTRACT = Preset("contract", _("Columns named as in the API"), tuple(_identity(resource) for resource in ORDER))
