"""A metric's term as SQL over events (e), calendar days (d) and, where needed, the fact (f)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, assert_never

from django.db.backends.utils import CursorWrapper

from kpis.choices import VALUE_DIMENSIONS
from kpis.engine import specs
from kpis.engine.cells import COUNT, RATE_MISSING, WITHOUT_COST
from kpis.engine.facts import ACCOUNT_FIELDS, DEAL_FIELDS, FACTS, FactField, FieldType
from kpis.engine.specs import Filter, Reached, Simple, Window

_EVENT_AMOUNTS = {"amount": "e.amount", "gross_profit": "e.gross_profit", "mrr": "e.amount"}
_REF_TABLES = {
    "owner": "kpis_person",
    "created_by": "kpis_person",
    "account": "kpis_account",
    "lead": "kpis_lead",
    "deal": "kpis_deal",
    "converted_deal": "kpis_deal",
}
# Each lead has at most one event per stage; a deal has one per credit and line, all of the same day.
_LATER_JOINS = {
    "leads": "LEFT JOIN kpis_kpievent later_{axis}"
    " ON later_{axis}.kind = 'leads.{axis}' AND later_{axis}.fact_id = e.fact_id",
    "deals": "LEFT JOIN (SELECT fact_id, min(date) AS date FROM kpis_kpievent WHERE kind = 'deals.{axis}'"
    " GROUP BY fact_id) later_{axis} ON later_{axis}.fact_id = e.fact_id",
}
# The date by which a window finds what a customer did.
_WINDOW_AXES = {"contracts": "starts_on", "orders": "ordered_on", "deals": "closed_on", "revenues": "recognized_on"}
# What the event says: because the fact may say another thing by now, or to measure the deal cycle by events alone.
_OF_EVENTS = {
    ("deals", "outcome"): "e.outcome",
    ("deals", "created_on"): "e.created_on",
    ("contracts", "renewed"): "(e.outcome = 'renewed')",
}
# What may differ between the events of one fact: the product of a line, the region of who is credited.
_OF_PARTS = frozenset({"product", "region"})
_OF_ACCOUNT = "(SELECT a.{column} FROM kpis_account a WHERE a.id = e.account_id)"
_OF_DEAL = "(SELECT q.{column} FROM kpis_deal q WHERE q.id = f.deal_id)"
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Measure:
    """SQL of one stored measure: suffix → aggregate expression, and the parameters they name.

    The bare suffix holds the measure; ".n" how many cases went into it; ".r" how many were left out for want of an
    exchange rate, ".c" how many records have no gross profit (both absent when none). What does not add up is an
    aggregate over whole facts: `of_fact` has column → expression over the events of one fact within one member (over
    its one event, where events are whole), and `columns` read those columns as e.<column>. `where` leaves out facts of
    which no event counts; `join` brings the later stage of the same fact in, where one is asked for. `reads_record`:
    whether it reads more than the event, so that a record may change it whose events stay the same.
    """

    columns: Mapping[str, str]
    of_fact: Mapping[str, str] = field(default_factory=dict)
    where: str = "true"
    params: Mapping[str, Any] = field(default_factory=dict)
    needs_fact: bool = False
    join: str = ""
    reads_record: bool = False


def are_whole(cursor: CursorWrapper, kind: str, credit: str) -> bool:
    """Whether every fact has one event of this kind and credit, so that nothing has to be weighed or put together.

    So it is until somebody shares a deal or sells it in lines: an index holds the events that are parts. Overlay
    counts in full for each person, so that its weights say nothing of how many events a fact has.
    """
    if credit != "revenue":
        return False
    cursor.execute(
        "SELECT NOT EXISTS (SELECT FROM kpis_kpievent WHERE kind = %s AND credit = %s AND weight <> 1)", [kind, credit]
    )
    return bool(cursor.fetchone()[0])


def measure(term: Simple, *, whole: bool = False, signed: bool = False) -> Measure:
    """The SQL of a term. Weights make counts and amounts follow the credit; absence of cases leaves the key out.

    `whole` gives the same numbers more quickly where `are_whole`: to count costs half of adding weights up. `signed`,
    of what adds up and of whole events only: each counts as often as its `sign` says, -1 taking away.
    """
    conditions = _Conditions(term)
    clauses = [conditions.of(each) for each in term.filters]
    join = ""
    if term.reached and term.reached.axis == "won_on" and term.fact == "deals":
        clauses.append(_is_won_within(term.reached))
    elif term.reached:
        axis = term.reached.axis
        join = _LATER_JOINS[term.fact].format(axis=axis)
        clauses.append(f"later_{axis}.date - e.date BETWEEN 0 AND {term.reached.within_days}")
    where = " AND ".join(clauses) or "true"
    columns, of_fact = (
        _exact(term, where, whole=whole)
        if term.aggregate in {"median", "distinct"}
        else (_columns(term, where, whole=whole, signed=signed), {})
    )
    expressions = (*columns.values(), *of_fact.values())
    needs_fact = any("f." in expression for expression in expressions)
    reads_record = needs_fact or bool(term.reached) or any("kpis_account a" in each for each in expressions)
    of_parts = any(each.field in _OF_PARTS for each in term.filters)
    counts = "true" if of_parts else where
    return Measure(columns, of_fact, counts, conditions.params, needs_fact, join, reads_record)


def _columns(term: Simple, where: str, *, whole: bool, signed: bool) -> dict[str, str]:
    value = value_of(term)
    columns: dict[str, str]
    match term.aggregate:
        case "count":
            return {"": _cases(where, whole=whole, signed=signed)}
        case "sum" | "average":
            added = f"e.sign * {value}" if signed else value if whole else weighted_value(term)
            columns = {
                "": f"trim_scale(sum({added}) FILTER (WHERE {where}))",
                COUNT: _cases(f"{where} AND {value} IS NOT NULL", whole=whole, signed=signed),
            }
        case _:
            raise ValueError(term.aggregate)
    if term.field in _EVENT_AMOUNTS:
        columns[RATE_MISSING] = _cases(f"{where} AND e.is_rate_missing", whole=True, signed=signed)
    if term.field == "gross_profit":
        without = f"{where} AND e.gross_profit IS NULL AND NOT e.is_rate_missing"
        columns[WITHOUT_COST] = (
            _cases(without, whole=True, signed=signed)
            if whole
            else f"nullif(count(DISTINCT e.fact_id) FILTER (WHERE {without}), 0)"
        )
    return columns


def _cases(where: str, *, whole: bool, signed: bool) -> str:
    if signed:
        return f"nullif(sum(e.sign) FILTER (WHERE {where}), 0)"
    if whole:
        return f"nullif(count(*) FILTER (WHERE {where}), 0)"
    return f"trim_scale(sum(e.weight) FILTER (WHERE {where}))"


def _exact(term: Simple, where: str, *, whole: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Aggregates over whole facts, and what each needs of one fact, however many credits and lines it has.

    Events carry amounts in shares: divided by the credit that falls to the member they are those of the whole deal,
    as an average has them too. Several lines of one product are one amount of it.
    """
    key, value = specs.measure_key(term), value_of(term)

    def of_events(aggregate: str, each: str) -> str:
        return f"CASE WHEN {where} THEN {each} END" if whole else f"{aggregate}({each}) FILTER (WHERE {where})"

    if term.aggregate == "distinct":
        of_fact = {key: of_events(_least(term), value)}
        columns = {"": f'nullif(count(DISTINCT e."{key}"), 0)'}
    else:
        of_fact = {key: of_events("min", value)}
        columns = {
            # by its text, since a double cast to numeric keeps 15 digits only
            "": f'percentile_cont(0.5) WITHIN GROUP (ORDER BY e."{key}")::text::numeric',
            COUNT: f'nullif(count(e."{key}"), 0)',
        }
    if term.field in _EVENT_AMOUNTS:
        share = "" if whole else " / coalesce(nullif(sum(e.weight), 0), 1)"
        of_fact[key] = f"round({of_events('sum', value)}{share}, 6)"
        of_fact[key + RATE_MISSING] = of_events("bool_or", "e.is_rate_missing")
        columns[RATE_MISSING] = f'nullif(count(*) FILTER (WHERE e."{key}{RATE_MISSING}"), 0)'
    return columns, of_fact


