"""The shapes of what a preset proposes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from integrations.api.mappings import MappingSerializer


class PresetQuerySerializer(serializers.Serializer[Any]):
    """Which preset, by its code."""

    preset = serializers.CharField(max_length=40)


class FieldLeftOutSerializer(serializers.Serializer[Any]):
    """One of our fields that comes from nowhere: the source has none of `columns`."""

    field = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())


class OpenWordsSerializer(serializers.Serializer[Any]):
    """Words of the source for one of our fields that have no meaning yet."""

    field = serializers.CharField()
    words = serializers.ListField(child=serializers.CharField())


class ProposedMappingSerializer(serializers.Serializer[Any]):
    """One mapping as the preset proposes it; where a required field is among `lacks` it cannot be used as it is."""

    mapping = MappingSerializer()
    left_out = FieldLeftOutSerializer(many=True)
    lacks = FieldLeftOutSerializer(many=True)
    unmapped = OpenWordsSerializer(source="open_words", many=True)


class UnproposedSerializer(serializers.Serializer[Any]):
    """A stream for which the preset proposes nothing, and why."""

    stream = serializers.CharField()
    message = serializers.CharField(source="sentence")


class PresetProposalSerializer(serializers.Serializer[Any]):
    """What a preset comes to at a source. Nothing is stored; send the mappings you keep to `mappings/`."""

    preset = serializers.CharField(source="preset.code")
    proposals = ProposedMappingSerializer(many=True)
    unproposed = UnproposedSerializer(many=True)
