"""Reading what is typed in the library: a new template, its nodes, metrics, benchmarks and suggestions."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import Accumulation, Direction, Level, Link, Style, Unit
from kpis.engine import specs
from kpis.engine.catalogue import CATALOGUE
from kpis.engine.templates import (
    Benchmark,
    Suggestion,
    TemplateDocument,
    TemplateMetric,
    TemplateNode,
    Text,
)
from kpis.engine.templates.benchmarks import KINDS
from kpis.selectors.wording import DEPARTMENTS
from kpis.services.definitions import CODE
from kpis.templatetags.fitness import benchmark_kind

DEGREES = [("", "–"), ("full", gettext_lazy("fully")), ("partial", gettext_lazy("partly"))]
RESERVED = "new"  # an address of its own


class NewTemplateForm(forms.Form):
    """A new template: what it is called, and what it begins with."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    code = forms.SlugField(
        label=gettext_lazy("Code"),
        max_length=30,
        help_text=gettext_lazy("Names it in addresses and commands."),
    )
    style = forms.ChoiceField(label=gettext_lazy("Sales style"), required=False)
    source = forms.ChoiceField(label=gettext_lazy("Begin with"))
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, sources: list[tuple[Any, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["style"].choices = [("", _("None yet")), *Style.choices]
        self.fields["source"].choices = sources

    def clean_code(self) -> str:
        if self.cleaned_data["code"] == RESERVED:
            raise forms.ValidationError(_("This code is reserved. Choose another one."))
        return str(self.cleaned_data["code"])


class PublishForm(forms.Form):
    """What is new in a version."""

    note = forms.CharField(label=gettext_lazy("What is new"), max_length=500, required=False)


class NodeForm(forms.Form):
    """One place in a template, named in both languages."""

    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=Level.choices)
    parent = forms.ChoiceField(label=gettext_lazy("Parent"), required=False)
    metric = forms.ChoiceField(label=gettext_lazy("Metric"), required=False)
    name_ja = forms.CharField(label=gettext_lazy("Name (Japanese)"), max_length=200, required=False)
    name_en = forms.CharField(label=gettext_lazy("Name (English)"), max_length=200, required=False)
    link = forms.ChoiceField(label=gettext_lazy("Link to the parent"), choices=Link.choices, initial=Link.INFLUENCE)
    reason_ja = forms.CharField(
        label=gettext_lazy("Reason (Japanese)"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    reason_en = forms.CharField(
        label=gettext_lazy("Reason (English)"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(
        self, *args: Any, document: TemplateDocument, node: TemplateNode | None = None, language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.document, self.node = document, node
        template = document.template
        self.fields["parent"].choices = [
            ("", _("None (KGI)")),
            *((each.code, each.name.in_language(language)) for each in template.nodes if each != node),
        ]
        own = [(each.code, each.name.in_language(language)) for each in template.metrics]
        known = {code for code, _name in own}
        more = [(code, entry.metric.name.in_language(language)) for code, entry in CATALOGUE.items()]
        self.fields["metric"].choices = [
            ("", _("None (KSF)")),
            (_("Of this template"), own),
            (_("From the catalogue"), [each for each in more if each[0] not in known]),
        ]
        for code, label in DEPARTMENTS.items():
            self.fields[f"moves_{code}"] = forms.ChoiceField(label=label, choices=DEGREES, required=False)

    @property
    def movers(self) -> list[forms.BoundField]:
        """The fields that say who can move the number."""
        return [self[f"moves_{code}"] for code in DEPARTMENTS]

    @staticmethod
    def initial_of(node: TemplateNode) -> dict[str, Any]:
        """A node as the form shows it."""
        return {
            "level": node.level,
            "parent": node.parent or "",
            "metric": node.metric or "",
            "name_ja": node.name.japanese,
            "name_en": node.name.english,
            "link": node.link,
            "reason_ja": node.reason.japanese if node.reason else "",
            "reason_en": node.reason.english if node.reason else "",
            **{f"moves_{code}": degree for code, degree in node.controllable_by.items() if degree != "none"},
        }

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if fields.get("level") == Level.KSF:
            fields["metric"] = ""
        elif not fields.get("metric") and not self.errors.get("metric"):
            self.add_error("metric", _("A KGI or KPI measures something. Choose its metric."))
        if not (fields.get("name_ja") or fields.get("name_en") or fields.get("metric")):
            self.add_error("name_ja", _("Name the factor."))
        return fields

    def typed_metric(self) -> TemplateMetric | None:
        """The chosen metric, of the template or of the catalogue."""
        code = self.cleaned_data.get("metric") or ""
        own = {each.code: each for each in self.document.template.metrics}
        return own.get(code) or (CATALOGUE[code].metric if code in CATALOGUE else None)

    def typed_node(self, code: str) -> TemplateNode:
        """The node as it is typed at the moment, however incomplete; a missing language takes the other's text."""
        fields = self.cleaned_data
        metric = self.typed_metric()
        name = _both(fields.get("name_ja"), fields.get("name_en"))
        reason = _both(fields.get("reason_ja"), fields.get("reason_en"))
        movers = {each: fields.get(f"moves_{each}") for each in DEPARTMENTS}
        return TemplateNode(
            code,
            fields.get("level") or Level.KPI,
            metric.name if metric and not name.japanese else name,
            fields.get("parent") or None,
            metric.code if metric else None,
            fields.get("link") or Link.INFLUENCE,
            reason if reason.japanese else None,
            {each: str(degree) for each, degree in movers.items() if degree},
        )


class MetricForm(forms.Form):
    """One metric of a template, its definition as the API takes it, and what is suggested where it is missed."""

    code = forms.SlugField(label=gettext_lazy("Code"), max_length=60)
    name_ja = forms.CharField(label=gettext_lazy("Name (Japanese)"), max_length=200)
    name_en = forms.CharField(label=gettext_lazy("Name (English)"), max_length=200, required=False)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=Unit.choices)
    accumulation = forms.ChoiceField(label=gettext_lazy("Accumulation"), choices=Accumulation.choices)
    direction = forms.ChoiceField(label=gettext_lazy("Direction"), choices=Direction.choices)
    spec = forms.CharField(
        label=gettext_lazy("Definition"),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=gettext_lazy("As the API takes it (POST /metrics/)."),
    )
    causes_ja = forms.CharField(label=gettext_lazy("Suggested causes (Japanese, one per line)"), required=False)
    causes_en = forms.CharField(label=gettext_lazy("Suggested causes (English)"), required=False)
    actions_ja = forms.CharField(label=gettext_lazy("Suggested actions (Japanese, one per line)"), required=False)
    actions_en = forms.CharField(label=gettext_lazy("Suggested actions (English)"), required=False)

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("causes_ja", "causes_en", "actions_ja", "actions_en"):
            self.fields[name].widget = forms.Textarea(attrs={"rows": 3})
        if not is_new:
            self.fields["code"].disabled = True

    @staticmethod
    def initial_of(metric: TemplateMetric, suggestion: Suggestion) -> dict[str, Any]:
        """A metric as the form shows it."""
        return {
            "code": metric.code,
            "name_ja": metric.name.japanese,
            "name_en": metric.name.english,
            "unit": metric.unit,
            "accumulation": metric.accumulation,
            "direction": metric.direction,
            "spec": json.dumps(metric.data, ensure_ascii=False, indent=2),
            "causes_ja": _lines(suggestion.causes, "ja"),
            "causes_en": _lines(suggestion.causes, "en"),
            "actions_ja": _lines(suggestion.actions, "ja"),
            "actions_en": _lines(suggestion.actions, "en"),
        }

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if code == RESERVED or not CODE.fullmatch(code):
            raise forms.ValidationError(_("Write small letters, digits and _, starting with a letter."))
        return code

    def clean_spec(self) -> specs.Spec:
        try:
            return specs.parse_spec(json.loads(self.cleaned_data["spec"]))
        except specs.SpecError as error:
            said = [f"{issue.field}: {issue.translated(_)}" for issue in error.issues]
            raise forms.ValidationError(said) from None
        except (ValueError, TypeError, AttributeError):
            raise forms.ValidationError(_("This is no JSON object. Correct the definition.")) from None

    def metric(self) -> TemplateMetric:
        fields = self.cleaned_data
        return TemplateMetric(
            fields["code"],
            _both(fields["name_ja"], fields["name_en"]),
            fields["unit"],
            fields["accumulation"],
            fields["spec"],
            fields["direction"],
        )

    def suggestion(self) -> Suggestion:
        fields = self.cleaned_data
        return Suggestion(
            fields["code"],
            _paired(fields["causes_ja"], fields["causes_en"]),
            _paired(fields["actions_ja"], fields["actions_en"]),
        )


class BenchmarkForm(forms.Form):
    """One figure about a metric: its bounds in the metric's unit, a rate in percent; source and caveat are required."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"))
    low = forms.DecimalField(label=gettext_lazy("From"), required=False, max_digits=18, decimal_places=6)
    high = forms.DecimalField(
        label=gettext_lazy("Up to (empty: or more)"), required=False, max_digits=18, decimal_places=6
    )
    years = forms.CharField(label=gettext_lazy("Years"), max_length=20, required=False)
    source_ja = forms.CharField(label=gettext_lazy("Source (Japanese)"), max_length=200)
    source_en = forms.CharField(label=gettext_lazy("Source (English)"), max_length=200, required=False)
    population_ja = forms.CharField(label=gettext_lazy("Who was asked (Japanese)"), max_length=200, required=False)
    population_en = forms.CharField(label=gettext_lazy("Who was asked (English)"), max_length=200, required=False)
    denominator_ja = forms.CharField(label=gettext_lazy("Counted as (Japanese)"), max_length=200, required=False)
    denominator_en = forms.CharField(label=gettext_lazy("Counted as (English)"), max_length=200, required=False)
    note_ja = forms.CharField(label=gettext_lazy("Caveat (Japanese)"), max_length=500)
    note_en = forms.CharField(label=gettext_lazy("Caveat (English)"), max_length=500, required=False)
    is_confirmed = forms.BooleanField(label=gettext_lazy("Checked against its source"), required=False)

    def __init__(self, *args: Any, unit: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unit = unit
        self.fields["kind"].choices = [(kind, benchmark_kind(kind)) for kind in KINDS]
        for name in ("low", "high"):
            self.fields[name].widget.attrs["step"] = "any"

    @staticmethod
    def initial_of(benchmark: Benchmark, unit: str) -> dict[str, Any]:
        """A benchmark as the form shows it."""
        texts = {name: getattr(benchmark, name) for name in ("source", "population", "denominator", "note")}
        return {
            "kind": benchmark.kind,
            "low": _shown(benchmark.low, unit),
            "high": _shown(benchmark.high, unit),
            "years": benchmark.years,
            "is_confirmed": benchmark.is_confirmed,
            **{f"{name}_ja": text.japanese for name, text in texts.items()},
            **{f"{name}_en": text.english for name, text in texts.items()},
        }

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        low, high = fields.get("low"), fields.get("high")
        if low is None and fields.get("kind") != "varies":
            self.add_error("low", _("Type the figure, or choose that it varies."))
        if low is not None and high is not None and low > high:
            self.add_error("high", _("It ends below where it begins. Correct the bounds."))
        return fields

    def benchmark(self, *, style: str, metric: str) -> Benchmark:
        fields = self.cleaned_data
        text = {
            name: _both(fields[f"{name}_ja"], fields[f"{name}_en"])
            for name in ("denominator", "population", "source", "note")
        }
        return Benchmark(
            style,
            metric,
            fields["kind"],
            _kept(fields["low"], self.unit),
            _kept(fields["high"], self.unit),
            text["denominator"],
            text["population"],
            fields["years"],
            text["source"],
            text["note"],
            fields["is_confirmed"],
        )


def _both(japanese: str | None, english: str | None) -> Text:
    """A text in both languages; a missing one takes the other's."""
    return Text((english or japanese or "").strip(), (japanese or english or "").strip())


def _lines(texts: tuple[Text, ...], language: str) -> str:
    return "\n".join(text.in_language(language) for text in texts)


def _paired(japanese: str, english: str) -> tuple[Text, ...]:
    pairs = zip_longest(*([line for line in text.splitlines() if line.strip()] for text in (japanese, english)))
    return tuple(_both(*pair) for pair in pairs)


def _shown(value: Decimal | None, unit: str) -> Decimal | None:
    return (value * 100).normalize() if value is not None and unit == Unit.PERCENT else value


def _kept(value: Decimal | None, unit: str) -> Decimal | None:
    return value / 100 if value is not None and unit == Unit.PERCENT else value
