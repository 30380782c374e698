"""What cells are computed from: definitions, streams, blocks, entries, targets and locks; one query each."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Q

from kpis.choices import Accumulation, DimensionCode, Level, PeriodState, SnapshotMeasure
from kpis.engine import specs
from kpis.engine.cells import EXACT, block_group
from kpis.engine.formula import CompiledFormula, parse_formula
from kpis.engine.freshness import Delivery, is_late
from kpis.engine.graph import calculation_order, needed
from kpis.engine.pace import Due
from kpis.engine.specs import Formula, Manual, Simple, Snapshot, Spec, Term
from kpis.engine.values import Absence, Value
from kpis.models import (
    DealPhase,
    FactStream,
    KpiNode,
    LockedCell,
    ManualEntry,
    Metric,
    MetricSnapshot,
    MetricVersion,
    Target,
)
from kpis.selectors.curves import read_usual
from kpis.selectors.matrix.axes import Members, Periods
from kpis.selectors.matrix.exact import is_stored, read_exact
from kpis.selectors.matrix.shapes import OFFICIAL, MatrixQuery
from kpis.selectors.streams import Deliveries, deliveries_of

_BASE = {"month": "month", "week": "week", "quarter": "month", "half": "month", "year": "month"}

Blocks = Mapping[tuple[str, date], Mapping[str, Mapping[int | None, Decimal]]]  # group, period → key → member
Entries = Mapping[tuple[int, int | None], Mapping[date, Value]]
Targets = Mapping[int, Mapping[date, Mapping[int | None, "Aim"]]]  # node → base period → member
Locks = Mapping[tuple[int, date], Mapping[int | None, "Lock"]]  # node, period → member
# measure, the metric that narrows it (None = none), period, member
Snapshots = Mapping[tuple[str, int | None, date, int | None], MetricSnapshot]
Usual = Mapping[tuple[str, date], Due]  # metric's code, period


class Aim(NamedTuple):
    """A target as it stands, and the upper end of a range."""

    value: Decimal
    upper: Decimal | None


class Lock(NamedTuple):
    """What a locked cell holds, in the order of the matrix's columns."""

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    target: Decimal | None
    achievement: Decimal | None
    status: str
    absence: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric with its versions, latest first; formulas compiled."""

    metric: Metric
    versions: Sequence[tuple[date, int, Spec]]
    formulas: Mapping[int, CompiledFormula]

    def at(self, day: date) -> tuple[int, Spec]:
        """The version in force on a day; before the first one, the first."""
        for effective, number, spec in self.versions:
            if effective <= day:
                return number, spec
        return self.versions[-1][1:]

    @property
    def names(self) -> set[str]:
        """The codes which any version's formula reads."""
        return {name for formula in self.formulas.values() for name in formula.names}

    @property
    def terms(self) -> list[Term]:
        """What all versions count."""
        return [term for _day, _number, spec in self.versions for term in specs.terms(spec)]

    @property
    def facts(self) -> set[str]:
        """The kinds of fact which any version reads, formulas apart."""
        return {fact for _day, _number, spec in self.versions for fact in specs.facts_read(spec)}


Definitions = Mapping[str, Definition]


@dataclass(frozen=True, slots=True)
class Stream:
    """What is known of all sources of one fact together; `as_of` is the oldest last success, None where one lacks."""

    deliveries: Sequence[Delivery]
    as_of: datetime | None
    is_stale: bool


def is_additive_on(code: str, definitions: Definitions, days: Collection[date]) -> bool:
    """Whether numbers of a metric may be added up, whatever it is made of, by its definitions on these days.

    Medians, distinct customers, retention and levels do not add up, neither alone nor in a formula.
    """
    named = needed({each: found.names for each, found in definitions.items()}, [code])
    read = [definitions[each].at(day)[1] for each in named if each in definitions for day in days]
    return not any(isinstance(spec, Snapshot) or not all(map(specs.is_additive, specs.terms(spec))) for spec in read)


