"""One segment of the company: its name and the field that fills it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kpis.models import Dimension
from kpis.models.dimensions import LABEL_LENGTH

FIELD_LIST = "segment-fields"


class SegmentForm(forms.Form):
    """What a segment is called and which custom field fills it; without a field it is not in use."""

    name = forms.CharField(label=_("Name"), max_length=LABEL_LENGTH)
    attribute = forms.CharField(
        label=_("Field that fills it"),
        max_length=LABEL_LENGTH,
        widget=forms.TextInput(attrs={"list": FIELD_LIST, "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, segment: Dimension, **options: Any) -> None:
        kept = {"name": segment.name, "attribute": segment.attribute}
        super().__init__(*args, initial=kept, prefix=segment.code, label_suffix="", **options)
        self.fields["name"].widget.attrs["placeholder"] = segment.get_code_display()
        self.segment = segment
