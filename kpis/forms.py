"""Short forms: everything that can be known is filled in."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class CallForm(forms.Form):
    """The manager's call: one number and, if need be, why. The unit stands beside the field."""

    value = forms.DecimalField(label=_("Manager's call"), max_digits=18, decimal_places=2)
    note = forms.CharField(label=_("Note"), required=False, max_length=500)

    def __init__(self, *args: Any, unit: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["value"].help_text = unit
        self.fields["value"].widget.attrs |= {"step": "any", "inputmode": "decimal"}
