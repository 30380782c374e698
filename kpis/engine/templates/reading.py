"""Reading a template document back from JSON: its shape is checked here, its sense in `checking`."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.specs import Manual, Spec, SpecError, parse_spec
from kpis.engine.templates.benchmarks import KINDS, Benchmark
from kpis.engine.templates.documents import FORMAT, Suggestion, TemplateDocument
from kpis.engine.templates.shapes import Driver, Step, Template, TemplateMetric, TemplateNode, Text

# The closed lists of `kpis.choices`, which plain Python cannot import; a test holds them together.
STYLES = ("", "new_business", "route_sales", "inside_sales", "referral")
UNITS = ("count", "amount", "percent", "days", "score", "ratio")
ACCUMULATIONS = ("sum", "rate", "average", "stock")
DIRECTIONS = ("up", "down", "range")
LEVELS = ("kgi", "ksf", "kpi")
LINKS = ("formula", "lagged", "influence")
DEPARTMENTS = ("marketing", "inside_sales", "field_sales", "account_owner", "customer_success")
DEGREES = ("full", "partial", "none")
TYPED = (
    "kgi_amount",
    "average_deal_size",
    "revenue_per_customer",
    "win_rate",
    "opportunity_rate",
    "mql_rate",
    "opportunity_rate_leads",
    "referral_win_rate",
)

Item = TypeVar("Item")


class DocumentError(ValueError):
    """JSON that is no template document; `issues` names every place at fault."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(f"{issue.field}: {issue.message}" for issue in issues))
        self.issues = tuple(issues)


def parse_document(data: object) -> TemplateDocument:
    """The document that `to_data` wrote. Raises DocumentError with every fault of its shape.

    >>> parse_document({"format": 1})
    Traceback (most recent call last):
    ...
    kpis.engine.templates.reading.DocumentError: name: A text in English and Japanese is needed here.
    """
    reader = _Reader()
    document = reader.document(reader.mapping(data, ""))
    if reader.issues:
        raise DocumentError(reader.issues)
    return document


