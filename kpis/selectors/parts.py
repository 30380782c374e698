"""What single records give to a number, and what they give together, read from the events themselves.

The matrix reads the same from blocks; here it is read anew, so that it can be asked of facts as they were.
"""

from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from kpis.choices import DimensionCode
from kpis.engine import specs
from kpis.engine.cells import Cell, cohort_cell, formula_cell, ratio_cell, score_cell, simple_cell
from kpis.engine.evidence import Part
from kpis.engine.formula import parse_formula
from kpis.engine.freshness import Coverage
from kpis.engine.specs import Conversion, Formula, Ratio, Retention, Score, Simple
from kpis.models import DimensionMember, Metric, Period
from kpis.models.resources import MODELS
from kpis.selectors.matrix.axes import members_below
from kpis.selectors.matrix.loading import load_steps
from kpis.selectors.measures import measure, weighted_value
from kpis.selectors.records import Where, find_version, matching_events
from kpis.selectors.streams import read_deliveries, term_coverage

NUMERIC = ("sum", "average", "median")  # aggregates of a measured value; the others count


def read_parts(
    term: Simple,
    period: Period,
    *,
    dimension: str,
    member: DimensionMember | None,
    ids: Collection[int],
    people: Collection[int] | None = None,
) -> dict[int, Part]:
    """Of these facts those which a term counts, with their part; one query (and one for the members below)."""
    return _parts_of(term, (period.start_date, period.end_date), Where(dimension, member, people), ids)


def read_window_term(term: Simple, stretch: tuple[date, date], where: Where) -> dict[int, Part]:
    """Every fact which a term counts from a day to before a day, with its part; as many queries."""
    return _parts_of(term, stretch, where, None)


def share_of(term: Simple, part: Part) -> Decimal | None:
    """What a fact adds to a term that counts or sums."""
    return part.measured if term.aggregate in NUMERIC else part.weight


def _parts_of(term: Simple, stretch: tuple[date, date], where: Where, ids: Collection[int] | None) -> dict[int, Part]:
    rows, params = matching_events(term, stretch, where)
    measured = f"sum({weighted_value(term)})" if term.aggregate in NUMERIC else "NULL::numeric"
    asked = "" if ids is None else "AND e.fact_id = ANY(%(ids)s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.fact_id, sum(e.weight), {measured} {rows} {asked} GROUP BY e.fact_id",
            {**params, "ids": list(ids or ())},
        )
        return {fact: Part(weight, value) for fact, weight, value in cursor.fetchall()}


def read_cell(
    metric: Metric, period: Period, *, dimension: str, member: DimensionMember | None, today: date
) -> Cell | None:
    """The value of a metric with its two sides, by the definition in force in the period.

    None where it is not made of records alone (typed values, snapshots, customer windows, and formulas of these).
    `today` says what has matured and what may be called zero.
    """
    version = find_version(metric, day=period.start_date)
    if version is None:
        return None
    return spec_cell(specs.parse_spec(version.spec), period, dimension=dimension, member=member, today=today)


def spec_cell(
    spec: specs.Spec, period: Period, *, dimension: str, member: DimensionMember | None, today: date
) -> Cell | None:
    """The same for a definition that no metric has yet."""

    def of(term: Simple) -> Cell:
        return _term_cell(term, period, dimension=dimension, member=member, today=today)

    match spec:
        case Simple():
            return of(spec)
        case Ratio(numerator, denominator):
            return ratio_cell(of(numerator), of(denominator))
        case Conversion(basis="period"):
            return ratio_cell(*map(of, specs.conversion_sides(spec)))
        case Conversion():
            sides = specs.conversion_sides(spec)
            is_mature = _coverage(sides[0]).is_read_since(period.end_date + timedelta(days=spec.window_days), today)
            return cohort_cell(*map(of, sides), is_mature=is_mature)
        case Retention(measure="renewal_rate", window_months=1):
            return ratio_cell(*map(of, specs.renewal_sides(spec)))
        case Score(survey):
            return score_cell(survey, *map(of, specs.score_sides(spec)))
        case Formula(expression):
            formula = parse_formula(expression)
            metrics = {row.code: row for row in Metric.objects.filter(code__in=formula.names)}
            cells = {
                code: read_cell(row, period, dimension=dimension, member=member, today=today)
                for code, row in metrics.items()
            }
            values = {code: cell.value for code, cell in cells.items() if cell is not None}
            return formula_cell(formula, values) if len(values) == len(set(formula.names)) else None
        case _:
            return None


def facts_of(metric: Metric, *, day: date) -> frozenset[str]:
    """The kinds of fact that a metric's records are of, through the formulas that it is made of."""
    version = find_version(metric, day=day)
    spec = specs.parse_spec(version.spec) if version else None
    if isinstance(spec, Formula):
        named = Metric.objects.filter(code__in=parse_formula(spec.expression).names)
        return frozenset(fact for row in named for fact in facts_of(row, day=day))
    return frozenset(term.fact for term in specs.terms(spec)) if spec else frozenset()


def _term_cell(term: Simple, period: Period, *, dimension: str, member: DimensionMember | None, today: date) -> Cell:
    measures = _measures(term, period, dimension=dimension, member=member)
    is_told = specs.steps_behind(term) <= load_steps([term])
    is_covered = is_told and _coverage(term).tells_none(period.start_date, period.end_date, today)
    return simple_cell(term, measures, is_covered=is_covered)


def _coverage(term: Simple) -> Coverage:
    return term_coverage(term, read_deliveries(specs.facts_behind(term)))


def _measures(term: Simple, period: Period, *, dimension: str, member: DimensionMember | None) -> dict[str, Decimal]:
    """The stored measures of a term, computed over one period and one member with those below it."""
    of_term = measure(term)
    key = specs.measure_key(term)
    params: dict[str, Any] = {
        **of_term.params,
        "kind": specs.event_kind(term),
        "credit": term.credit,
        "start": period.start_date,
        "end": period.end_date,
    }
    where = "e.kind = %(kind)s AND e.credit = %(credit)s AND e.date >= %(start)s AND e.date < %(end)s"
    if member is not None:
        where += f" AND e.{DimensionCode(dimension).value}_id = ANY(%(members)s)"
        params["members"] = members_below(member)
    fact = f"JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id" if of_term.needs_fact else ""
    rows = f"FROM kpis_kpievent e {fact} {of_term.join} WHERE {where}"
    if of_term.of_fact:
        columns = ", ".join(f'{expression} AS "{name}"' for name, expression in of_term.of_fact.items())
        rows = f"FROM (SELECT e.fact_id, {columns} {rows} GROUP BY e.date, e.fact_id) e"
    suffixes = list(of_term.columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(of_term.columns.values())} {rows}", params)
        found = cursor.fetchone()
    numbers = zip(suffixes, found, strict=True)
    return {key + suffix: Decimal(str(number)) for suffix, number in numbers if number is not None}
