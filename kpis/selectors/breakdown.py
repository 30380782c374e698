"""Any counted metric by two dimensions at once, computed from events when somebody asks.

Blocks hold one dimension each; where two cross, the events are grouped once per measure group.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from kpis.engine import specs
from kpis.engine.cells import block_group
from kpis.engine.columns import Column
from kpis.engine.specs import Manual, Simple, Snapshot, Window
from kpis.models import DimensionMember, Metric
from kpis.models.resources import MODELS
from kpis.selectors.matrix.axes import Periods, load_periods
from kpis.selectors.matrix.counting import Counting
from kpis.selectors.matrix.loading import Blocks, Definitions, load_definitions, load_steps, load_streams
from kpis.selectors.matrix.shapes import MatrixMember, MatrixPeriod
from kpis.selectors.measures import Measure, are_whole, measure

Pair = tuple[int, int]


class BreakdownError(Exception):
    """The metric cannot be told by two dimensions; the message says why."""


@dataclass(frozen=True, slots=True)
class BreakdownQuery:
    """What is asked for: periods whose start lies in [start, end); `visible` limits members, by dimension."""

    metric: Metric
    dimensions: tuple[str, str]
    grain: str
    start: date
    end: date
    visible: Mapping[str, Collection[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One row for every pair of members that has an event, with a column for each period (cells as in `Column`)."""

    periods: Sequence[MatrixPeriod]
    pairs: Sequence[tuple[DimensionMember, DimensionMember]]
    columns: Sequence[Column]


def read_breakdown(query: BreakdownQuery, *, now: datetime) -> Breakdown:
    """Group the events of every measure group that the metric reads. Raises BreakdownError."""
    today = timezone.localdate(now)
    definitions = load_definitions({query.metric.code})
    terms = _terms(query.metric, definitions)
    periods = load_periods(query.grain, query.start, query.end, today=today)
    numbers: dict[Pair, int] = {}
    blocks = _group(query, terms, periods, numbers)
    members = {
        row.pk: row for row in DimensionMember.objects.filter(pk__in={each for pair in numbers for each in pair})
    }
    counting = Counting(
        grain=query.grain,
        dimensions=query.dimensions,
        today=today,
        periods=periods,
        members=[MatrixMember(number, None, "", None) for number in numbers.values()],
        definitions=definitions,
        streams=load_streams(definitions, now=now),
        steps=load_steps(terms),
        blocks=blocks,
        entries={},
        snapshots={},
    )
    return Breakdown(
        periods.asked,
        [(members[first], members[second]) for first, second in numbers],
        counting.columns()[query.metric.code],
    )


def _terms(metric: Metric, definitions: Definitions) -> list[Simple]:
    """What the metric counts, over all versions of it and of those that its formulas name."""
    if metric.code not in definitions:
        raise BreakdownError(_("%(metric)s has no definition yet.") % {"metric": metric.name})
    found: list[Simple] = []
    for definition in definitions.values():
        for _day, _number, spec in definition.versions:
            terms = specs.terms(spec)
            if isinstance(spec, Manual | Snapshot) or any(isinstance(term, Window) for term in terms):
                message = _("%(metric)s is not counted event by event, so it cannot be told by two dimensions.")
                raise BreakdownError(message % {"metric": definition.metric.name})
            found += [term for term in terms if isinstance(term, Simple)]
    return found


def _group(query: BreakdownQuery, terms: Sequence[Simple], periods: Periods, numbers: dict[Pair, int]) -> Blocks:
    """One statement per measure group; every pair that turns up gets a number."""
    groups: dict[str, dict[str, Simple]] = defaultdict(dict)
    for term in terms:
        groups[block_group(term)][specs.measure_key(term)] = term
    blocks: dict[tuple[str, date], dict[str, dict[int | None, Decimal]]] = {}
    if not periods.asked:
        return blocks
    for group, of_group in groups.items():
        keys, rows = _read(query, list(of_group.values()), periods)
        places: dict[date, list[dict[int | None, Decimal]]] = {}
        for first, second, start, *values in rows:
            number = numbers.setdefault((first, second), len(numbers))
            place = places.get(start)
            if place is None:
                place = places[start] = [{} for _key in keys]
            for found, value in zip(place, values, strict=True):
                if value is not None:
                    found[number] = value
        for start, place in places.items():
            blocks[group, start] = {key: found for key, found in zip(keys, place, strict=True) if found}
    return blocks


def _read(query: BreakdownQuery, terms: Sequence[Simple], periods: Periods) -> tuple[list[str], list[tuple[Any, ...]]]:
    kind, credit = specs.event_kind(terms[0]), terms[0].credit
    with connection.cursor() as cursor:
        whole = are_whole(cursor, kind, credit)
    measures = {specs.measure_key(term): measure(term, whole=whole) for term in terms}
    built = {
        f"{key}{suffix}": expression for key, each in measures.items() for suffix, expression in each.columns.items()
    }
    pair = [f"e.{dimension}_id" for dimension in query.dimensions]
    params = {name: value for each in measures.values() for name, value in each.params.items()}
    limits = ["e.kind = %(kind)s", "e.credit = %(credit)s", "e.date >= %(first)s", "e.date < %(last)s"]
    for column, dimension in zip(pair, query.dimensions, strict=True):
        if dimension in query.visible:
            limits.append(f"{column} = ANY(%(visible_{dimension})s)")
            params[f"visible_{dimension}"] = list(query.visible[dimension])
    source = _source(terms[0], measures, pair, " AND ".join(limits), whole=whole)
    numbers = ", ".join(f"({each})::numeric" for each in built.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(source.pair)}, d.{query.grain}, {numbers}"
            f" FROM {source.rows} JOIN kpis_calendarday d ON d.day = e.date {source.where} GROUP BY 1, 2, 3",
            {
                **params,
                "kind": kind,
                "credit": credit,
                "first": periods.asked[0].start,
                "last": periods.asked[-1].end,
            },
        )
        return list(built), cursor.fetchall()


@dataclass(frozen=True, slots=True)
class _Source:
    """The rows e of a statement: its FROM, its WHERE, and the two members of a row."""

    rows: str
    where: str
    pair: Sequence[str]


def _source(term: Simple, measures: Mapping[str, Measure], pair: Sequence[str], limits: str, *, whole: bool) -> _Source:
    joins = dict.fromkeys(each.join for each in measures.values())
    if any(each.needs_fact for each in measures.values()):
        joins[f"JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id"] = None
    events = f"kpis_kpievent e {' '.join(joins)}"
    if specs.is_additive(term):
        return _Source(events, f"WHERE {limits}", pair)
    of_fact = ", ".join(f'{value} AS "{name}"' for each in measures.values() for name, value in each.of_fact.items())
    facts = (
        f"(SELECT {pair[0]} AS first, {pair[1]} AS second, e.date, {of_fact} FROM {events}"
        f" WHERE {limits}{'' if whole else ' GROUP BY 1, 2, e.date, e.fact_id'}) e"
    )
    return _Source(facts, "", ("e.first", "e.second"))
