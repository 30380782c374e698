"""Ready mappings for exports that are met often. A connection copies one and may change it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from integrations.connectors.presets.base import Preset
from integrations.connectors.presets.contract import CONTRACT
from integrations.connectors.presets.crm_opportunities import CRM_OPPORTUNITIES
from integrations.connectors.presets.japanese import ACCOUNTING, MARKETING, SALES

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.code: preset for preset in (SALES, MARKETING, ACCOUNTING, CRM_OPPORTUNITIES, CONTRACT)}
)

__all__ = ["PRESETS", "Preset"]
