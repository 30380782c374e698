"""The shapes of field mappings and of the fields they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.choices import Tax
from integrations.connectors.catalogue import ORDER, position_of
from integrations.connectors.mapping import CUSTOM_KINDS, FieldRule, StreamMapping
from integrations.services.inspection import SampledField
from kpis.engine.records import is_storable


class EarlierValuesSerializer(serializers.Serializer[Any]):
    """A value map that was in force until a day, which is not of it any more."""

    until = serializers.RegexField(r"^\d{4}-\d{2}-\d{2}$")
    values = serializers.DictField(child=serializers.CharField(allow_blank=True, max_length=200))


class FieldRuleSerializer(serializers.Serializer[Any]):
    """Where one of our fields comes from: one of `column` (a path), `template` and `constant`.

    `earlier` are value maps that were meant before `until` (exclusive), by the day in the column `dated_by`.

    `values` says what words of the source mean (an empty text: no value; of a reference, `source::id`: a record of
    another source); `unlisted` what becomes of other words. `kind` is the type of a custom field, text where it is left
    out.
    """

    field = serializers.CharField(max_length=100)
    column = serializers.CharField(max_length=300, required=False, allow_null=True)
    template = serializers.CharField(max_length=1000, required=False, allow_null=True)
    constant = serializers.JSONField(required=False, allow_null=True)
    values = serializers.DictField(child=serializers.CharField(allow_blank=True, max_length=200), required=False)
    unlisted = serializers.ChoiceField(choices=["keep", "count", "empty", "reject"], required=False, allow_null=True)
    separator = serializers.CharField(max_length=5, required=False, trim_whitespace=False)
    optional = serializers.BooleanField(required=False)
    dated_by = serializers.CharField(max_length=300, required=False, allow_blank=True)
    earlier = EarlierValuesSerializer(many=True, required=False)
    kind = serializers.ChoiceField(choices=CUSTOM_KINDS, required=False, allow_blank=True)


class MappingSerializer(serializers.Serializer[Any]):
    """How the records of one stream of the source (`reads`) become records of one resource.

    `each` is the path of a list inside the records, of which every element gives a record. `position` says in which
    order streams are read; left out, what is referred to comes first. Of a connection of files, `reads` is a file name
    pattern, or with `headings` the name of a kind of file that is known by these, whatever the file is called.
    """

    stream = serializers.SlugField(max_length=60)
    resource = serializers.ChoiceField(choices=list(ORDER))
    position = serializers.IntegerField(min_value=0, max_value=32_000, required=False)
    reads = serializers.CharField(max_length=200)
    each = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    sheet = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    encoding = serializers.ChoiceField(choices=["utf-8", "cp932"], required=False, allow_blank=True, default="")
    rules = FieldRuleSerializer(many=True, allow_empty=False)
    date_formats = serializers.ListField(child=serializers.CharField(max_length=60), required=False)
    skip_blank = serializers.ListField(child=serializers.CharField(max_length=300), required=False)
    tax = serializers.ChoiceField(choices=Tax.choices, required=False, allow_blank=True, default="")
    tax_rate = serializers.DecimalField(
        max_digits=5, decimal_places=4, min_value=0, max_value=1, required=False, allow_null=True, default=None
    )
    headings = serializers.ListField(child=serializers.CharField(max_length=1000), max_length=1000, required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if not is_storable(given["rules"]):
            raise serializers.ValidationError({"rules": _("It holds characters that cannot be stored.")})
        return given


def mapping_of(given: dict[str, Any]) -> StreamMapping:
    """The mapping that a valid body of MappingSerializer says."""
    values = {**given, "rules": tuple(_rule_of(rule) for rule in given["rules"])}
    values.setdefault("position", position_of(given["resource"]))
    for name in ("date_formats", "skip_blank", "headings"):
        values[name] = tuple(values.get(name, ()))
    return StreamMapping(**values)


def _rule_of(given: Mapping[str, Any]) -> FieldRule:
    # As it is stored, so that the same mapping sent again is the same.
    earlier = [dict(each) for each in given.get("earlier", ())]
    return FieldRule(**{**given, "earlier": earlier or ()})


class MappingsSerializer(serializers.Serializer[Any]):
    """All mappings in force; PUT replaces them, and reads what has changed from the source's beginning again."""

    mappings = MappingSerializer(many=True)


class SourcePreviewRequestSerializer(serializers.Serializer[Any]):
    """What to look at: a mapping in force by its `stream`, or a `mapping` that is to be tried."""

    stream = serializers.SlugField(max_length=60, required=False)
    mapping = MappingSerializer(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if len(given) != 1:
            raise serializers.ValidationError({"stream": _("Give either a stream or a mapping.")})
        return given


class FieldsQuerySerializer(serializers.Serializer[Any]):
    """Of which stream, by the source's name."""

    stream = serializers.CharField(max_length=200)


class SourceChoiceSerializer(serializers.Serializer[Any]):
    """One word that a field of the source may have."""

    value = serializers.CharField()
    label = serializers.CharField()


class SourceFieldSerializer(serializers.Serializer[Any]):
    """One field of a stream, as the source names it, and a value out of the first records."""

    name = serializers.CharField(source="field.name")
    label = serializers.CharField(source="field.label")
    kind = serializers.CharField(source="field.kind")
    choices = serializers.SerializerMethodField()
    example = serializers.CharField(allow_blank=True)

    @extend_schema_field(SourceChoiceSerializer(many=True))
    def get_choices(self, sampled: SampledField) -> list[dict[str, str]]:
        return [{"value": value, "label": label} for value, label in sampled.field.choices]


class SourceFieldsSerializer(serializers.Serializer[Any]):
    """The fields of one stream."""

    stream = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        # `fields` is a property of every serializer, so it cannot be declared by this name.
        return {**super().get_fields(), "fields": SourceFieldSerializer(many=True)}
