"""Reading a simple term, and the fields and filters that all kinds share, with every fault collected."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import assert_never

from kpis.engine.facts import ACCOUNT_FIELDS, DEAL_FIELDS, FACTS, Fact, FactField, FieldType
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.specs.kinds import STEP_AXES, Filter, FilterValue, Scalar, Simple

AGGREGATES = ("sum", "count", "average", "median", "distinct")
NUMERIC_AGGREGATES = ("sum", "average", "median")
CREDITS = ("revenue", "overlay")
OPERATORS: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: ("eq", "ne", "in", "not_in", "is_null", "contains"),
    FieldType.REF: ("eq", "ne", "in", "not_in", "is_null"),
    FieldType.NUMBER: ("eq", "ne", "in", "not_in", "gt", "gte", "lt", "lte", "is_null"),
    FieldType.DATE: ("eq", "ne", "in", "not_in", "gt", "gte", "lt", "lte", "is_null"),
    FieldType.BOOL: ("eq", "ne", "is_null"),
    FieldType.ANY: ("eq", "ne", "in", "not_in", "gt", "gte", "lt", "lte", "is_null", "contains"),
}
ATTRIBUTES, ACCOUNT, DEAL = "attributes.", "account.", "deal."


def axes_of(fact: str) -> tuple[str, ...]:
    """The dates by which a fact may be counted: its own, and for deals the days on which they passed a step.

    >>> axes_of("leads")
    ('created_on', 'mql_on', 'sql_on', 'disqualified_on')
    >>> axes_of("deals")[2:4]
    ('expected_close_on', 'step1_on')
    """
    return (*FACTS[fact].dates, *(STEP_AXES if fact == "deals" else ()))


def field_of(name: object, fact: Fact) -> FactField | None:
    """What a filter may name: a field of the fact, of its account or deal, or a custom one; None of what there is not.

    >>> field_of("deal.attributes.type", FACTS["revenues"]).type.value, field_of("sales_channel", FACTS["orders"])
    ('any', None)
    """
    if not isinstance(name, str):
        return None
    for prefix, fields in ((ACCOUNT, ACCOUNT_FIELDS), (DEAL, DEAL_FIELDS)):
        if name.startswith(prefix) and prefix.rstrip(".") in fact.fields:
            inner = name.removeprefix(prefix)
            return FactField(FieldType.ANY) if _is_custom(inner) else fields.get(inner)
    return own_field(name, fact) or fact.carried.get(name)


def own_field(name: object, fact: Fact) -> FactField | None:
    """A field of the fact itself, or a custom one."""
    if not isinstance(name, str):
        return None
    return FactField(FieldType.ANY) if _is_custom(name) else fact.fields.get(name)


class TermReader:
    """Walks the JSON once, noting every fault with its path."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def note(self, field: str, code: str, template: str, /, **params: object) -> None:
        self.issues.append(Issue(field, code, template, tuple(params.items())))

    def simple(self, data: Mapping[str, object], path: str) -> Simple | None:
        known = {"kind", "fact", "date", "aggregate", "field", "days_between", "credit", "min_count", "filters"}
        self.refuse_unknown_keys(data, path, known)
        fact = FACTS.get(str(data.get("fact")))
        if fact is None:
            self.note(
                f"{path}fact",
                "unknown",
                gettext_noop("There is no fact %(name)s. Use one of %(known)s."),
                name=data.get("fact"),
                known=", ".join(FACTS),
            )
            return None
        axis = self.one_of(
            data.get("date"),
            axes_of(fact.code),
            f"{path}date",
            gettext_noop("%(fact)s has no date %(name)s. Use one of %(known)s."),
            fact=fact.code,
        )
        aggregate = self.one_of(
            data.get("aggregate"),
            AGGREGATES,
            f"{path}aggregate",
            gettext_noop("There is no aggregate %(name)s. Use one of %(known)s."),
        )
        field, days = self.measured(data, fact, aggregate, path)
        return Simple(
            fact=fact.code,
            date=axis,
            aggregate=aggregate,
            field=field,
            days_between=days,
            credit=self.credit(data.get("credit"), fact, path),
            min_count=self.min_count(data.get("min_count"), path),
            filters=self.filters(data.get("filters"), fact, path),
        )

    def one_of(self, value: object, known: Sequence[str], path: str, template: str, /, **params: object) -> str:
        if not (isinstance(value, str) and value in known):
            self.note(path, "unknown", template, name=value, known=", ".join(known), **params)
        return str(value)

    def refuse_unknown_keys(self, data: Mapping[str, object], path: str, known: set[str]) -> None:
        for key in data:
            if key not in known:
                self.note(
                    f"{path}{key}", "unknown", gettext_noop("A spec of this kind has no field %(name)s."), name=key
                )

    def measured(
        self, data: Mapping[str, object], fact: Fact, aggregate: str, path: str
    ) -> tuple[str | None, tuple[str, str] | None]:
        """What is aggregated: a field, the days between two dates, or nothing for a count."""
        field, between = data.get("field"), data.get("days_between")
        if field is not None and between is not None:
            self.note(f"{path}days_between", "invalid", gettext_noop("Give field or days_between, not both."))
        elif aggregate == "count" and (field is not None or between is not None):
            self.note(f"{path}field", "not_allowed", gettext_noop("count takes no field: remove it."))
        elif aggregate == "distinct" and field is None:
            self.note(f"{path}field", "required", gettext_noop("distinct needs a field, such as account."))
        elif aggregate in NUMERIC_AGGREGATES and field is None and between is None:
            self.note(
                f"{path}field",
                "required",
                gettext_noop("%(aggregate)s needs a field or days_between."),
                aggregate=aggregate,
            )
        elif between is not None:
            return None, self.days_between(between, fact, path)
        elif field is not None:
            return self.aggregated_field(field, fact, aggregate, path), None
        return None, None

    def days_between(self, between: object, fact: Fact, path: str) -> tuple[str, str] | None:
        known = fact.of_type(FieldType.DATE)
        if isinstance(between, list | tuple) and len(between) == 2 and all(name in known for name in between):
            return str(between[0]), str(between[1])
        self.note(
            f"{path}days_between",
            "invalid",
            gettext_noop("days_between takes two dates of %(fact)s: %(known)s."),
            fact=fact.code,
            known=", ".join(known),
        )
        return None

    def aggregated_field(self, field: object, fact: Fact, aggregate: str, path: str) -> str | None:
        known = own_field(field, fact)
        numeric = aggregate in NUMERIC_AGGREGATES
        if known is None or (numeric and known.type not in {FieldType.NUMBER, FieldType.ANY}):
            usable = fact.of_type(FieldType.NUMBER) if numeric else tuple(fact.fields)
            self.note(
                f"{path}field",
                "unknown",
                gettext_noop("%(fact)s has no field %(name)s that %(aggregate)s can use. It has: %(known)s."),
                fact=fact.code,
                name=field,
                aggregate=aggregate,
                known=", ".join((*usable, f"{ATTRIBUTES}…")),
            )
            return None
        return str(field)

    def credit(self, value: object, fact: Fact, path: str) -> str:
        if value is None:
            return "revenue"
        credit = self.one_of(
            value, CREDITS, f"{path}credit", gettext_noop("There is no credit %(name)s. Use one of %(known)s.")
        )
        if credit == "overlay" and not fact.has_overlay:
            self.note(f"{path}credit", "not_allowed", gettext_noop("Only deals carry overlay credit. Use revenue."))
        return credit

    def min_count(self, value: object, path: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.note(f"{path}min_count", "invalid", gettext_noop("min_count is a whole number of at least 1."))
        return None

    def filters(self, value: object, fact: Fact, path: str) -> tuple[Filter, ...]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.note(f"{path}filters", "invalid", gettext_noop("filters is a list of field, op and value."))
            return ()
        read = [self.filter(each, fact, f"{path}filters.{index}.") for index, each in enumerate(value)]
        return tuple(each for each in read if each)

    def filter(self, data: object, fact: Fact, path: str) -> Filter | None:
        if not isinstance(data, Mapping) or set(data) != {"field", "op", "value"}:
            self.note(
                path.rstrip("."), "invalid", gettext_noop("A filter has exactly three parts: field, op and value.")
            )
            return None
        field = field_of(data["field"], fact)
        if field is None:
            self.note_unknown_field(data["field"], fact, f"{path}field")
            return None
        op = self.one_of(
            data["op"],
            OPERATORS[field.type],
            f"{path}op",
            gettext_noop("%(field)s takes no operator %(name)s. Use one of %(known)s."),
            field=data["field"],
        )
        value = self.filter_value(data["value"], op, field, f"{path}value")
        return None if value is None else Filter(str(data["field"]), op, value)

    def note_unknown_field(self, name: object, fact: Fact, path: str) -> None:
        """Say what the fact has, and where other facts have what was asked, which ones."""
        others = [each.code for each in FACTS.values() if field_of(name, each)]
        custom = [f"{prefix}{ATTRIBUTES}…" for prefix in (ACCOUNT, DEAL) if prefix.rstrip(".") in fact.fields]
        known = ", ".join((*fact.fields, *fact.carried, f"{ATTRIBUTES}…", *custom))
        if not others:
            template = gettext_noop("%(fact)s has no field %(name)s. It has: %(known)s.")
            self.note(path, "unknown", template, fact=fact.code, name=name, known=known)
            return
        self.note(
            path,
            "unknown",
            gettext_noop("%(fact)s has no field %(name)s; only these have it: %(others)s. It has: %(known)s."),
            fact=fact.code,
            name=name,
            others=", ".join(others),
            known=known,
        )

    def filter_value(self, value: object, op: str, field: FactField, path: str) -> FilterValue | None:
        if op == "is_null":
            if isinstance(value, bool):
                return value
            self.note(path, "invalid", gettext_noop("is_null takes true or false."))
            return None
        if op in {"in", "not_in"}:
            if not isinstance(value, list | tuple) or not value:
                self.note(path, "invalid", gettext_noop("%(op)s takes a list of at least one value."), op=op)
                return None
            scalars = [self.scalar(each, field, path) for each in value]
            return tuple(each for each in scalars if each is not None) or None
        if op == "contains":
            field = FactField(FieldType.TEXT)
        return self.scalar(value, field, path)

    def scalar(self, value: object, field: FactField, path: str) -> Scalar | None:
        read = _scalar(value, field.type)
        if read is None:
            self.note(
                path,
                "invalid",
                gettext_noop("%(value)s is not a value of type %(type)s."),
                value=value,
                type=field.type.value,
            )
        elif field.choices and read not in field.choices:
            self.note(
                path,
                "unknown",
                gettext_noop("There is no value %(value)s. Use one of %(known)s."),
                value=value,
                known=", ".join(sorted(field.choices)),
            )
            return None
        return read


def _is_custom(name: str) -> bool:
    return name.startswith(ATTRIBUTES) and len(name) > len(ATTRIBUTES)


def _scalar(value: object, kind: FieldType) -> Scalar | None:
    """A JSON value as the type of a field, or None where it does not fit."""
    match kind:
        case FieldType.TEXT | FieldType.REF:
            return value if isinstance(value, str) and value else None
        case FieldType.BOOL:
            return value if isinstance(value, bool) else None
        case FieldType.NUMBER:
            return Decimal(str(value)) if _is_number(value) else None
        case FieldType.DATE:
            return _iso_date(value)
        case FieldType.ANY:
            if _is_number(value):
                return Decimal(str(value))
            return value if isinstance(value, str | bool) else None
        case _:
            assert_never(kind)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and Decimal(str(value)).is_finite()


def _iso_date(value: object) -> str | None:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None
