"""How data gets in: connections, mappings, deliveries, runs, and the keys of other systems."""

from integrations.models.aliases import MergedRecord
from integrations.models.connections import Checkpoint, Connection, FieldMapping, RawRecord
from integrations.models.credentials import DataKey
from integrations.models.hooks import InboundEvent, InboundHook
from integrations.models.keys import ApiKey
from integrations.models.mending import MendRequest
from integrations.models.runs import ListedPart, RejectedRecord, SourceFile, SyncRun, Upload

__all__ = [
    "ApiKey",
    "Checkpoint",
    "Connection",
    "DataKey",
    "FieldMapping",
    "InboundEvent",
    "InboundHook",
    "ListedPart",
    "MendRequest",
    "MergedRecord",
    "RawRecord",
    "RejectedRecord",
    "SourceFile",
    "SyncRun",
    "Upload",
]
