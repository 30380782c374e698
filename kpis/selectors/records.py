"""The facts behind a number: exactly those which the measure counted."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from kpis.choices import DimensionCode
from kpis.engine import specs
from kpis.engine.formula import Binary, Name, parse_formula
from kpis.models import (
    DimensionMember,
    Metric,
    MetricVersion,
    Period,
)
from kpis.models.resources import MODELS
from kpis.selectors.measures import condition

NUMERATOR, DENOMINATOR = "numerator", "denominator"
RELATED = ("account", "owner", "owner_at_close", "deal", "lead")
_RESULTS = ("outcome", "stage", "phase", "status", "score", "kind", "subscription")


@dataclass(frozen=True, slots=True)
class Record:
    """One fact behind a number. `weight` and `amount` are its part in the number (shares; company currency)."""

    fact: str
    source: str
    external_id: str
    name: str
    account: str
    owner: str
    date: date
    weight: Decimal
    amount: Decimal | None
    result: str
    url: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A slice of the facts, latest first, and how many there are in all."""

    term: specs.Simple
    records: tuple[Record, ...]
    count: int


def find_version(metric: Metric, *, day: date) -> MetricVersion | None:
    """The definition of a metric in force on a day; before the first one, the first."""
    versions = list(MetricVersion.objects.filter(metric=metric).order_by("number"))
    in_force = [row for row in versions if row.effective_from is None or row.effective_from <= day]
    return in_force[-1] if in_force else next(iter(versions), None)


def find_term(metric: Metric, *, day: date, side: str = NUMERATOR) -> specs.Simple | None:
    """What is counted on one side of a metric: None where that is not one set of facts (sums of metrics, by hand).

    A plain number has no sides: the numerator is what it counts. An average has the same facts on both.
    """
    version = find_version(metric, day=day)
    spec = specs.parse_spec(version.spec) if version else None
    match spec:
        case specs.Simple():
            return spec if side == NUMERATOR or spec.aggregate == "average" else None
        case specs.Ratio(numerator, denominator):
            return numerator if side == NUMERATOR else denominator
        case specs.Conversion():
            return specs.conversion_sides(spec)[side == DENOMINATOR]
        case specs.Retention(measure="renewal_rate", window_months=1):
            return specs.renewal_sides(spec)[side == DENOMINATOR]
        case specs.Score():
            good, _bad, answers = specs.score_sides(spec)
            return good if side == NUMERATOR else answers
        case specs.Formula(expression):
            return _side_of_formula(expression, day, side)
        case _:
            return None


def read_records(
    *,
    term: specs.Simple,
    period: Period,
    dimension: str = DimensionCode.COMPANY,
    member: DimensionMember | None = None,
    people: Collection[int] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> RecordPage:
    """The facts that a term counts in a period for a member and those below it; four queries.

    `people` narrows to facts credited to these members of the dimension person (None = everybody).
    """
    events, params = matching_events(term, period, dimension=dimension, member=member, people=people)
    model = MODELS[term.fact]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.fact_id, min(e.date), sum(e.weight), sum(e.amount), count(*) OVER () {events}"
            " GROUP BY e.fact_id ORDER BY min(e.date) DESC, e.fact_id DESC OFFSET %(offset)s LIMIT %(limit)s",
            {**params, "offset": offset, "limit": limit},
        )
        found = cursor.fetchall()
    named = {field.name for field in model._meta.get_fields()}
    rows = model._default_manager.select_related(*(name for name in RELATED if name in named)).in_bulk(
        [fact_id for fact_id, *_rest in found]
    )
    records = tuple(
        _record(term.fact, rows[fact_id], day, weight, amount) for fact_id, day, weight, amount, _count in found
    )
    return RecordPage(term, records, found[0][-1] if found else 0)


def matching_events(
    term: specs.Simple,
    period: Period,
    *,
    dimension: str,
    member: DimensionMember | None,
    people: Collection[int] | None = None,
) -> tuple[str, dict[str, Any]]:
    """SQL from FROM on of the events (e) with their facts (f) that a term counts in a period, and its parameters."""
    where, params = condition(term)
    clauses = [where]
    if member is not None:
        clauses.append(f"e.{DimensionCode(dimension).value}_id = ANY(%(members)s)")
        params["members"] = with_descendants(member)
    if people is not None:
        clauses.append("e.person_id = ANY(%(people)s)")
        params["people"] = list(people)
    params |= {
        "kind": specs.event_kind(term),
        "credit": term.credit,
        "start": period.start_date,
        "end": period.end_date,
    }
    return (
        f"FROM kpis_kpievent e JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id"
        " WHERE e.kind = %(kind)s AND e.credit = %(credit)s AND e.date >= %(start)s AND e.date < %(end)s"
        f" AND {' AND '.join(clauses)}"
    ), params


def _side_of_formula(expression: str, day: date, side: str) -> specs.Simple | None:
    """Followed through a division of two metrics."""
    top = parse_formula(expression).expression
    if not (isinstance(top, Binary) and top.operator == "/"):
        return None
    part = top.left if side == NUMERATOR else top.right
    metric = Metric.objects.filter(code=part.code).first() if isinstance(part, Name) else None
    return find_term(metric, day=day) if metric else None


def with_descendants(member: DimensionMember) -> list[int]:
    """The ids of a member and of all below it."""
    children: dict[int | None, list[int]] = defaultdict(list)
    rows = DimensionMember.objects.filter(dimension=member.dimension_id)
    for pk, parent in rows.values_list("pk", "parent_id"):
        children[parent].append(pk)
    found = [member.pk]
    for pk in found:
        found.extend(child for child in children[pk] if child not in found)
    return found


def _record(fact: str, row: Any, day: date, weight: Decimal, amount: Decimal | None) -> Record:
    through = None if fact == "deals" else getattr(row, "deal", None) or getattr(row, "lead", None)
    account = getattr(row, "account", None)
    owner = getattr(row, "owner_at_close", None) or getattr(row, "owner", None)
    return Record(
        fact=fact,
        source=row.source,
        external_id=row.external_id,
        name=str(through or row),
        account=account.name if account else "",
        owner=owner.name if owner else "",
        date=day,
        weight=weight,
        amount=amount,
        result=_result(row),
        url=row.source_url,
    )


def _result(row: Any) -> str:
    name = next((name for name in _RESULTS if getattr(row, name, None) not in (None, "")), None)
    if name is None:
        return ""
    display = getattr(row, f"get_{name}_display", None)
    return str(display() if display else getattr(row, name))