def counts_each_once(code: str, definitions: Definitions) -> bool:
    """Whether a metric, or what it is calculated from, counts different things, such as customers.

    Who buys in March and in April is one customer of both: what is aimed at for a month says nothing of another length.
    """
    found = definitions.get(code)
    if found is None:
        return False
    return any(isinstance(term, specs.Simple) and term.aggregate == "distinct" for term in found.terms) or any(
        counts_each_once(name, definitions) for name in found.names
    )


def load_definitions(codes: Collection[str]) -> dict[str, Definition]:
    """All metrics that the shown ones need, directly or through formulas, in the order of calculation."""
    defined: dict[str, list[tuple[date, int, Any]]] = defaultdict(list)
    for code, day, number, data in MetricVersion.objects.values_list(
        "metric__code", "effective_from", "number", "spec"
    ):
        defined[code].append((day or date.min, number, data))
    versions: dict[str, list[tuple[date, int, Spec]]] = {}
    formulas: dict[str, dict[int, CompiledFormula]] = {}
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        if code in defined and code not in versions:
            rows = sorted(defined[code], key=lambda each: each[:2], reverse=True)
            versions[code] = [(day, number, specs.parse_spec(data)) for day, number, data in rows]
            formulas[code] = {n: parse_formula(s.expression) for _, n, s in versions[code] if isinstance(s, Formula)}
            waiting.extend(name for formula in formulas[code].values() for name in formula.names)
    metrics = {metric.code: metric for metric in Metric.objects.filter(code__in=versions)}
    known = {code: Definition(metric, versions[code], formulas[code]) for code, metric in metrics.items()}
    order = calculation_order({code: each.names for code, each in known.items()})
    return {code: known[code] for code in order.codes if code in known}


def load_streams(definitions: Definitions, *, now: datetime) -> dict[str, Stream]:
    """Fact → what is known of its sources, for all facts that these metrics read; one query."""
    grouped: dict[str, list[FactStream]] = defaultdict(list)
    for row in FactStream.objects.filter(fact__in={fact for each in definitions.values() for fact in each.facts}):
        grouped[row.fact].append(row)
    return {fact: _together(rows, now) for fact, rows in grouped.items()}


def _together(rows: Sequence[FactStream], now: datetime) -> Stream:
    times = [row.last_success_at for row in rows]
    return Stream(
        deliveries=deliveries_of(rows),
        as_of=None if None in times else min(time for time in times if time),
        is_stale=any(is_late(row.last_success_at, row.expected_every, now=now) for row in rows),
    )


def load_steps(terms: Iterable[Term]) -> frozenset[int]:
    """The steps of a sale that the company has numbered; asked only where one of the terms counts by a step."""
    if not any(specs.steps_behind(term) for term in terms):
        return frozenset()
    numbered = DealPhase.objects.exclude(step=None).values_list("step", flat=True)
    return frozenset(step for step in numbered if step is not None)


