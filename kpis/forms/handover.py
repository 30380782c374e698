"""What marketing and sales agreed on."""

from django import forms

from kpis.models import HandoverDefinition


class DefinitionForm(forms.ModelForm):
    """A new agreement, filled in with the one before."""

    class Meta:
        model = HandoverDefinition
        fields = (
            "mql_meaning",
            "sql_meaning",
            "response_hours",
            "marketing_name",
            "sales_name",
            "agreed_on",
            "effective_from",
        )
        widgets = {
            "mql_meaning": forms.Textarea(attrs={"rows": 3}),
            "sql_meaning": forms.Textarea(attrs={"rows": 3}),
            "agreed_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "effective_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }
