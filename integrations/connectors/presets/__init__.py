"""Ready mappings for what is met often. A connection copies one and may change it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from integrations.connectors.presets.base import Preset, SourcePreset
from integrations.connectors.presets.contract import CONTRACT
from integrations.connectors.presets.crm_opportunities import CRM_OPPORTUNITIES
from integrations.connectors.presets.hubspot import HUBSPOT
from integrations.connectors.presets.japanese import ACCOUNTING, MARKETING, SALES
from integrations.connectors.presets.kintone import KINTONE
from integrations.connectors.presets.salesforce import SALESFORCE

# Of files.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.code: preset for preset in (SALES, MARKETING, ACCOUNTING, CRM_OPPORTUNITIES, CONTRACT)}
)
# Of sources that are called.
SOURCE_PRESETS: Mapping[str, SourcePreset] = MappingProxyType(
    {preset.code: preset for preset in (SALESFORCE, HUBSPOT, KINTONE)}
)


def presets_for(kind: str) -> list[SourcePreset]:
    """The presets for sources of a kind; there are none for a source of no known vendor."""
    return [preset for preset in SOURCE_PRESETS.values() if preset.kind == kind]


__all__ = ["PRESETS", "SOURCE_PRESETS", "Preset", "SourcePreset", "presets_for"]
