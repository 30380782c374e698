"""Short forms: everything that can be known is filled in."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class CallForm(forms.Form):
    """The manager's call: one number in the unit that its label names, and, if need be, why."""

    value = forms.DecimalField(label=_("Manager's call"), max_digits=18, decimal_places=2)
    note = forms.CharField(label=_("Note"), required=False, max_length=500)

    def __init__(self, *args: Any, unit: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        if unit:
            self.fields["value"].label = gettext("Manager's call (%(unit)s)") % {"unit": unit}
        self.fields["value"].widget.attrs |= {"step": "any", "inputmode": "decimal"}
