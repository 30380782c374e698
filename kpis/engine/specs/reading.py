"""Reading a spec from the contract's JSON with every fault collected."""

from collections.abc import Callable, Mapping, Sequence

from kpis.engine.facts import FACTS, Fact
from kpis.engine.formula import FormulaError, parse_formula
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.specs.kinds import (
    SNAPSHOT_FACTS,
    SNAPSHOT_MEASURES,
    STAGES,
    Clv,
    Conversion,
    Formula,
    Manual,
    Ratio,
    Repeat,
    Retention,
    Score,
    Simple,
    Snapshot,
    Spec,
)
from kpis.engine.specs.term_reading import TermReader

BASES = ("cohort", "period")
RETENTION_MEASURES = ("logo_churn", "gross_churn", "net_churn", "grr", "nrr", "renewal_rate")
WEIGHTS = ("count", "amount")
REPEAT_MEASURES = ("rate", "new", "dormant")
PURCHASES = ("orders", "deals")
CLV_FORMULAS = ("subscription", "frequency", "historic")
SURVEYS = ("nps", "csat")
LONGEST_WINDOW_DAYS, LONGEST_WINDOW_MONTHS, MOST_YEARS, MOST_PURCHASES = 1100, 36, 20, 100


class SpecError(Exception):
    """A spec that cannot be used, with all its issues."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__(" ".join(issue.message for issue in issues))


def parse_spec(data: Mapping[str, object]) -> Spec:
    """Read a spec as CONTRACT "Definitions" writes it; SpecError carries every fault found.

    >>> won = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count",
    ...        "filters": [{"field": "outcome", "op": "eq", "value": "won"}]}
    >>> parse_spec(won).filters
    (Filter(field='outcome', op='eq', value='won'),)
    >>> parse_spec({"kind": "simple", "fact": "deals", "date": "won_on", "aggregate": "total"})
    Traceback (most recent call last):
    kpis.engine.specs.reading.SpecError: deals has no date won_on. ... There is no aggregate total. ...
    """
    reader = _Reader()
    spec = reader.spec(data)
    if reader.issues or spec is None:
        raise SpecError(reader.issues)
    return spec


class _Reader(TermReader):
    """Reads each kind of spec, one method for each."""

    def spec(self, data: object) -> Spec | None:
        if not isinstance(data, Mapping):
            self.note("spec", "invalid", gettext_noop("The spec must be an object with a kind."))
            return None
        read = _READERS.get(str(data.get("kind")))
        if read is None:
            self.note(
                "kind",
                "unknown",
                gettext_noop("There is no metric kind %(kind)s. Use one of %(known)s."),
                kind=data.get("kind"),
                known=", ".join(KINDS),
            )
            return None
        return read(self, data)

    def plain(self, data: Mapping[str, object]) -> Simple | None:
        return self.simple(data, "")

    def manual(self, data: Mapping[str, object]) -> Manual:
        self.refuse_unknown_keys(data, "", {"kind"})
        return Manual()

    def ratio(self, data: Mapping[str, object]) -> Ratio | None:
        self.refuse_unknown_keys(data, "", {"kind", "numerator", "denominator"})
        sides: list[Simple | None] = []
        for name in ("numerator", "denominator"):
            side = data.get(name)
            if isinstance(side, Mapping) and side.get("kind", "simple") == "simple":
                sides.append(self.simple(side, f"{name}."))
            else:
                self.note(name, "invalid", gettext_noop("%(name)s must be a spec of kind simple."), name=name)
        if len(sides) == 2 and sides[0] and sides[1]:
            return Ratio(sides[0], sides[1])
        return None

    def formula(self, data: Mapping[str, object]) -> Formula | None:
        self.refuse_unknown_keys(data, "", {"kind", "expression"})
        expression = data.get("expression")
        if not isinstance(expression, str):
            self.note("expression", "required", gettext_noop("Write the expression, such as won_deals / closed_deals."))
            return None
        try:
            compiled = parse_formula(expression)
        except FormulaError as error:
            self.note("expression", "invalid", error.template, **error.params)
            return None
        if not compiled.names:
            self.note("expression", "invalid", gettext_noop("The expression names no metric. Use at least one code."))
        return Formula(expression.strip())

    def conversion(self, data: Mapping[str, object]) -> Conversion | None:
        self.refuse_unknown_keys(data, "", {"kind", "fact", "from", "to", "basis", "window_days", "origin", "filters"})
        fact = self.choice(data, "fact", tuple(STAGES), "leads")
        stages = tuple(STAGES.get(fact, STAGES["leads"]))
        start, end = self.choice(data, "from", stages), self.choice(data, "to", stages)
        if start in stages and end in stages and stages.index(start) >= stages.index(end):
            self.note(
                "to",
                "invalid",
                gettext_noop("%(to)s does not come after %(start)s. Choose a later stage: %(known)s."),
                to=end,
                start=start,
                known=", ".join(stages[stages.index(start) + 1 :]),
            )
        return Conversion(
            fact=fact,
            start=start,
            end=end,
            basis=self.choice(data, "basis", BASES, "cohort"),
            window_days=self.whole_number(data, "window_days", 90, LONGEST_WINDOW_DAYS),
            origin=self.origin(data.get("origin"), fact),
            filters=self.filters(data.get("filters"), FACTS[fact], "") if fact in STAGES else (),
        )

    def origin(self, value: object, fact: str) -> tuple[str, ...]:
        """Leads come from leads alone; deals may be narrowed to some origins."""
        if value is None:
            return ("lead",)
        known = sorted(FACTS["deals"].fields["origin"].choices) if fact == "deals" else ["lead"]
        if isinstance(value, list | tuple) and value and all(each in known for each in value):
            return tuple(str(each) for each in value)
        self.note("origin", "unknown", gettext_noop("origin is a list out of: %(known)s."), known=", ".join(known))
        return ("lead",)

    def retention(self, data: Mapping[str, object]) -> Retention:
        self.refuse_unknown_keys(data, "", {"kind", "measure", "weight", "window_months", "filters"})
        return Retention(
            measure=self.choice(data, "measure", RETENTION_MEASURES),
            weight=self.choice(data, "weight", WEIGHTS, "count"),
            window_months=self.whole_number(data, "window_months", 1, LONGEST_WINDOW_MONTHS),
            filters=self.filters(data.get("filters"), FACTS["contracts"], ""),
        )

    def repeat(self, data: Mapping[str, object]) -> Repeat:
        self.refuse_unknown_keys(data, "", {"kind", "measure", "fact", "window_months", "min_count", "filters"})
        fact = self.choice(data, "fact", PURCHASES, "orders")
        return Repeat(
            fact=fact,
            window_months=self.whole_number(data, "window_months", 12, LONGEST_WINDOW_MONTHS),
            min_count=self.whole_number(data, "min_count", 2, MOST_PURCHASES),
            filters=self.filters(data.get("filters"), FACTS[fact], "") if fact in PURCHASES else (),
            measure=self.choice(data, "measure", REPEAT_MEASURES, "rate"),
        )

    def clv(self, data: Mapping[str, object]) -> Clv:
        self.refuse_unknown_keys(data, "", {"kind", "formula", "window_months", "years", "filters"})
        formula = self.choice(data, "formula", CLV_FORMULAS)
        return Clv(
            formula=formula,
            window_months=self.whole_number(data, "window_months", 12, LONGEST_WINDOW_MONTHS),
            years=self.whole_number(data, "years", 5, MOST_YEARS),
            filters=self.filters(data.get("filters"), clv_fact(formula), "") if formula in CLV_FORMULAS else (),
        )

    def score(self, data: Mapping[str, object]) -> Score:
        self.refuse_unknown_keys(data, "", {"kind", "survey", "min_count", "filters"})
        return Score(
            survey=self.choice(data, "survey", SURVEYS),
            min_count=self.min_count(data.get("min_count"), ""),
            filters=self.filters(data.get("filters"), FACTS["surveys"], ""),
        )

    def snapshot(self, data: Mapping[str, object]) -> Snapshot:
        self.refuse_unknown_keys(data, "", {"kind", "measure", "filters"})
        measure = self.choice(data, "measure", SNAPSHOT_MEASURES)
        fact = SNAPSHOT_FACTS.get(measure)
        if fact is None and data.get("filters"):
            self.note(
                "filters",
                "not_allowed",
                gettext_noop(
                    "%(measure)s is of the whole KGI or of whole deals and takes no filters. These do: %(known)s."
                ),
                measure=measure,
                known=", ".join(SNAPSHOT_FACTS),
            )
        return Snapshot(measure, self.filters(data.get("filters"), FACTS[fact], "") if fact else ())

    def choice(self, data: Mapping[str, object], name: str, known: Sequence[str], default: str | None = None) -> str:
        value = data.get(name, default)
        template = gettext_noop("There is no %(field)s %(name)s. Use one of %(known)s.")
        return self.one_of(value, known, name, template, field=name)

    def whole_number(self, data: Mapping[str, object], name: str, default: int, most: int) -> int:
        value = data.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        self.note(
            name, "invalid", gettext_noop("%(field)s is a whole number from 1 to %(most)s."), field=name, most=most
        )
        return default


def clv_fact(formula: str) -> Fact:
    """What the filters of a CLV may name: only what everything that its formula reads has.

    >>> sorted(clv_fact("subscription").fields)
    ['account', 'owner', 'product']
    """
    if formula == "frequency":
        return FACTS["orders"]
    revenues = FACTS["revenues"]
    if formula == "historic":
        return revenues
    contracts = FACTS["contracts"]
    shared = {name: each for name, each in contracts.fields.items() if revenues.fields.get(name) == each}
    return Fact("contracts + revenues", (), shared)


_READERS: Mapping[str, Callable[[_Reader, Mapping[str, object]], Spec | None]] = {
    "simple": _Reader.plain,
    "ratio": _Reader.ratio,
    "formula": _Reader.formula,
    "manual": _Reader.manual,
    "conversion": _Reader.conversion,
    "retention": _Reader.retention,
    "repeat": _Reader.repeat,
    "clv": _Reader.clv,
    "score": _Reader.score,
    "snapshot": _Reader.snapshot,
}
KINDS = tuple(_READERS)
