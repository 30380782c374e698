"""Ready mappings for exports that are met often. A connection copies one and may change it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from integrations.presets.base import Preset
from integrations.presets.contract import CONTRACT
from integrations.presets.crm_opportunities import CRM_OPPORTUNITIES
from integrations.presets.japanese import ACCOUNTING, MARKETING, SALES

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.code: preset for preset in (SALES, MARKETING, ACCOUNTING, CRM_OPPORTUNITIES, CONTRACT)}
)

__all__ = ["PRESETS", "Preset"]
