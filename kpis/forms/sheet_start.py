"""A client's sheet as it is sent, and what a person decides about each KPI, name and row of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import Accumulation, Direction, Level, TreeStatus, Unit
from kpis.engine.cross_tab import Kind, Reading, SheetUnit, plain
from kpis.forms.sheets import Sheet, SheetError, read_pasted, read_sheet
from kpis.models import DimensionMember, KpiTree, Metric
from kpis.selectors.sheet_start import (
    BELOW,
    FACTOR,
    GOAL,
    NOWHERE,
    SEGMENTS,
    KpiChoice,
    StartChoices,
    Use,
)

NEW, METRIC = "new", "metric:"  # a metric that is there goes by the prefix with its code
LEFT_OUT = ""
FIRST_YEAR, LAST_YEAR = 1950, 2199
UNITS = [
    ("amount:1", gettext_lazy("Amount (yen)")),
    ("amount:1000", gettext_lazy("Amount (thousand yen)")),
    ("amount:10000", gettext_lazy("Amount (ten thousand yen)")),
    ("amount:1000000", gettext_lazy("Amount (million yen)")),
    ("amount:100000000", gettext_lazy("Amount (hundred million yen)")),
    *[(f"{unit.value}:1", unit.label) for unit in Unit if unit != Unit.AMOUNT],
]
KINDS = {
    Kind.TARGET: gettext_lazy("Target"),
    Kind.BUDGET: gettext_lazy("Budget"),
    Kind.STRETCH: gettext_lazy("Stretch target"),
    Kind.ACTUAL: gettext_lazy("Actual"),
    Kind.PREVIOUS_YEAR: gettext_lazy("Previous year"),
}


class SheetForm(forms.Form):
    """A sheet: cells that are pasted, or a file; `grid` and `name` are what is read of it."""

    text = forms.CharField(
        label=gettext_lazy("Cells copied from Excel"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "spellcheck": "false"}),
        help_text=gettext_lazy("Select the table with its headings in Excel, copy it, and paste it here."),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a file: Excel (.xlsx) or CSV"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv,.tsv,.txt"}),
        help_text=gettext_lazy("Of a workbook its first sheet is read."),
    )
    fiscal_year = forms.IntegerField(
        label=gettext_lazy("Fiscal year"),
        min_value=FIRST_YEAR,
        max_value=LAST_YEAR,
        help_text=gettext_lazy("The calendar year in which it starts; holds where the sheet names no year."),
    )

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        file, text = fields.get("file"), fields.get("text") or ""
        if file is None and not text.strip():
            self.add_error("text", _("Paste the cells of your table here, or choose a file."))
        elif file is not None:
            fields["name"] = file.name
            self._read(lambda: read_sheet(file.read(), name=file.name))
        else:
            fields["name"] = _("pasted table")
            self._read(lambda: read_pasted(text))
        return fields

    def _read(self, read: Any) -> None:
        try:
            self.cleaned_data["grid"] = read()
        except SheetError as error:
            self.add_error("file", str(error))

    @property
    def sheet(self) -> Sheet:
        return self.cleaned_data["grid"]


class StartForm(forms.Form):
    """What becomes of a sheet. `tree` is the one whose nodes are offered as places; None for a new one."""

    tree = forms.ChoiceField(label=gettext_lazy("KPI tree"))
    tree_name = forms.CharField(label=gettext_lazy("Name of the new tree"), max_length=200, required=False)
    fiscal_year = forms.IntegerField(
        label=gettext_lazy("Fiscal year of the new tree"), min_value=FIRST_YEAR, max_value=LAST_YEAR, required=False
    )
    factor = forms.CharField(
        label=gettext_lazy("KSF above the KPIs"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("The success factor that these KPIs measure; you can divide it later."),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, reading: Reading, proposal: StartChoices) -> None:
        self.reading, self.proposal = reading, proposal
        self.metrics = {metric.code: metric for metric in Metric.objects.order_by("name")}
        self.members = _members()
        places = _places(proposal.tree)
        initial = self._initial()
        known = {value for value, _label in places}
        given = {
            name: initial[name] if name.endswith("_place") and value not in known else value
            for name, value in (data if data is not None else initial).items()
            if name in initial or not name.startswith(("k", "l", "s"))
        }
        super().__init__(given)
        self.fields["tree"].choices = [(NEW, _("A new tree, as a draft")), *_trees()]
        for index, kpi in enumerate(reading.kpis):
            self._add_kpi(f"k{index}", kpi, places)
        kinds = [*((kind.value, label) for kind, label in KINDS.items()), (LEFT_OUT, _("Leave out"))]
        for index, line in enumerate(reading.lines):
            label = _("Row %(row)s is") % {"row": line.row}
            self.fields[f"l{index}"] = forms.ChoiceField(label=label, choices=kinds, required=False)
        members = [(LEFT_OUT, _("Leave out")), *((key, member.name) for key, member in self.members.items())]
        for index, segment in enumerate(reading.segments):
            self.fields[f"s{index}"] = forms.ChoiceField(label=segment, choices=members, required=False)

    def _add_kpi(self, prefix: str, kpi: str, places: list[tuple[str, str]]) -> None:
        existing = [(f"{METRIC}{metric.code}", metric.name) for metric in self.metrics.values()]
        uses = [(NEW, _("A new KPI")), (LEFT_OUT, _("Leave out")), (_("A KPI that is there"), existing)]
        use = forms.ChoiceField(label=_("%(kpi)s becomes") % {"kpi": kpi}, choices=uses, required=False)
        name = forms.CharField(label=_("Name of %(kpi)s") % {"kpi": kpi}, max_length=200, required=False)
        self.fields |= {
            f"{prefix}_use": use,
            f"{prefix}_name": name,
            f"{prefix}_unit": _choice(_("Unit of %(kpi)s"), kpi, UNITS),
            f"{prefix}_accumulation": _choice(_("How the months of %(kpi)s come together"), kpi, Accumulation.choices),
            f"{prefix}_direction": _choice(_("Which way is better for %(kpi)s"), kpi, Direction.choices[:2]),
            f"{prefix}_place": _choice(_("Place of %(kpi)s in the tree"), kpi, places, required=False),
            f"{prefix}_adds_up": forms.BooleanField(
                label=_("The company's number is the sum of the people or teams"), required=False
            ),
        }

    def _initial(self) -> dict[str, Any]:
        """The proposal as a browser would send it."""
        proposal = self.proposal
        initial: dict[str, Any] = {
            "tree": str(proposal.tree.public_id) if proposal.tree else NEW,
            "tree_name": proposal.tree_name,
            "fiscal_year": proposal.fiscal_year,
            "factor": proposal.factor,
        }
        for index, kpi in enumerate(self.reading.kpis):
            choice = proposal.kpis[plain(kpi)]
            initial |= {
                f"k{index}_use": f"{METRIC}{choice.metric.code}" if choice.metric else NEW,
                f"k{index}_name": choice.name,
                f"k{index}_unit": f"{choice.unit.unit}:{choice.unit.scale}",
                f"k{index}_accumulation": choice.accumulation,
                f"k{index}_direction": choice.direction,
                f"k{index}_place": choice.place,
                f"k{index}_adds_up": choice.adds_up,
            }
        initial |= {f"l{index}": line.kind.value for index, line in enumerate(self.reading.lines)}
        keys = {member.pk: key for key, member in self.members.items()}
        for index, segment in enumerate(self.reading.segments):
            member = proposal.segments[plain(segment)]
            initial[f"s{index}"] = keys.get(member.pk, LEFT_OUT) if member else LEFT_OUT
        return initial

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if fields.get("tree") == NEW:
            for name, message in (("tree_name", _("Name the tree.")), ("fiscal_year", _("Choose its fiscal year."))):
                if not fields.get(name) and name not in self.errors:
                    self.add_error(name, message)
        for index, _kpi in enumerate(self.reading.kpis):
            self._check_kpi(f"k{index}", fields)
        return fields

    def _check_kpi(self, prefix: str, fields: Mapping[str, Any]) -> None:
        use = fields.get(f"{prefix}_use")
        metric = self._metric(use)
        if use == NEW and not fields.get(f"{prefix}_name"):
            self.add_error(f"{prefix}_name", _("Name the KPI."))
        unit = fields.get(f"{prefix}_unit", "").partition(":")[0]
        if metric is not None and unit and unit != metric.unit:
            message = _("%(kpi)s is measured as %(unit)s. Choose that unit, or make a new KPI.")
            self.add_error(f"{prefix}_unit", message % {"kpi": metric.name, "unit": Unit(metric.unit).label})

    def _metric(self, use: Any) -> Metric | None:
        return self.metrics.get(str(use).removeprefix(METRIC)) if use else None

    @property
    def units(self) -> dict[str, SheetUnit]:
        """Units that a person chose against what the sheet makes likely, by plain name."""
        likely = {plain(line.kpi): line.unit for line in self.reading.lines}
        chosen = {plain(kpi): self._unit(f"k{index}") for index, kpi in enumerate(self.reading.kpis)}
        return {
            key: unit
            for key, unit in chosen.items()
            if (unit.unit, unit.scale) != (likely[key].unit, likely[key].scale)
        }

    def _unit(self, prefix: str) -> SheetUnit:
        unit, _colon, scale = self.cleaned_data[f"{prefix}_unit"].partition(":")
        return SheetUnit(unit, int(scale), is_stated=True)

    def choices(self) -> StartChoices:
        """What was decided; the form is valid."""
        fields = self.cleaned_data
        return StartChoices(
            tree=self.proposal.tree,
            tree_name=fields["tree_name"],
            fiscal_year=fields["fiscal_year"] or self.proposal.fiscal_year,
            factor=fields["factor"],
            kpis={plain(kpi): self._kpi_choice(f"k{index}") for index, kpi in enumerate(self.reading.kpis)},
            segments={
                plain(segment): self.members.get(fields[f"s{index}"])
                for index, segment in enumerate(self.reading.segments)
            },
            kinds={
                line.key: Kind(fields[f"l{index}"]) if fields[f"l{index}"] else None
                for index, line in enumerate(self.reading.lines)
            },
        )

    def _kpi_choice(self, prefix: str) -> KpiChoice:
        fields = {name.removeprefix(f"{prefix}_"): value for name, value in self.cleaned_data.items()}
        metric = self._metric(fields["use"])
        use = Use.IGNORED if fields["use"] == LEFT_OUT else Use.EXISTING if metric else Use.NEW
        return KpiChoice(
            use,
            metric.name if metric else fields["name"],
            self._unit(prefix),
            metric.accumulation if metric else fields["accumulation"],
            metric.direction if metric else fields["direction"],
            fields["place"],
            metric,
            fields["adds_up"],
        )

    def kpi_fields(self) -> Iterator[tuple[str, dict[str, forms.BoundField]]]:
        """Each KPI of the sheet with the fields about it."""
        for index, kpi in enumerate(self.reading.kpis):
            prefix = f"k{index}_"
            yield kpi, {name.removeprefix(prefix): self[name] for name in self.fields if name.startswith(prefix)}

    def segment_fields(self) -> list[forms.BoundField]:
        """The people and teams of the sheet."""
        return [self[f"s{index}"] for index, _segment in enumerate(self.reading.segments)]


def chosen_tree(data: Mapping[str, Any]) -> KpiTree | None:
    """The tree that a sent form goes into; None for a new one."""
    reference = str(data.get("tree", NEW))
    return next((tree for tree in _open_trees() if str(tree.public_id) == reference), None)


def _choice(label: str, kpi: str, choices: Any, *, required: bool = True) -> forms.ChoiceField:
    return forms.ChoiceField(label=label % {"kpi": kpi}, choices=choices, required=required)


def _open_trees() -> Any:
    return KpiTree.objects.exclude(status=TreeStatus.RETIRED)


def _trees() -> list[tuple[str, str]]:
    return [(str(tree.public_id), f"{tree.name} ({tree.fiscal_year})") for tree in _open_trees()]


def _places(tree: KpiTree | None) -> list[tuple[str, str]]:
    """Where a KPI can go: what the sheet makes, and below each KSF and KPI that is there."""
    places = [(GOAL, _("KGI (final goal)")), (FACTOR, _("Below the KSF of the sheet"))]
    for node in tree.nodes.exclude(level=Level.KGI).order_by("position", "id") if tree else ():
        places.append((f"{BELOW}{node.code}", _("Below %(node)s") % {"node": node.name}))
    return [*places, (NOWHERE, _("Not in the tree, actuals only"))]


def _members() -> dict[str, DimensionMember]:
    rows = DimensionMember.objects.select_related("dimension").filter(
        dimension__code__in=SEGMENTS, is_active=True, is_unassigned=False
    )
    return {f"{row.dimension.code}:{row.code}": row for row in rows.order_by("dimension__code", "name")}
