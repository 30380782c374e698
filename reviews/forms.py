"""Short forms: everything that can be known is filled in."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from kpis.choices import Unit
from kpis.models import KpiNode, Metric, Person
from kpis.templatetags.kpi import unit_word
from reviews.choices import ActionStatus, DecisionKind
from reviews.models import Action, MeetingSeries
from tenants.settings.selectors import company_settings

HUNDRED = Decimal(100)


class DateInput(forms.DateInput):
    """The browser's own date field."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ActionForm(forms.Form):
    """One improvement action. A rate's effect is typed in points (5 = 5 pt) and kept as a fraction."""

    cause = forms.CharField(label=gettext_lazy("Cause"), widget=forms.Textarea(attrs={"rows": 2}))
    action = forms.CharField(label=gettext_lazy("Improvement action"), widget=forms.Textarea(attrs={"rows": 2}))
    owner = forms.ModelChoiceField(
        Person.objects.none(),
        label=gettext_lazy("Person in charge"),
        empty_label=gettext_lazy("Myself"),
        required=False,
    )
    due_on = forms.DateField(label=gettext_lazy("Due date"), widget=DateInput())
    effect_amount = forms.DecimalField(label=gettext_lazy("Expected effect"), required=False)
    effect_lag_days = forms.IntegerField(
        label=gettext_lazy("Days until it shows"), required=False, min_value=0, max_value=3650
    )

    def __init__(self, *args: Any, people: QuerySet[Person], metric: Metric, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metric = metric
        self.fields["owner"].queryset = people
        self.fields["effect_amount"].help_text = _("On “%(metric)s”") % {"metric": metric.name}
        self.fields["effect_amount"].unit = _unit_of_effect(metric)
        self.fields["effect_lag_days"].unit = unit_word("days")
        self.fields["effect_amount"].widget.attrs["step"] = "any"

    def clean_effect_amount(self) -> Decimal | None:
        amount = self.cleaned_data["effect_amount"]
        return amount / HUNDRED if amount is not None and self.metric.unit == Unit.PERCENT else amount

    @staticmethod
    def initial_of(action: Action) -> dict[str, Any]:
        """An action as the form shows it."""
        amount, metric = action.effect_amount, action.effect_metric
        if amount is not None and metric is not None and metric.unit == Unit.PERCENT:
            amount *= HUNDRED
        return {
            "cause": action.cause,
            "action": action.action,
            "owner": action.owner,
            "due_on": action.due_on,
            "effect_amount": None if amount is None else amount.normalize(),
            "effect_lag_days": action.effect_lag_days,
            "status": action.status,
        }


def _unit_of_effect(metric: Metric) -> str:
    """The unit in which an effect on the number is typed; "" for a count."""
    code = {Unit.PERCENT: "points", Unit.AMOUNT: f"one {company_settings().currency}"}.get(metric.unit, metric.unit)
    return unit_word(code)


class NewActionForm(ActionForm):
    """An action that is logged now, so its due date lies ahead."""

    def __init__(self, *args: Any, today: datetime.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_due_on(self) -> datetime.date:
        due_on: datetime.date = self.cleaned_data["due_on"]
        if due_on < self.today:
            raise forms.ValidationError(_("This day is past. Choose today or a later day."))
        return due_on


class ChangeActionForm(ActionForm):
    """An action as it stands, with its status."""

    status = forms.ChoiceField(label=gettext_lazy("Status"), choices=ActionStatus.choices)


class NodeForm(forms.Form):
    """Which KPI an improvement action without a miss, or a point of an agenda, is about."""

    node = forms.ModelChoiceField(KpiNode.objects.none(), label=gettext_lazy("KPI"))

    def __init__(self, *args: Any, nodes: QuerySet[KpiNode], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["node"].queryset = nodes


OTHER_ENDS = [choice for choice in DecisionKind.choices if choice[0] != DecisionKind.IMPROVEMENT_ACTION]


class AnswerForm(forms.Form):
    """Another answer to a miss than an improvement action."""

    end = forms.ChoiceField(label=gettext_lazy("Answer"), choices=OTHER_ENDS, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class DecisionForm(forms.Form):
    """What the meeting decides about one point."""

    kind = forms.ChoiceField(label=gettext_lazy("Decision"), choices=DecisionKind.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label=gettext_lazy("Decision in words"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    action = forms.ModelChoiceField(
        Action.objects.none(),
        label=gettext_lazy("Improvement action"),
        required=False,
        empty_label=gettext_lazy("None"),
        help_text=gettext_lazy("Which one, if the decision is an improvement action"),
    )

    def __init__(self, *args: Any, actions: QuerySet[Action], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].queryset = actions


class SeriesForm(forms.ModelForm):
    """When a review meeting is held."""

    class Meta:
        model = MeetingSeries
        fields = ["name", "interval", "weekday", "week_of_month", "starts_at", "is_active"]
        widgets = {"starts_at": forms.TimeInput(attrs={"type": "time"}, format="%H:%M")}


class ScheduleForm(forms.Form):
    """Another time for a planned meeting."""

    scheduled_at = forms.DateTimeField(
        label=pgettext_lazy("meeting", "Date and time"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
