"""Reading a metric's definition from form fields: no kind of spec has to be written as JSON.

A field's name is its path in the spec with dashes: "numerator-filters-0-op". Which fields there are follows from what
is typed (the kind, the fact, the aggregate), so the form is always bound to something: what was posted, or a stored
definition taken apart by `typed_of`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import Accumulation, AchievementFormula, Credit, Direction, Grain, SnapshotMeasure, Unit
from kpis.engine import specs
from kpis.engine.facts import FACTS, Fact, FieldType
from kpis.engine.issues import Issue
from kpis.forms.definitions.fields import Choice, Several, scalar, value_field
from kpis.forms.definitions.offers import FIRST, free_code, starts
from kpis.forms.definitions.parts import Row, Section
from kpis.forms.definitions.typed import Typed
from kpis.forms.definitions.words import (
    AGGREGATES,
    BASES,
    CLV_FORMULAS,
    DAYS,
    KINDS,
    LABELS,
    NOTHING,
    OPERATORS,
    REPEAT,
    RETENTION,
    SEVERAL,
    SURVEYS,
    TYPES,
    WEIGHTS,
)
from kpis.models import KpiNode, Metric
from kpis.models.resources import MODELS
from kpis.selectors.definitions import stands_for_typed
from kpis.selectors.known_values import KnownField, Pairs, custom_numbers, fields_in_words, read_known
from kpis.selectors.wording import axis_name, field_name, stage_name, value_name

TEMPLATE = "kpis/definitions/field.html"
SHOW, SAVE, MORE, LESS = "show", "save", "more", "less"


class DefinitionForm(forms.Form):
    """How a metric is called, and how it is computed."""

    code = forms.SlugField(
        label=gettext_lazy("Code"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Formulas name the metric by it. Small letters, digits and _; it stays as it is."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=Unit.choices)
    direction = forms.ChoiceField(label=gettext_lazy("Direction"), choices=Direction.choices)
    achievement_formula = forms.ChoiceField(
        label=gettext_lazy("Achievement where lower is better"),
        choices=AchievementFormula.choices,
        required=False,
        help_text=gettext_lazy("Where higher is better it is actual ÷ target."),
    )
    accumulation = forms.ChoiceField(label=gettext_lazy("Accumulation"), choices=Accumulation.choices)
    kind = forms.ChoiceField(label=gettext_lazy("Kind of metric"), choices=KINDS.items())
    since = forms.ChoiceField(label=gettext_lazy("From when"))
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Why the source is trusted without a parallel check; it is kept with your name."),
    )

    def __init__(self, typed: Typed, *, metric: Metric | None, today: date, address: str) -> None:
        super().__init__(typed)
        self.typed, self.metric, self.address = typed, metric, address
        self.is_reshaped = str(typed.get("act", SHOW)).partition(":")[0] in {SHOW, MORE, LESS}
        self.sections: list[Section] = []
        self.facts: list[str] = []
        self.places: dict[str, str] = {}  # path in the spec → the field that shows what is wrong there
        if metric is not None:
            del self.fields["code"]
        self.fields["since"].choices = starts(metric, today)
        self._reshapes("kind")
        self.replaces_typed = (
            metric is not None and self.chosen_kind != "manual" and stands_for_typed(metric, self.effective_from)
        )
        if not self.replaces_typed:
            del self.fields["reason"]
        for each in self.fields.values():
            each.template_name = TEMPLATE
        getattr(self, f"_{self.chosen_kind}")()

    @property
    def chosen_kind(self) -> str:
        kind = self.typed.get("kind", "")
        return kind if kind in KINDS else "simple"

    @property
    def codes(self) -> Pairs:
        """What a formula may name: code and name of every other metric."""
        if self.chosen_kind != "formula":
            return ()
        others = Metric.objects.exclude(pk=getattr(self.metric, "pk", None)).order_by("name")
        return list(others.values_list("code", "name"))

    @property
    def typed_at(self) -> list[KpiNode]:
        """Where the metric is typed by the month, so that a source can be set beside it."""
        here = KpiNode.objects.filter(metric=self.metric, frequency=Grain.MONTH).select_related("tree")
        return list(here.order_by("-tree__fiscal_year")[:1])

    @property
    def basics(self) -> list[forms.BoundField]:
        names = ("name", "code", "unit", "accumulation", "direction", "achievement_formula")
        return [self[name] for name in names if name in self.fields]

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if not (fields.get("name") or "").strip():
            self.add_error("name", _("Name the metric."))
        elif self.metric is None and not fields.get("code"):
            fields["code"] = free_code(fields["name"])
        for row in (row for section in self.sections for row in section.rows or () if not row.is_chosen):
            if self.typed.get("act") == SAVE:
                self.add_error(row.field.name, _("Choose the field, or remove the condition."))
        return fields

    def metric_fields(self) -> dict[str, Any]:
        """What the services are told, the definition included."""
        named = ("name", "unit", "direction", "accumulation")
        told: dict[str, Any] = {name: self.cleaned_data[name] for name in named}
        if self.cleaned_data["achievement_formula"]:
            told["achievement_formula"] = self.cleaned_data["achievement_formula"]
        if self.metric is None:
            told["code"] = self.cleaned_data["code"]
        if "reason" in self.fields:
            told["reason"] = self.cleaned_data["reason"]
        return told | {"spec": self.spec(), "effective_from": self.effective_from}

    @property
    def effective_from(self) -> date | None:
        since = self.typed.get("since") or FIRST
        try:
            return None if since == FIRST else date.fromisoformat(since)
        except ValueError:
            return None

    def show(self, issues: Iterable[Issue]) -> None:
        """Put what the engine says beside the field it belongs to, in words for codes."""
        for issue in issues:
            path = issue.field.removeprefix("spec.")
            name = "since" if path == "effective_from" else self.places.get(path, path.replace(".", "-"))
            place = name if name in self.fields else None
            if name.endswith("-value") and not "".join(self.typed.getlist(name)).strip():
                self.add_error(place, _("Say which value."))
            else:
                self.add_error(place, self._in_words(issue).translated(_))

    def spec(self) -> dict[str, object]:
        """The definition as it is typed at the moment, however incomplete."""
        if self.chosen_kind in {"simple", "ratio"}:
            terms = {section.prefix: self._term_data(section) for section in self.sections}
            if self.chosen_kind == "simple":
                return terms[""]
            return {"kind": "ratio", **{prefix.rstrip("-"): term for prefix, term in terms.items()}}
        data: dict[str, object] = {"kind": self.chosen_kind}
        for section in self.sections:
            for field in section.fields:
                data[field.name] = self._typed(field.name)
            if section.rows:
                data["filters"] = self._filter_data(section.rows)
        return {name: value for name, value in data.items() if value != ""}

    # One method for each kind: which fields it has.

    def _simple(self) -> None:
        self._term("", _("What is counted"))

    def _ratio(self) -> None:
        if not any(name.startswith("numerator-") for name in self.typed):  # what was simple becomes what is above
            for name in [each for each in self.typed if each in LABELS or each.startswith(("filters-", "days_"))]:
                self._type(f"numerator-{name}", *self.typed.getlist(name))
        self._term("numerator-", _("Numerator"))
        self._term("denominator-", _("Denominator"))

    def _conversion(self) -> None:
        fact = self._choose("fact", _facts(specs.STAGES), reshapes=True)
        stages = [(stage, stage_name(stage)) for stage in specs.STAGES[fact]]
        self._choose("from", stages)
        self._choose("to", stages, default=stages[1][0])
        names = ["fact", "from", "to", "basis"]
        if self._choose("basis", BASES.items(), reshapes=True) == "cohort":
            names.append(self._number("window_days", 90))
        if fact == "deals":
            origins = [
                (code, value_name("deals", "origin", code)) for code in sorted(FACTS["deals"].fields["origin"].choices)
            ]
            self._add("origin", Several(choices=origins, widget=forms.CheckboxSelectMultiple))
            if self.is_reshaped and "origin" not in self.typed:
                self._type("origin", "lead")
            names.append("origin")
        self._section("", _("Stages"), names, FACTS[fact], [fact])

    def _retention(self) -> None:
        measure = self._choose("measure", RETENTION.items(), reshapes=True)
        names = ["measure"]
        if measure == "renewal_rate":
            self._choose("weight", WEIGHTS.items())
            names.append("weight")
        names.append(self._number("window_months", 1))
        self._section("", _("Contracts"), names, FACTS["contracts"], ["contracts"])

    def _repeat(self) -> None:
        fact = self._choose("fact", _facts(("orders", "deals")), reshapes=True)
        measure = self._choose("measure", REPEAT.items(), reshapes=True)
        names = ["fact", "measure"]
        if measure != "new":
            names.append(self._number("window_months", 12))
        if measure == "rate":
            names.append(self._number("min_count", 2))
        self._section("", _("Purchases"), names, FACTS[fact], [fact])

    def _clv(self) -> None:
        formula = self._choose("formula", CLV_FORMULAS.items(), reshapes=True)
        names = ["formula"]
        if formula != "historic":
            names += [self._number("window_months", 12), self._number("years", 5)]
        facts = {"subscription": ["contracts", "revenues"], "frequency": ["orders"], "historic": ["revenues"]}[formula]
        self._section("", _("Customers"), names, specs.clv_fact(formula), facts)

    def _score(self) -> None:
        self._choose("survey", SURVEYS.items())
        self._section("", _("Answers"), ["survey", self._number("min_count")], FACTS["surveys"], ["surveys"])

    def _snapshot(self) -> None:
        measure = self._choose("measure", SnapshotMeasure.choices, reshapes=True)
        fact = specs.SNAPSHOT_FACTS.get(measure)
        self._section("", _("What is written down"), ["measure"], FACTS[fact] if fact else None, [fact] if fact else [])

    def _formula(self) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"})
        help_text = _("Codes of metrics, + − * / ( ) and min, max, abs, round, if. Such as won_deals / closed_deals.")
        self._add("expression", forms.CharField(widget=widget, help_text=help_text))
        self._section("", _("Formula"), ["expression"], None, [])

    def _manual(self) -> None:
        """Nothing to say: somebody types the value."""

    def _term(self, prefix: str, title: str) -> None:
        fact = FACTS[self._choose(f"{prefix}fact", _facts(FACTS), default="deals", reshapes=True)]
        names = ["fact", "aggregate"]
        aggregate = self._choose(f"{prefix}aggregate", AGGREGATES.items(), reshapes=True)
        if aggregate != "count":
            numeric = [(name, field_name(fact.code, name)) for name in fact.of_type(FieldType.NUMBER)]
            every = [(name, field_name(fact.code, name)) for name in fact.fields]
            custom = list(custom_numbers(fact.code))
            days = [(DAYS, _("Days between two dates"))]
            fields = [*every, *custom] if aggregate == "distinct" else [*numeric, *custom, *days]
            chosen = self.typed.get(f"{prefix}field", "")
            if chosen.startswith(specs.ATTRIBUTES) and chosen not in dict(fields):
                fields.append((chosen, field_name(fact.code, chosen)))
            names.append("field")
            if self._choose(f"{prefix}field", fields, reshapes=True) == DAYS:
                dates = [(name, field_name(fact.code, name)) for name in fact.of_type(FieldType.DATE)]
                self._choose(f"{prefix}days_between-0", dates, label=_("Days from"))
                self._choose(f"{prefix}days_between-1", dates, label=_("Days to"))
                names += ["days_between-0", "days_between-1"]
                self.places[f"{prefix}days_between".replace("-", ".")] = f"{prefix}days_between-0"
        self._choose(f"{prefix}date", [(name, axis_name(fact.code, name)) for name in specs.axes_of(fact.code)])
        names.append("date")
        if fact.has_overlay:
            self._choose(f"{prefix}credit", Credit.choices)
            names.append("credit")
        names.append(self._number(f"{prefix}min_count").removeprefix(prefix))
        self._section(prefix, title, names, fact, [fact.code])

    def _term_data(self, section: Section) -> dict[str, object]:
        data: dict[str, object] = {"kind": "simple"}
        for name in ("fact", "date", "aggregate", "field", "credit", "min_count"):
            value = self._typed(section.prefix + name) if section.prefix + name in self.fields else ""
            if value != "":
                data[name] = value
        if data.get("field") == DAYS:
            data["days_between"] = [self._typed(f"{section.prefix}days_between-{n}") for n in (0, 1)]
            del data["field"]
        if section.rows:
            data["filters"] = self._filter_data(section.rows)
        return data

    # How fields are made and read.

    def _add(self, name: str, field: forms.Field) -> None:
        label = LABELS.get(name.rpartition("-")[2])
        field.required, field.template_name = False, TEMPLATE
        field.label = field.label or label
        self.fields[name] = field

    def _choose(
        self,
        name: str,
        choices: Iterable[tuple[Any, Any]],
        *,
        default: str = "",
        label: str = "",
        reshapes: bool = False,
    ) -> str:
        """Add a choice; returns what is chosen, the first (or the default) where that is nothing of the list.

        A choice that another one has made impossible is exchanged while the form is reshaped; where it is sent to be
        saved it stays, and the engine says what is wrong with it.
        """
        pairs = list(choices)
        self._add(name, Choice(choices=pairs, label=label or None))
        if reshapes:
            self._reshapes(name)
        known = [code for code, _label in pairs]
        typed, fallback = self.typed.get(name), default or known[0]
        if not typed or (typed not in known and self.is_reshaped):
            self._type(name, fallback)
        return str(self.typed[name]) if self.typed[name] in known else fallback

    def _number(self, name: str, default: int | None = None) -> str:
        """Add a whole number; empty means the default. Its faults are told by the engine."""
        attrs = {"inputmode": "numeric", "autocomplete": "off", "placeholder": "" if default is None else default}
        self._add(name, forms.CharField(widget=forms.TextInput(attrs=attrs)))
        return name

    def _reshapes(self, name: str) -> None:
        """A change of this field changes which others there are."""
        self.fields[name].widget.attrs |= {
            "hx-post": self.address,
            "hx-target": "#definition-fields",
            "hx-trigger": "change",
            "hx-vals": f'{{"act": "{SHOW}"}}',
        }

    def _type(self, name: str, *values: str) -> None:
        self.typed.setlist(name, list(values))

    def _typed(self, name: str) -> object:
        """What is typed in a field as the spec has it: a list, a whole number where it is one, else the text."""
        if isinstance(self.fields[name], Several):
            return self.typed.getlist(name)
        text = unicodedata.normalize("NFKC", self.typed.get(name, "")).strip()
        is_number = name.rpartition("-")[2] in {"window_days", "window_months", "min_count", "years"}
        return int(text) if is_number and text.isdecimal() and len(text) < 10 else text

    def _section(self, prefix: str, title: str, names: Iterable[str], fact: Fact | None, facts: Sequence[str]) -> None:
        """A part with its conditions; without a fact it takes none."""
        self.facts += facts
        rows = None if fact is None else self._rows(prefix, fact, facts)
        self.sections.append(Section(prefix, title, [self[prefix + name] for name in names], rows))

    def _rows(self, prefix: str, fact: Fact, facts: Sequence[str]) -> list[Row]:
        """The conditions that are typed, and those asked for by the buttons beside them."""
        groups = fields_in_words(fact, facts)
        typed = [name.split("-") for name in self.typed if name.startswith(f"{prefix}filters-")]
        depth = prefix.count("-") + 1
        numbers = sorted({int(parts[depth]) for parts in typed if parts[depth].isdecimal()})
        act = self.typed.get("act", "")
        if act == f"{MORE}:{prefix}":
            numbers.append(numbers[-1] + 1 if numbers else 0)
        rows, position = [], 0
        for number in numbers:
            each = f"{prefix}filters-{number}-"
            if act == f"{LESS}:{each}":
                continue
            rows.append(self._row(each, len(rows) + 1, position, groups, facts))
            position += bool(self.typed.get(f"{each}field"))
        return rows

    def _row(
        self, prefix: str, number: int, position: int, groups: Sequence[tuple[str, Pairs]], facts: Sequence[str]
    ) -> Row:
        """A condition; one without a field is none yet, and `position` counts those that are."""
        chosen = self.typed.get(f"{prefix}field", "")
        offered = {name for _label, pairs in groups for name, _words in pairs}
        others = [] if not chosen or chosen in offered else [(chosen, field_name(facts[0], chosen))]
        options = [("", _("Choose a field")), *((label, list(pairs)) for label, pairs in groups), *others]
        self._add(f"{prefix}field", Choice(choices=options, label=_("Field")))
        self._reshapes(f"{prefix}field")
        known = read_known(facts[0], chosen) if chosen else KnownField(FieldType.TEXT)
        usable = [op for op in specs.OPERATORS[known.type] if op != "is_null"]
        pairs = [(op, OPERATORS[op]) for op in (*usable, *NOTHING)]
        op = self._choose(f"{prefix}op", pairs, label=_("Comparison"), reshapes=True)
        if op not in NOTHING:
            self._add(f"{prefix}value", value_field(op, known, f"{prefix}known"))
        if chosen:
            path = ".".join([*prefix.split("-")[:-2], str(position)])
            self.places |= {f"{path}.{part}": f"{prefix}{part}" for part in ("field", "op", "value")}
        value = self[f"{prefix}value"] if op not in NOTHING else None
        return Row(number, prefix, self[f"{prefix}field"], self[f"{prefix}op"], value, known)

    def _filter_data(self, rows: Sequence[Row]) -> list[dict[str, object]]:
        return [
            {
                "field": self.typed.get(row.field.name, ""),
                "op": "is_null" if row.op.value() in NOTHING else row.op.value(),
                "value": self._filter_value(row),
            }
            for row in rows
            if row.is_chosen
        ]

    def _filter_value(self, row: Row) -> object:
        op = row.op.value()
        if row.value is None:
            return op == "is_null"
        texts = [text for typed in self.typed.getlist(row.value.name) for text in typed.splitlines() or [typed]]
        kind = FieldType.TEXT if op == "contains" else row.known.type
        is_ordered = op in {"gt", "gte", "lt", "lte"}
        values = [scalar(text.strip(), kind, is_ordered=is_ordered) for text in texts if text.strip()]
        return values if op in SEVERAL else next(iter(values), "")

    def _in_words(self, issue: Issue) -> Issue:
        """The issue with what people call the codes it names; a formula's are its own text."""
        words: dict[str, Any] = {**LABELS, **AGGREGATES, **OPERATORS}
        words |= {fact: MODELS[fact]._meta.verbose_name_plural for fact in FACTS}
        facts = ["deals", *self.facts]  # a field that a fact lacks is mostly one of deals
        words |= {name: field_name(fact, name) for fact in facts for name in FACTS[fact].fields}
        custom = f"{specs.ATTRIBUTES}…"
        owners = {specs.ACCOUNT: _("%(field)s of the account"), specs.DEAL: _("%(field)s of the deal")}
        words |= {custom: _("Custom fields")}
        words |= {f"{prefix}{custom}": owner % {"field": words[custom]} for prefix, owner in owners.items()}
        if self.chosen_kind == "conversion":
            words |= {stage: stage_name(stage) for stages in specs.STAGES.values() for stage in stages}

        def said(name: str, value: object) -> object:
            if not isinstance(value, str):
                return value
            known = TYPES if name == "type" else words
            return _(", ").join(str(known.get(part, part)) for part in value.split(", "))

        if self.chosen_kind == "formula":
            return issue
        return replace(issue, params=tuple((name, said(name, value)) for name, value in issue.params))


def _facts(codes: Iterable[str]) -> list[tuple[str, str]]:
    return [(code, str(MODELS[code]._meta.verbose_name_plural)) for code in codes]
