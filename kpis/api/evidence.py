"""A number at an earlier moment beside the same number now, as the API shows it."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import Number, OpenObject
from kpis.api.queries import CellParameters
from kpis.engine.cells import Cell
from kpis.engine.evidence import Happening
from kpis.engine.sides import SIDES
from kpis.engine.values import Absence
from kpis.services.evidence import ChangedRecord, Evidence
from kpis.templatetags.evidence import evidence_text


class EvidenceParameters(CellParameters):
    """Which cell, and as of when."""

    as_of = serializers.DateTimeField(help_text=_("A moment that has passed."))


class SidesSerializer(serializers.Serializer):
    """What a cell says; a value that is null has a code in `absence`."""

    value = Number(allow_null=True)
    numerator = Number(allow_null=True)
    denominator = Number(allow_null=True)
    absence = serializers.ChoiceField([each.value for each in Absence], allow_null=True)


class CauseSerializer(serializers.Serializer):
    """Why records count otherwise: `name` is the changed field, or the resource of the record that was linked."""

    happening = serializers.ChoiceField([each.value for each in Happening])
    name = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class RecordChangeSerializer(serializers.Serializer):
    """One thing that happened to a record; `changes` maps a field to its old and new value."""

    resource = serializers.CharField(source="fact")
    external_id = serializers.CharField()
    action = serializers.ChoiceField(["arrived", "updated", "deleted", "restored"])
    changes = OpenObject()
    run = serializers.IntegerField(allow_null=True)
    actor = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class PartSerializer(serializers.Serializer):
    """A record's part in the number: its share, and what is measured of it (null where the number counts)."""

    weight = Number()
    measured = Number(allow_null=True)


class ChangedRecordSerializer(serializers.Serializer):
    """One record that counts otherwise than it did; a part that is null was not counted."""

    side = serializers.ChoiceField(SIDES)
    resource = serializers.CharField(source="fact")
    source = serializers.CharField(source="row.source")
    external_id = serializers.CharField(source="row.external_id")
    name = serializers.CharField(source="row")
    url = serializers.CharField(source="row.source_url", allow_blank=True)
    before = PartSerializer(allow_null=True)
    after = PartSerializer(allow_null=True)
    happening = serializers.ChoiceField([each.value for each in Happening], source="cause.happening")
    changes = RecordChangeSerializer(many=True)


class EvidenceSerializer(serializers.Serializer):
    """A number then and now, and what explains the difference; at most 100 records, of those in sight."""

    as_of = serializers.DateTimeField(source="moment")
    sentence = serializers.CharField()
    then = SidesSerializer()
    now = SidesSerializer()
    causes = CauseSerializer(many=True)
    records = ChangedRecordSerializer(many=True)
    hidden_count = serializers.IntegerField(help_text=_("Changed records that are not listed."))


def evidence_data(evidence: Evidence, *, unit: str, currency: str) -> dict[str, Any]:
    """The body of the answer."""
    sentence = evidence_text(evidence, unit=unit, currency=currency, scale="one")
    return EvidenceSerializer(
        {
            "moment": evidence.moment,
            "sentence": sentence,
            "then": _sides(evidence.then),
            "now": _sides(evidence.now),
            "causes": [{**_cause(each.cause), "count": each.count} for each in evidence.causes],
            "records": [_record(each) for each in evidence.records],
            "hidden_count": evidence.hidden_count,
        }
    ).data


def _sides(cell: Cell) -> dict[str, Any]:
    sides = {name: getattr(cell, name) for name in ("value", "numerator", "denominator")}
    absence = str(cell.value) if isinstance(cell.value, Absence) else None
    return {**{name: None if isinstance(side, Absence) else side for name, side in sides.items()}, "absence": absence}


def _cause(cause: Any) -> dict[str, str]:
    return {"happening": cause.happening.value, "name": cause.name}


def _record(record: ChangedRecord) -> dict[str, Any]:
    names = ("side", "fact", "row", "before", "after", "cause", "changes")
    return {name: getattr(record, name) for name in names}