def _least(term: Simple) -> str:
    """The aggregate that picks the one value which all events of a fact have."""
    known = FACTS[term.fact].fields.get(term.field or "")
    return "bool_and" if known and known.type is FieldType.BOOL else "min"


def condition(term: Simple) -> tuple[str, dict[str, Any]]:
    """The SQL that is true of the events which a term counts, and the parameters it names."""
    conditions = _Conditions(term)
    clauses = [conditions.of(each) for each in term.filters]
    value = value_of(term)
    if value != "e.fact_id":
        clauses.append(f"{value} IS NOT NULL")
    if term.reached and term.reached.axis == "won_on" and term.fact == "deals":
        clauses.append(_is_won_within(term.reached))
    elif term.reached:
        clauses.append(
            f"EXISTS (SELECT FROM kpis_kpievent later WHERE later.kind = '{term.fact}.{term.reached.axis}'"
            f" AND later.fact_id = e.fact_id AND later.date - e.date BETWEEN 0 AND {term.reached.within_days})"
        )
    return " AND ".join(clauses) or "true", conditions.params


def window_axis(term: Window) -> str:
    """The date by which a window finds its records: when a contract began, or for renewals the day it is due."""
    return "renewal_due_on" if term.subject == "renewals" else _WINDOW_AXES[term.fact]


