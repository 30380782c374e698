"""The rules by which leads and deals are joined."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kpis.choices import LinkRule
from kpis.engine.joining import LINK_RULES
from kpis.models import LeadRules


class RulesForm(forms.Form):
    """The rules for leads: each link rule has a place in the order, or is not used."""

    joins_same_email = forms.BooleanField(
        label=LeadRules._meta.get_field("joins_same_email").verbose_name, required=False
    )
    scan_count = forms.IntegerField(
        label=LeadRules._meta.get_field("scan_count").verbose_name,
        help_text=LeadRules._meta.get_field("scan_count").help_text,
        min_value=0,
        max_value=10_000,
    )
    scan_minutes = forms.IntegerField(label=LeadRules._meta.get_field("scan_minutes").verbose_name)
    opens_at = forms.TimeField(
        label=LeadRules._meta.get_field("opens_at").verbose_name,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    closes_at = forms.TimeField(
        label=LeadRules._meta.get_field("closes_at").verbose_name,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def __init__(self, *args: Any, rules: LeadRules, **options: Any) -> None:
        kept = {name: getattr(rules, name) for name in ("joins_same_email", "scan_count", "scan_minutes")}
        kept |= {"opens_at": rules.opens_at, "closes_at": rules.closes_at}
        super().__init__(*args, initial=kept, **options)
        places = [("", _("Not used")), *((str(n), str(n)) for n in range(1, len(LINK_RULES) + 1))]
        for rule in LINK_RULES:
            place = str(rules.link_order.index(rule) + 1) if rule in rules.link_order else ""
            label = LinkRule(rule).label
            self.fields[f"rule_{rule}"] = forms.ChoiceField(label=label, choices=places, required=False, initial=place)

    @property
    def link_fields(self) -> list[forms.BoundField]:
        return [self[f"rule_{rule}"] for rule in LINK_RULES]

    @property
    def other_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("scan_count", "scan_minutes", "opens_at", "closes_at")]

    def rules(self) -> dict[str, Any]:
        """The cleaned rules as the service takes them; rules of the same place in their usual order."""
        data = self.cleaned_data
        used = [rule for rule in LINK_RULES if data[f"rule_{rule}"]]
        return {
            "link_order": sorted(used, key=lambda rule: int(data[f"rule_{rule}"])),
            **{name: data[name] for name in ("joins_same_email", "scan_count", "scan_minutes")},
            "opens_at": data["opens_at"],
            "closes_at": data["closes_at"],
        }