def load_blocks(query: MatrixQuery, definitions: Definitions, periods: Periods, members: Members) -> Blocks:
    """Blocks of the groups that are needed, added up to the asked periods and to every ancestor.

    What does not add up is told by the block of the period itself, or read from the events where it has none.
    """
    terms = [term for each in definitions.values() for term in each.terms]
    if not terms or not periods.asked:
        return {}
    additive = sorted({block_group(term) for term in terms if specs.is_additive(term)})
    exact = sorted({block_group(term) for term in terms if is_stored(term, query.grain)} - set(additive))
    into = {start: period for period, starts in periods.base_starts.items() for start in starts}
    asked = [period.start for period in periods.asked]
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "group", period_start, measures, member_ids, numbers FROM kpis_measureblock'
            " WHERE is_of_people = ANY(%s) AND"
            ' (("group" = ANY(%s) AND grain = %s AND period_start = ANY(%s))'
            ' OR ("group" = ANY(%s) AND grain = %s AND period_start = ANY(%s)))',
            [
                [False, True] if query.dimension == DimensionCode.PERSON else [False],
                *(additive, _BASE[query.grain], list(into)),
                *(exact, query.grain, asked),
            ],
        )
        found = cursor.fetchall()
    wanted = {specs.measure_key(term) for term in terms}
    has_ancestors = any(len(line) > 1 or line[0] != member for member, line in members.lineage.items())
    known: dict[tuple[int | None, ...], list[tuple[int, int | None]]] = {}
    places = []
    for _group, _start, _measures, ids, _numbers in found:
        who = tuple(ids)
        if who not in known:
            known[who] = _places(who, query.dimension, members)
        places.append(known[who])
    told = {(group, start) for (group, start, *_), here in zip(found, places, strict=True) if here}
    blocks: dict[tuple[str, date], dict[str, dict[int | None, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    unstored = [term for term in terms if isinstance(term, Simple) and not is_stored(term, query.grain)]
    for group, start, measure, member, number in read_exact(unstored, query.grain, asked, query.dimension):
        if member is None or member in members.lineage:
            blocks[group, start][measure][members.lineage[member][0] if member else None] = number
    for (group, start, measures, ids, numbers), here in zip(found, places, strict=True):
        if not here and ((group, start) in told or ids[0] is not None):
            continue
        # of a dimension that is not told at all nothing is assigned
        here = here or [(0, members.unassigned_id)]
        is_exact = group.endswith(EXACT)
        block = blocks[group, start if is_exact else into[start]]
        for measure, line in zip(measures, numbers, strict=True):
            if measure.partition(".")[0] not in wanted:
                continue
            numbers_of, place = line.split(","), block[measure]
            counted = [(member, Decimal(numbers_of[at])) for at, member in here if numbers_of[at]]
            if not place and not has_ancestors:
                place.update(counted)
                continue
            for member, number in counted:
                above: tuple[int | None, ...] = members.lineage[member] if member else (None,)
                for each in above[:1] if is_exact else above:
                    place[each] = place[each] + number if each in place else number
    return blocks


def _places(ids: Sequence[int | None], dimension: str, members: Members) -> list[tuple[int, int | None]]:
    """Where in a block the members of a dimension stand."""
    if dimension == DimensionCode.COMPANY:
        return [(0, None)] if ids[0] is None else []
    return [(at, member) for at, member in enumerate(ids) if member in members.lineage]


def load_entries(query: MatrixQuery, definitions: Definitions, periods: Periods) -> Entries:
    """(metric, member) → base period → typed value or why there is none, with the company's for every dimension."""
    manual = [
        each.metric.pk
        for each in definitions.values()
        if any(isinstance(spec, Manual) for _day, _number, spec in each.versions)
    ]
    entries: dict[tuple[int, int | None], dict[date, Value]] = defaultdict(dict)
    for row in ManualEntry.objects.filter(
        metric__in=manual,
        grain=_BASE[query.grain],
        period_start__in=periods.starts,
        dimension__in=[query.dimension, DimensionCode.COMPANY],
    ):
        entries[row.metric_id, row.member_id][row.period_start] = (
            Absence(row.absence) if row.value is None else row.value
        )
    return dict(entries)


def load_snapshots(
    query: MatrixQuery, definitions: Definitions, nodes: Sequence[KpiNode], periods: Periods
) -> Snapshots:
    """The last snapshot of each measure in a period, of a due set the first.

    A stock is of the day it was taken on; a landing or coverage of its period, and of the tree's KGI.
    """
    asked = [
        (each.metric.pk, spec)
        for each in definitions.values()
        for _day, _number, spec in each.versions
        if isinstance(spec, Snapshot)
    ]
    if not asked or not periods.asked:
        return {}
    measures = {spec.measure for _metric, spec in asked}
    narrowing = {metric for metric, spec in asked if spec.filters}
    goals = [row.metric_id for row in nodes if row.level == Level.KGI]
    rows = MetricSnapshot.objects.filter(
        measure__in=measures,
        dimension=query.dimension,
        date__gte=periods.asked[0].start,
        date__lt=periods.asked[-1].end,
    )
    found: dict[tuple[str, int | None, date, int | None], MetricSnapshot] = {}
    is_stock = Q(measure__in=list(specs.SNAPSHOT_FACTS))
    here = Q(metric=None) | (is_stock & Q(metric__in=narrowing)) | (~is_stock & Q(metric__in=goals))
    for row in rows.filter(here).order_by("date", "id"):
        metric = row.metric_id if row.measure in specs.SNAPSHOT_FACTS else None
        for period in periods.asked:
            is_here = period.start <= row.date < period.end
            if row.period_start is not None:
                is_here = (row.grain, row.period_start) == (query.grain, period.start)
            key = (row.measure, metric, period.start, row.member_id)
            if is_here and not (row.measure == SnapshotMeasure.RENEWAL_DUE and key in found):
                found[key] = row
    return found


def load_targets(query: MatrixQuery, nodes: Sequence[KpiNode], periods: Periods) -> Targets:
    """The targets of the asked line; weeks also need their month's."""
    rows = Target.objects.filter(
        node__in=[row.pk for row in nodes],
        line=query.tree.official_line if query.line == OFFICIAL else query.line,
        dimension=query.dimension,
        period_start__in={*periods.starts, *periods.week_month.values()},
    )
    targets: dict[int, dict[date, dict[int | None, Aim]]] = defaultdict(dict)
    of_members = {f"{name}s": ArrayAgg(name) for name in ("member_id", *Aim._fields)}
    for node, start, *found in rows.order_by().values_list("node_id", "period_start").annotate(**of_members):
        targets[node][start] = {member: Aim(*aim) for member, *aim in zip(*found, strict=True)}
    return targets


def load_usual(
    nodes: Sequence[KpiNode],
    definitions: Definitions,
    periods: Periods,
    targets: Targets,
    deliveries: Deliveries,
    today: date,
) -> Usual:
    """What the company's own curve says is there by now, of every sum that is aimed at in the period that runs.

    The same for every member. No query unless a period runs and one of its curves is not at hand.
    """
    usual: dict[tuple[str, date], Due] = {}
    for period in periods.asked:
        if period.state != PeriodState.OPEN or not 1 < period.elapsed < period.business_days:
            continue
        terms: dict[str, specs.Simple] = {}
        for row in nodes:
            if row.metric is None or row.metric.accumulation != Accumulation.SUM or not targets.get(row.pk):
                continue
            definition = definitions.get(row.metric.code)
            spec = definition.at(period.start)[1] if definition else None
            if isinstance(spec, specs.Simple) and specs.is_additive(spec):
                terms[row.metric.code] = spec
        found = read_usual(
            terms,
            period=period.row,
            elapsed=period.elapsed,
            total=period.business_days,
            today=today,
            deliveries=deliveries,
        )
        usual |= {(code, period.start): due for code, due in found.items()}
    return usual


def load_locks(query: MatrixQuery, nodes: Sequence[KpiNode], periods: Periods) -> Locks:
    """The locked cells to show in place of live ones: of closed periods, on the official line, as organised then."""
    closed = [period.start for period in periods.asked if period.state == PeriodState.CLOSED]
    if query.is_live or query.org == "now" or query.line != OFFICIAL or not closed:
        return {}
    rows = LockedCell.objects.filter(
        node__in=[row.pk for row in nodes], grain=query.grain, period_start__in=closed, dimension=query.dimension
    )
    locks: dict[tuple[int, date], dict[int | None, Lock]] = defaultdict(dict)
    for node, start, member, *cell in rows.values_list("node_id", "period_start", "member_id", *Lock._fields):
        locks[node, start][member] = Lock(*cell)
    return locks