def window_condition(term: Window) -> tuple[str, dict[str, Any]]:
    """The SQL that is true of the events which a window looks at, and the parameters it names."""
    conditions = _Conditions(Simple(term.fact, window_axis(term), "count", filters=term.filters))
    clauses = [conditions.of(each) for each in term.filters]
    if term.fact == "deals":
        clauses.append("e.outcome = 'won'")
    return " AND ".join(clauses) or "true", conditions.params


def value_of(term: Simple) -> str:
    """SQL of what a term measures of one fact: a number, or for distinct the thing that is counted."""
    if term.days_between:
        first, last = term.days_between
        return f"({_date(term, last)} - {_date(term, first)})"
    name = term.field
    if name is None:
        return "e.fact_id"
    if name in _EVENT_AMOUNTS:
        return _EVENT_AMOUNTS[name]
    if name.startswith(specs.ATTRIBUTES):
        key = _attribute(name)
        if term.aggregate == "distinct":
            return f"nullif(f.attributes->>{key}, '')"
        return f"CASE WHEN jsonb_typeof(f.attributes->{key}) = 'number' THEN (f.attributes->>{key})::numeric END"
    kind = FACTS[term.fact].fields[name].type
    if name == "account":
        return "e.account_id"
    if kind is FieldType.REF:
        return f"f.{name}_id"
    if name in VALUE_DIMENSIONS:
        return f"e.{name}_id"
    return f"nullif(f.{name}, '')" if kind is FieldType.TEXT else f"f.{name}"


def is_money(term: Simple) -> bool:
    """Whether a term measures money of the company's currency."""
    return term.field in _EVENT_AMOUNTS


def _is_won_within(reached: Reached) -> str:
    """A deal carries its end itself."""
    return f"e.outcome = 'won' AND f.closed_on - e.date BETWEEN 0 AND {reached.within_days}"


def _date(term: Simple, name: str) -> str:
    """The axis of the event carries the date that was derived; other dates are the fact's own."""
    return "e.date" if name == term.date else _OF_EVENTS.get((term.fact, name), f"f.{name}")


def weighted_value(term: Simple) -> str:
    """SQL of an event's part in what a term adds up."""
    value = value_of(term)
    return value if value in _EVENT_AMOUNTS.values() else f"{value} * e.weight"


def _attribute(name: str) -> str:
    return "'" + name.removeprefix(specs.ATTRIBUTES).replace("'", "''").replace("%", "%%") + "'"


