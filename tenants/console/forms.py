"""Adding a client company."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.registry import CompanyTemplate, offered_templates


class CompanyForm(forms.Form):
    """What a new client company is; the numbers at the end are those its template works targets back from."""

    name = forms.CharField(label=_("Company name"), max_length=200)
    slug = forms.CharField(label=_("Address name"), max_length=40, help_text=_("The first part of its address."))
    fiscal_start = forms.TypedChoiceField(
        label=_("Fiscal year starts in month"), coerce=int, choices=[(month, str(month)) for month in range(1, 13)]
    )
    closing_day = forms.IntegerField(
        label=_("Closing day"), min_value=1, max_value=31, initial=31, help_text=_("31 = the last day of the month.")
    )
    currency = forms.CharField(label=_("Currency"), max_length=3, min_length=3, initial="JPY")
    template = forms.ChoiceField(label=_("Sales style"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("fiscal_start", 4)
        self.offered = offered = offered_templates()
        self.fields["template"].choices = [*((each.code, each.label) for each in offered), ("", _("None yet"))]
        for template in offered:
            for field in template.fields:
                asked = self.fields[f"{template.code}_{field.code}"] = forms.DecimalField(
                    label=field.label,
                    help_text=field.help_text,
                    required=False,
                    min_value=Decimal("0.0001"),
                    max_value=Decimal(100) if field.unit == "percent" else None,
                    max_digits=18,
                    decimal_places=4,
                )
                asked.widget.attrs["step"] = "any"
                asked.unit = "%" if field.unit == "percent" else ""

    @property
    def common(self) -> list[forms.BoundField]:
        """The fields that every company has."""
        asked = {f"{template.code}_{field.code}" for template in self.offered for field in template.fields}
        return [self[name] for name in self.fields if name not in asked]

    @property
    def by_template(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Template's code → the numbers that it asks for."""
        return [
            (template.code, [self[f"{template.code}_{field.code}"] for field in template.fields])
            for template in self.offered
            if template.fields
        ]

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def template_values(self) -> dict[str, str]:
        """The answers for the chosen template, rates as fractions."""
        template = next((each for each in self.offered if each.code == self.cleaned_data["template"]), None)
        return {} if template is None else dict(self._answers(template))

    def _answers(self, template: CompanyTemplate) -> list[tuple[str, str]]:
        typed = [(field, self.cleaned_data.get(f"{template.code}_{field.code}")) for field in template.fields]
        return [
            (field.code, str(value / 100 if field.unit == "percent" else value))
            for field, value in typed
            if value is not None
        ]
