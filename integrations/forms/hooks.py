"""What a person enters about the calls of a source."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class HookForm(forms.Form):
    """What a source signs its calls with."""

    secret = forms.CharField(
        required=False,
        max_length=500,
        label=_("Secret for the signature"),
        help_text=_("Leave it empty where the source lets you enter one: a safe one is made and shown once."),
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
    )
