"""Daily snapshots: what nobody can compute later is written down once a day, and never touched again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kpis.choices import Accumulation, DimensionCode, Grain, Level, SnapshotMeasure
from kpis.engine import snapshots, specs
from kpis.engine.freshness import coverage
from kpis.engine.landing import RollUp
from kpis.engine.scoring import Method
from kpis.engine.specs import Snapshot
from kpis.engine.values import Absence, Value
from kpis.models import KpiTree, MetricSnapshot, Period, Person, Target
from kpis.selectors.definitions import narrowed_snapshots
from kpis.selectors.landings import Landing, read_landings
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.matrix.axes import load_members
from kpis.selectors.pipeline import Place
from kpis.selectors.stocks import NOTHING, Pipeline, read_open_pipeline, read_order_backlog, read_renewals_due
from kpis.selectors.streams import Deliveries, known_until, read_deliveries
from kpis.selectors.today import active_trees
from kpis.services.phases import ensure_phases
from kpis.services.ranks import ensure_ranks
from tenants.context import current_company
from tenants.outbox.services import emit

DIMENSIONS = (DimensionCode.COMPANY, DimensionCode.TEAM, DimensionCode.PERSON)
BACKLOG = Snapshot("order_backlog")
MEASURE_OF = {
    Method.PACE: SnapshotMeasure.LANDING_PACE,
    Method.ROLLUP: SnapshotMeasure.LANDING_ROLLUP,
    Method.CALL: SnapshotMeasure.LANDING_CALL,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One measure of one member on the day; `period` where it speaks of one."""

    measure: SnapshotMeasure
    member: int | None
    value: Value
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    metric: int | None = None
    period: Period | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What there is one row of on a day."""
        return self.measure, self.member, self.metric, self.period and self.period.pk


def take_snapshots(*, now: datetime) -> int:
    """Write down today's measures for the company, its teams and its people; returns how many rows are new.

    Taken again on the same day, only what is not there yet is added: a snapshot is never changed. Landings are those of
    the month and quarter that run: of the KGI of every tree in force, with its coverage, and of its KPIs that add up,
    where they are aimed at. Of people it is the open deals, and the coverage of who has a target of the KGI
    (`kpis.engine.snapshots`). Where trees share a metric, the first one that can say something about it does.
    """
    today = timezone.localdate(now)
    ensure_ranks(now=now)
    ensure_phases()
    trees = active_trees(today=today)
    periods = list(Period.objects.filter(grain__in=snapshots.PERIODS, start_date__lte=today, end_date__gt=today))
    rows = []
    for dimension in DIMENSIONS:
        found = [*_stocks(dimension, periods, trees[0] if trees else None, now)]
        for period in periods:
            told = [row for tree in trees for row in _landings(tree, dimension, period, now)]
            found += _one_of_each(told)
        rows += [_model(row, dimension, now) for row in found]
    with transaction.atomic():
        before = MetricSnapshot.objects.filter(date=today).count()
        MetricSnapshot.objects.bulk_create(rows, ignore_conflicts=True)
        added = MetricSnapshot.objects.filter(date=today).count() - before
        if added:
            emit(topic="values.changed", company_id=current_company().pk)
    return added


def _model(row: _Row, dimension: str, now: datetime) -> MetricSnapshot:
    is_absent = isinstance(row.value, Absence)
    return MetricSnapshot(
        measure=row.measure,
        metric_id=row.metric,
        date=timezone.localdate(now),
        grain=row.period.grain if row.period else "",
        period_start=row.period.start_date if row.period else None,
        dimension=dimension,
        member_id=row.member,
        value=None if is_absent else row.value,
        numerator=row.numerator,
        denominator=row.denominator,
        absence=str(row.value) if is_absent else "",
        taken_at=now,
    )


def _stocks(dimension: str, periods: list[Period], tree: KpiTree | None, now: datetime) -> Iterator[_Row]:
    """The open pipeline, and the contracts due in each running period; nothing of facts that were never loaded.

    Nor is there nothing, where no source has told since the month, or the period, began: no row says so. Once for
    everything, and once for each metric that narrows it.
    """
    if tree is None:
        return
    today = timezone.localdate(now)
    query = MatrixQuery(tree=tree, grain=Grain.MONTH, start=today, end=today + timedelta(days=1), dimension=dimension)
    members = load_members(query)
    place = Place(dimension, members.lineage, today)
    month = max((period.start_date for period in periods), default=today)
    deliveries = read_deliveries({*specs.SNAPSHOT_FACTS.values(), *specs.facts_read(BACKLOG)})
    gone = _gone(dimension, today)
    ids = [member.id for member in members.shown]
    yield from _backlog(place, ids, deliveries, month)
    pipelines = cache(lambda filters: read_open_pipeline(place, filters))
    asked = [(None, Snapshot(measure)) for measure in specs.SNAPSHOT_FACTS]
    for metric, spec in [*asked, *narrowed_snapshots(today).items()]:
        delivered = deliveries.get(specs.SNAPSHOT_FACTS[spec.measure], ())
        is_loaded = any(each.read_on for each in delivered)
        if not is_loaded or not snapshots.is_written(spec.measure, dimension):
            continue
        until = coverage(delivered).known_until or date.min
        measure = SnapshotMeasure(spec.measure)
        if measure != SnapshotMeasure.RENEWAL_DUE:
            found = pipelines(spec.filters)
            told = [each for each in ids if each in found or (until >= month and each not in gone)]
            yield from _of_pipeline(measure, found, told, metric)
            continue
        for period in periods:
            due = read_renewals_due(place, start=period.start_date, end=period.end_date, filters=spec.filters)
            for each in ids if until >= period.start_date else [each for each in ids if each in due]:
                yield _Row(measure, each, due.get(each, Decimal(0)), metric=metric, period=period)


def _backlog(place: Place, ids: list[int | None], deliveries: Deliveries, month: date) -> Iterator[_Row]:
    """What is won and not recognised yet; nothing where one of the two was never loaded."""
    if not snapshots.is_written(SnapshotMeasure.ORDER_BACKLOG, place.dimension):
        return
    since = coverage(deliveries.get("revenues", ())).covered_from
    if since is None or coverage(deliveries.get("deals", ())).covered_from is None:
        return
    backlog = read_order_backlog(place, since=since)
    is_told = known_until(BACKLOG, deliveries) >= month
    for each in ids:
        if each not in backlog and not is_told:
            continue
        here = backlog.get(each, NOTHING)
        yield _Row(SnapshotMeasure.ORDER_BACKLOG, each, Absence.NO_RATE if here.is_unpriced else here.amount)


def _gone(dimension: str, today: date) -> frozenset[int | None]:
    """Who has left: nothing more is said of them, unless deals are still open in their name."""
    if dimension != DimensionCode.PERSON:
        return frozenset()
    left = Q(left_on__lte=today) | Q(deleted_at__isnull=False)
    return frozenset(Person.objects.filter(left).values_list("member_id", flat=True))


def _of_pipeline(
    measure: SnapshotMeasure, pipeline: Mapping[int | None, Pipeline], ids: list[int | None], metric: int | None
) -> Iterator[_Row]:
    """The amount or the number of the open deals of every member."""
    for each in ids:
        here = pipeline.get(each, NOTHING)
        amount: Value = Absence.NO_RATE if here.is_unpriced else here.amount
        yield _Row(measure, each, amount if measure == SnapshotMeasure.OPEN_PIPELINE else here.count, metric=metric)


def _landings(tree: KpiTree, dimension: str, period: Period, now: datetime) -> Iterator[_Row]:
    """For each member the views of the KGI's landing with its coverage, and of the landings of KPIs it aims at.

    Of people the coverage alone, where they aim at the KGI.
    """
    is_landing = snapshots.is_written(SnapshotMeasure.LANDING_PACE, dimension)
    levels = (Level.KGI, Level.KPI) if is_landing else (Level.KGI,)
    nodes = tree.nodes.filter(metric__accumulation=Accumulation.SUM, level__in=levels)
    aiming = None
    if not is_landing:
        aims = Target.objects.filter(node__in=nodes, dimension=dimension, member__isnull=False)
        aiming = [member for member in aims.values_list("member_id", flat=True).distinct() if member]
        if not aiming:
            return
    query = MatrixQuery(
        tree=tree,
        grain=period.grain,
        start=period.start_date,
        end=period.end_date,
        dimension=dimension,
        codes=list(nodes.values_list("code", flat=True)),
        member_ids=aiming,
    )
    matrix = build_matrix(query, now=now)
    if not matrix.periods:
        return
    for n, node in enumerate(matrix.nodes):
        if node.row.level != Level.KGI and not any(line[0] is not None for line in matrix.target[n]):
            continue
        for landing in read_landings(matrix, node=n, dimension=dimension, now=now).values():
            if node.row.level == Level.KGI:
                yield from _views(landing, period) if is_landing else ()
                if landing.roll_up is not None and (is_landing or landing.target is not None):
                    yield _coverage(landing, landing.roll_up, period)
            elif landing.target is not None:
                yield from (row for row in _views(landing, period) if _is_told(row))


def _one_of_each(rows: Sequence[_Row]) -> list[_Row]:
    """What trees say of the same thing, once: the first that is no absence, else the first."""
    kept: dict[tuple[object, ...], _Row] = {}
    for row in rows:
        known = kept.get(row.key)
        if known is None or (_is_told(row) and not _is_told(known)):
            kept[row.key] = row
    return list(kept.values())


def _is_told(row: _Row) -> bool:
    return not isinstance(row.value, Absence)


def _views(landing: Landing, period: Period) -> Iterator[_Row]:
    """Each view with its value or absence; the pace as actual ÷ share; no row for a call that nobody made."""
    for view in landing.views:
        if view.method is Method.CALL and landing.call is None:
            continue
        said: Value = view.value if view.value is not None else Absence(view.absence or "missing")
        is_paced = view.method is Method.PACE and view.value is not None
        sides = (landing.actual, landing.pace.share) if is_paced else (None, None)
        yield _Row(MEASURE_OF[view.method], landing.member.id, said, *sides, landing.node.metric_id, period)


def _coverage(landing: Landing, rolled: RollUp, period: Period) -> _Row:
    """Open pipeline closing in the period ÷ (target − won), as a multiple; not applicable once the target is won."""
    pipeline = sum((step.amount for step in rolled.steps), Decimal(0))
    rest = None if landing.target is None or landing.actual is None else landing.target - landing.actual
    value: Value = Absence.MISSING
    if rest is not None:
        value = pipeline / rest if rest > 0 else Absence.NOT_APPLICABLE
    metric = landing.node.metric_id
    return _Row(SnapshotMeasure.COVERAGE, landing.member.id, value, pipeline, rest, metric, period)
