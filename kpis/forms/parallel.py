"""What is asked when a typed metric is set beside an automatic one."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy

from kpis.engine.typed import TypedNumberError, read_number
from kpis.models import Metric


class CheckForm(forms.Form):
    """The automatic metric, how far off a month may be, and how many equal months are enough."""

    candidate = forms.ModelChoiceField(
        Metric.objects.none(),
        label=gettext_lazy("Automatic metric"),
        to_field_name="code",
        empty_label=gettext_lazy("Choose a metric"),
    )
    tolerance = forms.CharField(
        label=gettext_lazy("Tolerance"),
        required=False,
        help_text=gettext_lazy("By how much a month may differ. Empty: not at all, as exactly as it was typed."),
    )
    months_needed = forms.IntegerField(label=gettext_lazy("Equal months needed"), min_value=1, max_value=12, initial=3)

    def __init__(self, *args: Any, metric: Metric, candidates: QuerySet[Metric], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metric = metric
        self.fields["candidate"].queryset = candidates

    def clean_tolerance(self) -> Decimal:
        """In the metric's unit; rates in percent become fractions."""
        text = self.cleaned_data["tolerance"]
        try:
            return read_number(text, self.metric.unit, in_percent=True) or Decimal(0)
        except TypedNumberError as fault:
            raise forms.ValidationError(gettext(fault.template) % fault.params) from fault
