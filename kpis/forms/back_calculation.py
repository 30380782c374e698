"""The form of a back-calculation: everything that can be known is filled in."""

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import BackCalculationScenario, Grain
from kpis.engine.back_calculation import BENCHMARK, FRACTION, GOAL, LEAD_SHARE, OWN, TYPED, Capacity, Stage
from kpis.models import KpiTree, Period
from kpis.selectors.back_calculation import BackCalculationRequest, Basis, unit_of
from kpis.selectors.back_calculation.wording import rate_words, stage_words
from kpis.selectors.calendar import months_of_year, period_namer

HUNDRED = Decimal(100)
SOURCES = {
    OWN: gettext_lazy("Own last 12 months"),
    BENCHMARK: gettext_lazy("Benchmark"),
    TYPED: gettext_lazy("Typed value"),
}
LONGEST_LEAD = 1095
MOST = Decimal(10) ** 17


class GroupedField(forms.DecimalField):
    """A number as people write it: with commas, and in full-width characters."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        if isinstance(value, str):
            value = unicodedata.normalize("NFKC", value).replace(",", "").replace("、", "").strip()
        return super().to_python(value)


class BackCalculationForm(forms.Form):
    """A goal and its assumptions. Rates are typed in percent and kept as fractions."""

    value = GroupedField(label=gettext_lazy("Goal"), min_value=Decimal("0.00000001"), max_value=MOST)
    period = forms.ChoiceField(label=gettext_lazy("Period"))
    scenario = forms.ChoiceField(
        choices=BackCalculationScenario.choices, required=False, widget=forms.HiddenInput, label=""
    )
    first = forms.ChoiceField(label=gettext_lazy("Change targets from"), required=False)

    def __init__(self, data: Mapping[str, Any], *, tree: KpiTree, basis: Basis) -> None:
        super().__init__(data)
        self.tree, self.basis = tree, basis
        self.periods = {f"{period.grain}:{period.start_date}": period for period in _goal_periods(tree)}
        name = period_namer()
        self.fields["period"].choices = [(code, name(period)) for code, period in self.periods.items()]
        months = [(str(month.start_date), name(month)) for month in months_of_year(tree.fiscal_year)]
        self.fields["first"].choices = [("", _("the first open period")), *months]
        for code in self.rates:
            self.fields[f"source_{code}"] = forms.ChoiceField(
                label=rate_words(code, basis.places), choices=self._sources(code), required=False
            )
            self.fields[f"typed_{code}"] = GroupedField(
                label=_("Typed value"), required=False, min_value=0, max_value=MOST
            )
        for stage in self.stages:
            label = stage_words(stage, basis.places)
            self.fields[f"days_{stage}"] = forms.IntegerField(
                label=label, required=False, min_value=0, max_value=LONGEST_LEAD
            )
            self.fields[f"people_{stage}"] = GroupedField(label=label, required=False, min_value=Decimal("0.01"))
            self.fields[f"each_{stage}"] = GroupedField(label=label, required=False, min_value=Decimal("0.01"))

    @property
    def rates(self) -> tuple[str, ...]:
        """Codes of what can be assumed."""
        return self.basis.places.rates()

    @property
    def stages(self) -> list[str]:
        """Stages that take time before the order, and people."""
        links = self.basis.places.links(has_lead_share=Stage.SQL in self.basis.places.nodes)
        return [str(link.stage) for link in links if link.stage not in (Stage.WON, Stage.CLOSED)]

    def _sources(self, code: str) -> list[tuple[str, Any]]:
        """What there is for a rate; an empty choice leaves it out."""
        offered = [OWN] if code in self.basis.history.rates else []
        offered += [BENCHMARK] if code in self.basis.benchmarks else []
        empty = ("", _("All from leads") if code == LEAD_SHARE else _("Not known"))
        return [empty, *((each, SOURCES[each]) for each in [*offered, TYPED])]

    def clean(self) -> dict[str, Any]:
        """A typed rate needs its number, and a rate is at most 100 %."""
        cleaned = super().clean() or {}
        for code in self.rates:
            value = cleaned.get(f"typed_{code}")
            if cleaned.get(f"source_{code}") != TYPED or f"typed_{code}" in self.errors:
                continue
            if not value:
                self.add_error(f"typed_{code}", _("Type a number above 0."))
            elif unit_of(code) == FRACTION and value > HUNDRED:
                self.add_error(f"typed_{code}", _("A rate is at most 100 percent."))
        for stage in self.stages:
            if bool(cleaned.get(f"people_{stage}")) != bool(cleaned.get(f"each_{stage}")):
                self.add_error(f"each_{stage}", _("Type both: how many people, and how many each can do in a month."))
        return cleaned

    def request(self) -> BackCalculationRequest:
        """What was asked; the form is valid."""
        given = self.cleaned_data
        goal = self.basis.places.goal
        return BackCalculationRequest(
            tree=self.tree,
            metric=goal.metric.code if goal is not None and goal.metric is not None else GOAL,
            value=given["value"],
            period=self.periods[given["period"]],
            rates=dict(self._rates()),
            lead_days={stage: given[f"days_{stage}"] for stage in self.stages if given[f"days_{stage}"] is not None},
            capacities={
                stage: Capacity(per_person=given[f"each_{stage}"], people=given[f"people_{stage}"])
                for stage in self.stages
                if given[f"each_{stage}"]
            },
        )

    def _rates(self) -> Iterator[tuple[str, Decimal | str]]:
        for code in self.rates:
            source = self.cleaned_data[f"source_{code}"]
            if source == TYPED:
                yield code, typed_value(code, self.cleaned_data[f"typed_{code}"])
            elif source:
                yield code, source

    def add_fault(self, place: str, message: str) -> None:
        """Show a fault of the question beside its field; `place` as in the API."""
        head, _dot, name = place.partition(".")
        field = {"rates": f"source_{name}", "lead_times_days": f"days_{name}", "average_deal_size": f"source_{head}"}
        found = field.get(head, head)
        self.add_error(found if found in self.fields else None, message)

    @property
    def chosen_first(self) -> date | None:
        """The day before which no target changes."""
        return date.fromisoformat(self.cleaned_data["first"]) if self.cleaned_data["first"] else None


class ApplyForm(forms.Form):
    """Why the targets change."""

    reason = forms.CharField(label=gettext_lazy("Reason"), widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)


def first_values(tree: KpiTree, basis: Basis, goal: Decimal | None) -> dict[str, str]:
    """What the form holds before anybody typed: the goal of the tree's year and the company's own rates.

    A benchmark is offered and never chosen.
    """
    periods = _goal_periods(tree)
    values = {"value": "" if goal is None else f"{goal.normalize():,f}", "scenario": "standard", "first": ""}
    if periods:
        values["period"] = f"{periods[0].grain}:{periods[0].start_date}"
    for code in basis.places.rates():
        values[f"source_{code}"] = OWN if code in basis.history.rates else ""
    return values


def typed_value(code: str, number: Decimal) -> Decimal:
    """A typed rate as it is kept: percents as fractions."""
    return number / HUNDRED if unit_of(code) == FRACTION else number


def _goal_periods(tree: KpiTree) -> list[Period]:
    """The tree's year, its halves, quarters and months."""
    order = [Grain.YEAR, Grain.HALF, Grain.QUARTER, Grain.MONTH]
    rows = Period.objects.select_related("fiscal_year").filter(
        grain__in=order, fiscal_year__start_year=tree.fiscal_year
    )
    return sorted(rows, key=lambda row: (order.index(Grain(row.grain)), row.start_date))
