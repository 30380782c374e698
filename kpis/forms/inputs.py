"""Reading one typed value, or that there is none."""

from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from kpis.choices import EntryAbsence
from kpis.engine.formats import SCALES
from kpis.engine.typed import TypedNumberError, read_number
from kpis.models import Metric


class InputForm(forms.Form):
    """What stands in the field of a value, in the scale in which the page showed amounts; rates in percent."""

    value = forms.CharField(required=False, max_length=60)
    scale = forms.CharField(required=False, max_length=10)
    absence = forms.ChoiceField(
        label=gettext_lazy("No value because"),
        required=False,
        choices=[("", gettext_lazy("Choose a reason")), *EntryAbsence.choices],
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500)

    def __init__(self, *args: Any, metric: Metric, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metric = metric

    def clean(self) -> dict[str, Any]:
        """The exact value; None where nothing was typed."""
        fields = super().clean() or {}
        scale = SCALES.get(fields.get("scale", ""), 1)
        try:
            fields["value"] = read_number(fields.get("value", ""), self.metric.unit, scale=scale, in_percent=True)
        except TypedNumberError as fault:
            self.add_error("value", gettext(fault.template) % fault.params)
        return fields

    def entry(self) -> dict[str, Any]:
        """What the service is told."""
        return {name: self.cleaned_data[name] for name in ("value", "absence", "note")}

    @property
    def fault(self) -> str:
        """What is wrong with it, in one line."""
        return " ".join(str(each) for found in self.errors.values() for each in found)
