"""Files whose headings are the field names of the API contract, one file for each resource."""

from django.utils.translation import gettext_lazy as _

from integrations.connectors.catalogue import RESOURCES, Resource
from integrations.connectors.mapping import StreamMapping
from integrations.presets.base import Preset, stream


def _identity(resource: Resource) -> StreamMapping:
    optional = frozenset(name for name, kind in resource.fields.items() if not kind.required)
    names = {name: name for name in resource.fields}
    return stream(resource.slug, f"{resource.slug}[._]*", names, optional=optional)


CONTRACT = Preset(
    "contract", _("Columns named as in the API"), tuple(_identity(resource) for resource in RESOURCES.values())
)
