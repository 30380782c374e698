"""Where the fields of a resource come from: chosen among the fields that the source really has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.forms.utils import ErrorList
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.choices import Tax, describe_problem
from integrations.connectors.catalogue import fields_of, position_of, takes_tax
from integrations.connectors.errors import BadValueError, ConnectorError
from integrations.connectors.mapping import ATTRIBUTE_PREFIX, FieldRule, StreamMapping, check_mapping
from integrations.connectors.records import rows_of
from integrations.connectors.values import parse_bool, parse_integer
from integrations.forms import custom, earlier, words
from integrations.selectors.labels import field_label, value_label
from integrations.selectors.vocabulary import Vocabulary
from integrations.services.inspection import Sample, SampledField, words_of
from kpis.engine.resources import Field, Kind

WAYS = ("column", "template", "constant")
NO_CONSTANT = frozenset({Kind.TEXTS, Kind.REFS})
# A field of the company's own; there is one of it, by which it is told from ours.
CUSTOM = Field(Kind.TEXT)


@dataclass(frozen=True)
class FieldRow:
    """One of our fields in the editor."""

    field: str
    label: str
    is_required: bool
    column: forms.BoundField
    template: forms.BoundField
    constant: forms.BoundField | None
    has_words: bool
    words: Sequence[words.Word]
    meanings: Sequence[tuple[str, str]]
    unlisted: forms.BoundField | None
    code: str
    kind: forms.BoundField | None
    earlier: earlier.EarlierRow | None

    @property
    def errors(self) -> list[ErrorList]:
        ways = (self.column, self.template, self.constant)
        return [way.errors for way in ways if way is not None and way.errors]

    @property
    def is_said(self) -> bool:
        """Whether one of its words has a meaning, or none may be without."""
        return any(word.meaning for word in self.words) or (
            self.unlisted is not None and self.unlisted.value() != "keep"
        )

    @property
    def is_otherwise(self) -> bool:
        """Whether it comes from a template or is fixed."""
        return any(way is not None and way.value() for way in (self.template, self.constant))


class MappingForm(forms.Form):
    """How one stream of a source becomes records of one resource.

    `taken` are the names of the mappings there are, `unmapped` the words of each field that the last import could not
    understand, with their counts, `vocabularies` what words can mean in the fields where they can be said.
    """

    each = forms.ChoiceField(
        required=False,
        label=_("A record for each element of"),
        help_text=_("Press “Show what it becomes” to see the fields of its elements."),
    )
    tax = forms.ChoiceField(
        required=False,
        label=_("Amounts"),
        choices=[(Tax.UNKNOWN.value, _("As the source says")), *Tax.choices[1:]],
    )
    tax_percent = forms.DecimalField(
        required=False,
        label=_("Tax rate, %"),
        min_value=0,
        max_value=100,
        decimal_places=2,
        help_text=_("Of amounts with tax; empty = 10 %"),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        resource: str,
        sample: Sample,
        current: StreamMapping | None,
        taken: Sequence[str] = (),
        unmapped: Mapping[str, Mapping[str, int]] | None = None,
        vocabularies: Mapping[str, Vocabulary] | None = None,
    ) -> None:
        super().__init__(data)
        self._resource = resource
        self._sample = sample
        self._taken = taken
        self._unmapped = unmapped or {}
        self._vocabularies = vocabularies or {}
        empty = StreamMapping(
            self._new_name(),
            resource,
            position_of(resource),
            sample.stream,
            (),
            headings=sample.headings,
            sheet=sample.sheet,
        )
        self._current = current or empty
        self._rules = {rule.field: rule for rule in self._current.rules}
        self._ours = dict(sorted(fields_of(resource).items(), key=lambda each: not each[1].is_required))
        self._ours |= {f"{ATTRIBUTE_PREFIX}{code}": CUSTOM for code in custom.codes_in(self, self._current.rules)}
        self._is_new = current is None
        self._make_fields()
        self.mapping: StreamMapping = self._current

    @property
    def rows(self) -> list[FieldRow]:
        """Our fields, the required ones first."""
        return [self._row(name, spec) for name, spec in self._ours.items()]

    @property
    def typed_code(self) -> str:
        """What was typed as the name of a further field and is not one."""
        return next(iter(custom.faulty_codes(self)), "")

    @property
    def options(self) -> list[forms.BoundField]:
        """What concerns the stream as a whole."""
        return [self[name] for name in ("each", "tax", "tax_percent") if name in self.fields]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        rules = [rule for name, spec in self._ours.items() if (rule := self._said(name, spec, cleaned)) is not None]
        others = [rule for rule in self._current.rules if rule.field not in self._ours]
        self.mapping = replace(
            self._current,
            rules=(*rules, *others),
            each=cleaned.get("each", ""),
            tax=cleaned.get("tax", self._current.tax),
            tax_rate=self._tax_rate(cleaned),
        )
        for code in custom.faulty_codes(self):
            self.add_error(None, custom.code_fault(code))
        if not self.errors:
            try:
                check_mapping(self.mapping)
            except ConnectorError as error:
                self.add_error(None, describe_problem(error.code, error.params))
        return cleaned

    def _tax_rate(self, cleaned: Mapping[str, Any]) -> Decimal | None:
        """The rate of tax that is in the amounts, as a share of 1; None: the usual one, or none is said."""
        if "tax_percent" not in self.fields:
            return self._current.tax_rate
        percent = cleaned.get("tax_percent")
        if percent is not None and cleaned.get("tax") != Tax.INCLUDED:
            text = gettext("A rate is only needed for amounts with tax. Choose “with tax”, or leave it empty.")
            self.add_error("tax_percent", text)
        return None if percent is None else percent / 100

    def _make_fields(self) -> None:
        names = [each.field.name for each in self._sample.fields if each.field.kind == "list"]
        self.fields["each"].initial = self._current.each
        self.fields["each"].choices = [  # type: ignore[attr-defined]
            ("", _("the stream: one record for each")),
            *((name, name) for name in dict.fromkeys([*names, self._current.each]) if name),
        ]
        if not names and not self._current.each:
            del self.fields["each"]
        self.fields["tax"].initial = self._current.tax
        if not takes_tax(self._resource):
            del self.fields["tax"], self.fields["tax_percent"]
        elif self._current.tax_rate is not None:
            self.fields["tax_percent"].initial = _percent(self._current.tax_rate)
        for name, spec in self._ours.items():
            self._make_ways(name, spec)

    def _make_ways(self, name: str, spec: Field) -> None:
        rule = self._rules.get(name) or FieldRule(name, column=self._suggested(name))
        spoken = {"aria-label": field_label(self._resource, name)}
        self.fields[f"column.{name}"] = forms.ChoiceField(
            required=False,
            choices=self._columns(rule.column),
            initial=rule.column,
            widget=forms.Select(attrs=spoken),
        )
        self.fields[f"template.{name}"] = forms.CharField(
            required=False,
            initial=rule.template,
            max_length=1000,
            label=_("Put together from fields"),
            widget=forms.TextInput(attrs={"placeholder": "https://crm.example.com/deals/{id}"}),
        )
        if spec is CUSTOM:
            custom.make_field(self, name, self._rules.get(name))
        if spec.choices:
            earlier.make_fields(self, name, rule, self._columns(rule.dated_by))
        if name in self._vocabularies:
            words.make_field(self, name, self._rules.get(name), self._vocabularies[name])
        if spec.kind in NO_CONSTANT:
            return
        options: dict[str, Any] = {"required": False, "initial": rule.constant, "label": _("The same for all")}
        if choices := self._choices(name, spec):
            self.fields[f"constant.{name}"] = forms.ChoiceField(choices=[("", "–"), *choices], **options)
        else:
            self.fields[f"constant.{name}"] = forms.CharField(max_length=200, **options)

    def _row(self, name: str, spec: Field) -> FieldRow:
        old = self._rules.get(name) or FieldRule(name)
        named = dict(self._choices(name, spec))
        return FieldRow(
            field=name,
            label=field_label(self._resource, name),
            is_required=spec.is_required,
            column=self[f"column.{name}"],
            template=self[f"template.{name}"],
            constant=self._if_there(f"constant.{name}"),
            has_words=name in self._vocabularies,
            words=self._words.get(name, ()),
            meanings=words.choices_of(self._vocabularies[name]) if self._words.get(name) else (),
            unlisted=self._if_there(f"unlisted.{name}"),
            code=name.removeprefix(ATTRIBUTE_PREFIX) if spec is CUSTOM else "",
            kind=self._if_there(f"kind.{name}"),
            earlier=earlier.row_of(self, name, old, lambda meaning: named.get(meaning) or gettext("no value"))
            if spec.choices
            else None,
        )

    def _said(self, name: str, spec: Field, cleaned: Mapping[str, Any]) -> FieldRule | None:
        """The rule that a person made for a field; None for a field that comes from nowhere."""
        given = {way: cleaned[f"{way}.{name}"] for way in WAYS if cleaned.get(f"{way}.{name}")}
        if len(given) > 1:
            self.add_error(f"column.{name}", gettext("Choose one: a field, a template or a fixed value."))
            return None
        if not given:
            is_begun = spec is CUSTOM and name not in self._rules and "save" in self.data
            if (spec.is_required or is_begun) and not any(f"{way}.{name}" in self.errors for way in WAYS):
                self.add_error(f"column.{name}", gettext("This is needed. Say where it comes from."))
            return None
        old = self._rules.get(name) or FieldRule(name)
        if spec.choices:
            old = earlier.with_earlier(self, name, old, cleaned)
        rule = replace(self._with_words(name, old, cleaned), column=None, template=None, constant=None)
        if spec is CUSTOM:
            rule = replace(rule, kind=self._kind(name, given, cleaned))
        try:
            if "constant" in given:
                return replace(rule, constant=_typed(spec, given["constant"]))
            return replace(rule, **given)
        except BadValueError as error:
            self.add_error(f"constant.{name}", describe_problem(error.code, error.params))
            return None

    def _if_there(self, name: str) -> forms.BoundField | None:
        return self[name] if name in self.fields else None

    def _kind(self, name: str, given: Mapping[str, str], cleaned: Mapping[str, Any]) -> str:
        """The type of a custom field; what is put together or fixed is text unless somebody says otherwise."""
        column = given.get("column", "")
        chosen = cleaned.get(f"kind.{name}") or custom.BY_SAMPLE
        if not column:
            return custom.kind_said(chosen, None, ())
        field = next((each.field for each in self._sample.fields if each.field.name == column), None)
        draft = replace(self._current, rules=(FieldRule(name, column=column),), each=self._each)
        rows = rows_of(draft, [*self._sample.records, *self._sample.more])
        return custom.kind_said(chosen, field, [row.cells.get(column) for row in rows])

    def _with_words(self, name: str, rule: FieldRule, cleaned: Mapping[str, Any]) -> FieldRule:
        """The rule with what a person chose for its words."""
        if name not in self._vocabularies:
            return rule
        vocabulary = self._vocabularies[name]
        if vocabulary.is_closed:
            said = {each.text: each.meaning for each in self._words.get(name, ())}
            return replace(rule, values=words.values_of(said, rule, vocabulary))
        said = words.said_in(self, name, vocabulary) or {}
        rule = replace(rule, values=words.values_of(said, rule, vocabulary))
        unlisted = cleaned.get(f"unlisted.{name}") or words.unlisted_of(self._rules.get(name), vocabulary)
        # Words are kept as they are anyway where nothing is said of any.
        return replace(rule, unlisted=unlisted if rule.values or unlisted != "keep" else None)

    @cached_property
    def _words(self) -> dict[str, list[words.Word]]:
        """The words of each field that they can be said for: those in the sample, those that the last import could not
        understand, and those that have a meaning already.
        """
        rules = (self._way_of(name) for name in self._vocabularies)
        draft = replace(self._current, rules=tuple(rule for rule in rules if rule.columns), each=self._each)
        records = [*self._sample.records, *self._sample.more]
        counts = words_of(mapping=draft, records=records, fields=self._vocabularies)
        described = {each.field.name: each.field for each in self._sample.fields}
        fields = {rule.field: described.get(rule.column or "") for rule in draft.rules}
        return {
            name: words.words_among(
                {**self._unmapped.get(name, {}), **counts[name]},
                {**words.meant_by(fields[name], self._vocabularies[name]), **self._meanings(name)},
                self._vocabularies[name],
                field=fields[name],
            )
            for name in counts
        }

    def _way_of(self, name: str) -> FieldRule:
        """The column or the template that is chosen for a field; neither where what was typed cannot be read."""
        rule = FieldRule(name, **{way: self[f"{way}.{name}"].value() or None for way in ("column", "template")})
        try:
            _ = rule.columns
        except ValueError:
            return FieldRule(name)
        return rule

    def _meanings(self, name: str) -> dict[str, str]:
        """What words were said to mean: as sent, else as the mapping in force says."""
        vocabulary = self._vocabularies[name]
        old = words.said_by(self._rules.get(name) or FieldRule(name), vocabulary)
        if not self.is_bound:
            return old
        said = words.said_in(self, name, vocabulary)
        return said if said is not None else {} if vocabulary.is_closed else old

    @property
    def _each(self) -> str:
        return str(self["each"].value() or "") if "each" in self.fields else ""

    def _columns(self, chosen: str | None) -> list[tuple[str, str]]:
        """The fields of the source, each with a value out of the sample; the one in force even where it is not seen."""
        found = {each.field.name: _spoken(each) for each in self._sample.fields}
        if chosen and chosen not in found:
            found[chosen] = gettext("%(name)s (not in the sample)") % {"name": chosen}
        return [("", "–"), *found.items()]

    def _choices(self, name: str, spec: Field) -> list[tuple[str, str]]:
        """The values of a closed list with their names."""
        return [(code, value_label(self._resource, name, code)) for code in sorted(spec.choices)]

    def _suggested(self, name: str) -> str | None:
        """A field of the source that is called as ours is, for a mapping that is only begun."""
        if not self._is_new:
            return None
        wanted = {name, field_label(self._resource, name), *(("id",) if name == "external_id" else ())}
        alike = (each.field for each in self._sample.fields if {each.field.name, each.field.label} & wanted)
        return next((field.name for field in alike), None)

    def _new_name(self) -> str:
        names = (self._resource, *(f"{self._resource}-{number}" for number in range(2, len(self._taken) + 3)))
        return next(name for name in names if name not in self._taken)


def _spoken(sampled: SampledField) -> str:
    field = sampled.field
    name = field.name if field.label == field.name else f"{field.label} [{field.name}]"
    if not sampled.example:
        return name
    return gettext("%(name)s (e.g. %(example)s)") % {"name": name, "example": sampled.example}


def _percent(rate: Decimal) -> str:
    """A share of 1 as a person writes it in percent."""
    text = f"{rate * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _typed(spec: Field, text: str) -> Any:
    """A fixed value as the door for facts takes it. Raises BadValueError."""
    match spec.kind:
        case Kind.FLAG:
            return parse_bool(text)
        case Kind.INTEGER:
            return parse_integer(text)
        case _:
            return text
