"""The address at which people look at a record in its source: known by the connector, mapped by nobody."""

from __future__ import annotations

from dataclasses import replace

from integrations.connectors.mapping import FieldRule, StreamMapping

LINK = "$link"
"""Where a record keeps its address, beside its fields; no vendor calls a field of its own like this."""
LINKING = frozenset({"salesforce", "hubspot", "kintone"})
"""The kinds of source whose connectors tell it."""


def with_link(mapping: StreamMapping) -> StreamMapping:
    """The mapping with the address of the record as its link, unless it says itself where that comes from.

    >>> [rule.column for rule in with_link(StreamMapping("deals", "deals", 0, "deals", ())).rules]
    ['$link']
    """
    if any(rule.field == "source_url" for rule in mapping.rules):
        return mapping
    return replace(mapping, rules=(*mapping.rules, FieldRule("source_url", column=LINK, optional=True)))