class _Conditions:
    """Filters of one term as SQL; values travel as parameters."""

    def __init__(self, term: Simple) -> None:
        self.term = term
        self.prefix = f"m_{specs.measure_key(term)}_"
        self.params: dict[str, Any] = {}

    def of(self, condition: Filter) -> str:
        name, op, value = condition.field, condition.op, condition.value
        if name in VALUE_DIMENSIONS or name == "product":
            return self.member(name, op, value)
        if name in _REF_TABLES:
            return self.reference(name, op, value)
        if name.startswith(specs.ACCOUNT):
            return self.of_another(_OF_ACCOUNT, ACCOUNT_FIELDS, name.removeprefix(specs.ACCOUNT), op, value)
        if name.startswith(specs.DEAL):
            return self.of_another(_OF_DEAL, DEAL_FIELDS, name.removeprefix(specs.DEAL), op, value)
        if name.startswith(specs.ATTRIBUTES):
            return self.attribute("f.attributes", name, op, value)
        column = _OF_EVENTS.get((self.term.fact, name), f"f.{name}")
        return self.compare(column, FACTS[self.term.fact].fields[name].type, op, value)

    def bind(self, value: object) -> str:
        key = f"{self.prefix}{len(self.params)}"
        self.params[key] = list(value) if isinstance(value, tuple) else value
        return f"%({key})s"

    def member(self, name: str, op: str, value: object) -> str:
        """A dimension is compared by its members' codes; nothing and unassigned are the same."""
        members = (
            "SELECT m.id FROM kpis_dimensionmember m JOIN kpis_dimension k ON k.id = m.dimension_id"
            f" WHERE k.code = '{name}' AND "
        )
        match op:
            case "is_null":
                return f"e.{name}_id {'IN' if value else 'NOT IN'} ({members} m.is_unassigned)"
            case "eq" | "in":
                return f"e.{name}_id IN ({members} m.code = ANY({self.bind(_several(value))}))"
            case "ne" | "not_in":
                return f"e.{name}_id NOT IN ({members} m.code = ANY({self.bind(_several(value))}))"
            case _:
                return f"e.{name}_id IN ({members} strpos(lower(m.name), lower({self.bind(value)})) > 0)"

    def reference(self, name: str, op: str, value: object) -> str:
        if op == "is_null":
            return f"f.{name}_id IS {'' if value else 'NOT '}NULL"
        rows = f"SELECT r.id FROM {_REF_TABLES[name]} r WHERE r.external_id = ANY({self.bind(_several(value))})"
        found = f"coalesce(f.{name}_id, 0) IN ({rows})"
        return f"NOT {found}" if op in {"ne", "not_in"} else found

    def of_another(self, holder: str, fields: Mapping[str, FactField], name: str, op: str, value: object) -> str:
        """Fields of the account, wherever the event found it, or of the deal that the record names."""
        if name.startswith(specs.ATTRIBUTES):
            return self.attribute(holder.format(column="attributes"), name, op, value)
        return self.compare(holder.format(column=name), fields[name].type, op, value)

    def attribute(self, holder: str, name: str, op: str, value: object) -> str:
        """A custom field out of the jsonb `holder`."""
        key = _attribute(name)
        text = f"nullif({holder}->>{key}, '')"
        sample = value[0] if isinstance(value, tuple) and value else value
        if op != "is_null" and isinstance(sample, Decimal):
            number = f"CASE WHEN jsonb_typeof({holder}->{key}) = 'number' THEN ({holder}->>{key})::numeric END"
            return self.compare(number, FieldType.NUMBER, op, value)
        if op != "is_null" and isinstance(sample, bool):
            value = str(value).lower()
        return self.compare(text, FieldType.ANY, op, value)

    def compare(self, column: str, kind: FieldType, op: str, value: object) -> str:
        if kind is FieldType.TEXT:
            column = f"nullif({column}, '')"
        cast = {FieldType.DATE: "::date", FieldType.NUMBER: "::numeric"}.get(kind, "")
        match op:
            case "is_null":
                return f"{column} IS {'' if value else 'NOT '}NULL"
            case "eq":
                return f"{column} = {self.bind(value)}{cast}"
            case "ne":
                return f"{column} IS DISTINCT FROM {self.bind(value)}{cast}"
            case "in":
                return f"{column} = ANY({self.bind(value)}{cast and cast + '[]'})"
            case "not_in":
                return f"coalesce({column} <> ALL({self.bind(value)}{cast and cast + '[]'}), true)"
            case "contains":
                return f"strpos(lower({column}), lower({self.bind(value)})) > 0"
            case "gt" | "gte" | "lt" | "lte":
                return f"{column} {_COMPARISONS[op]} {self.bind(value)}{cast}"
            case _:
                assert_never(op)  # type: ignore[arg-type]


def _several(value: object) -> list[object]:
    return list(value) if isinstance(value, tuple) else [value]
