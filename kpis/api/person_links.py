"""Which people of several sources are one person, as the API is asked for it."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.serializers import PageSerializer
from kpis.choices import PersonRule
from kpis.models import Person, PersonLink

PERSON_VERDICTS = ["undo"]


class PersonOfSourceSerializer(serializers.Serializer):
    """A person as one source names him."""

    source = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField(read_only=True)

    def to_internal_value(self, data: Any) -> Any:
        """The person; one that no source has told of is a fault of the request."""
        named = super().to_internal_value(data)
        found = Person.objects.filter(source=named["source"], external_id=named["external_id"]).first()
        if found is None:
            template = _("The source %(source)s has told of no person %(external_id)s. Send the person first.")
            raise serializers.ValidationError({"external_id": [template % named]}, code="not_found")
        return found


class PersonLinkSerializer(serializers.ModelSerializer):
    """Two rows of people that are one person: `same_as` stands for `person`, until somebody takes them apart."""

    person = PersonOfSourceSerializer()
    same_as = PersonOfSourceSerializer(help_text=_("The one that stays."))
    rule = serializers.ChoiceField(PersonRule.choices, read_only=True)

    class Meta:
        model = PersonLink
        fields = ("id", "person", "same_as", "rule", "decided_at", "undone_at")
        read_only_fields = ("id", "decided_at", "undone_at")


class PersonLinkPageSerializer(PageSerializer):
    """In the order in which they were made."""

    results = PersonLinkSerializer(many=True)


class PersonLinkVerdictSerializer(serializers.Serializer):
    """Take two people apart again."""

    verdict = serializers.ChoiceField(PERSON_VERDICTS)