class _Reader:
    """Reads on after a fault, so that all of them are told at once."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def document(self, data: Mapping[str, object]) -> TemplateDocument:
        if data.get("format") != FORMAT:
            self.refuse("format", gettext_noop("This is no template document of a known format."))
        style = self.choice(data, "", "style", STYLES, "")
        template = Template(
            style=style,
            name=self.text(data.get("name"), "name"),
            metrics=self.each(data, "", "metrics", self.metric),
            nodes=self.each(data, "", "nodes", self.node),
            typed=self.words(data, "typed", TYPED),
            steps=self.each(data, "", "steps", self.step),
            drivers=self.each(data, "", "drivers", self.driver),
            is_from_practice=data.get("is_from_practice") is True,
        )
        return TemplateDocument(
            template,
            self.each(data, "", "benchmarks", lambda each, place: self.benchmark(each, place, style)),
            self.each(data, "", "suggestions", self.suggestion),
        )

    def metric(self, data: Mapping[str, object], place: str) -> TemplateMetric:
        return TemplateMetric(
            self.word(data, place, "code"),
            self.text(data.get("name"), f"{place}.name"),
            self.choice(data, place, "unit", UNITS, "count"),
            self.choice(data, place, "accumulation", ACCUMULATIONS, "sum"),
            self.spec(data.get("spec"), f"{place}.spec"),
            self.choice(data, place, "direction", DIRECTIONS, "up"),
        )

    def node(self, data: Mapping[str, object], place: str) -> TemplateNode:
        reason = data.get("reason")
        return TemplateNode(
            self.word(data, place, "code"),
            self.choice(data, place, "level", LEVELS, ""),
            self.text(data.get("name"), f"{place}.name"),
            parent=self.optional(data, place, "parent"),
            metric=self.optional(data, place, "metric"),
            link=self.choice(data, place, "link", LINKS, "influence"),
            reason=None if reason is None else self.text(reason, f"{place}.reason"),
            controllable_by=self.movers(data.get("controllable_by", {}), f"{place}.controllable_by"),
        )

    def step(self, data: Mapping[str, object], place: str) -> Step:
        return Step(
            self.word(data, place, "code"), self.word(data, place, "source"), self.optional(data, place, "rate")
        )

    def driver(self, data: Mapping[str, object], place: str) -> Driver:
        return Driver(
            self.metric(self.mapping(data.get("metric"), f"{place}.metric"), f"{place}.metric"),
            self.node(self.mapping(data.get("node"), f"{place}.node"), f"{place}.node"),
        )

    def benchmark(self, data: Mapping[str, object], place: str, style: str) -> Benchmark:
        return Benchmark(
            style,
            self.word(data, place, "metric"),
            self.choice(data, place, "kind", KINDS, ""),
            self.number(data.get("low"), f"{place}.low"),
            self.number(data.get("high"), f"{place}.high"),
            self.text(data.get("denominator"), f"{place}.denominator"),
            self.text(data.get("population"), f"{place}.population"),
            str(data.get("years") or ""),
            self.text(data.get("source"), f"{place}.source"),
            self.text(data.get("note"), f"{place}.note"),
            data.get("is_confirmed") is True,
        )

    def suggestion(self, data: Mapping[str, object], place: str) -> Suggestion:
        return Suggestion(
            self.word(data, place, "metric"), self.texts(data, place, "causes"), self.texts(data, place, "actions")
        )

    def spec(self, data: object, place: str) -> Spec:
        try:
            return parse_spec(self.mapping(data, place))
        except SpecError as error:
            self.issues += [
                Issue(f"{place}.{issue.field}", issue.code, issue.template, issue.params) for issue in error.issues
            ]
            return Manual()

    def movers(self, data: object, place: str) -> Mapping[str, str]:
        found = {str(name): str(degree) for name, degree in self.mapping(data, place).items()}
        if not all(name in DEPARTMENTS and degree in DEGREES for name, degree in found.items()):
            self.refuse(place, gettext_noop("Say who can move it: a department, and whether fully or partly."))
        return found

    def mapping(self, data: object, place: str) -> Mapping[str, object]:
        if isinstance(data, Mapping):
            return data
        self.refuse(place, gettext_noop("An object is needed here."))
        return {}

    def each(
        self, data: Mapping[str, object], place: str, name: str, read: Callable[[Mapping[str, object], str], Item]
    ) -> tuple[Item, ...]:
        path = f"{place}.{name}" if place else name
        items = data.get(name, [])
        if not isinstance(items, list):
            self.refuse(path, gettext_noop("A list is needed here."))
            return ()
        places = [f"{path}.{index}" for index in range(len(items))]
        return tuple(read(self.mapping(item, at), at) for item, at in zip(items, places, strict=True))

    def texts(self, data: Mapping[str, object], place: str, name: str) -> tuple[Text, ...]:
        items = data.get(name, [])
        if not isinstance(items, list):
            self.refuse(f"{place}.{name}", gettext_noop("A list is needed here."))
            return ()
        return tuple(self.text(item, f"{place}.{name}.{index}") for index, item in enumerate(items))

    def text(self, data: object, place: str) -> Text:
        found = data if isinstance(data, Mapping) else {}
        english, japanese = found.get("en"), found.get("ja")
        if isinstance(english, str) and isinstance(japanese, str):
            return Text(english, japanese)
        self.refuse(place, gettext_noop("A text in English and Japanese is needed here."))
        return Text("", "")

    def words(self, data: Mapping[str, object], name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        items = data.get(name, [])
        if isinstance(items, list) and all(item in allowed for item in items):
            return tuple(str(item) for item in items)
        self.refuse(name, gettext_noop("A list is needed here."))
        return ()

    def word(self, data: Mapping[str, object], place: str, name: str) -> str:
        value = data.get(name)
        if isinstance(value, str) and value:
            return value
        self.refuse(f"{place}.{name}", gettext_noop("A code is needed here."))
        return ""

    def optional(self, data: Mapping[str, object], place: str, name: str) -> str | None:
        return None if data.get(name) is None else self.word(data, place, name)

    def choice(self, data: Mapping[str, object], place: str, name: str, allowed: Sequence[str], default: str) -> str:
        value = data.get(name, default)
        if isinstance(value, str) and value in allowed:
            return value
        path = f"{place}.{name}" if place else name
        self.refuse(path, gettext_noop("%(value)s is not known here. Use one of: %(allowed)s."), value, allowed)
        return default

    def number(self, value: object, place: str) -> Decimal | None:
        if value is None:
            return None
        try:
            found = Decimal(str(value))
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite():
            return found
        self.refuse(place, gettext_noop("A number is needed here."))
        return None

    def refuse(self, place: str, template: str, value: object = None, allowed: Sequence[str] = ()) -> None:
        params = (("value", value), ("allowed", ", ".join(allowed))) if allowed else ()
        self.issues.append(Issue(place, "invalid", template, params))
