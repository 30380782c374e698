"""Where an open period will end, in three views at once: pace, ヨミ roll-up and the manager's call."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Accumulation, AchievementFormula, Direction, PeriodState, SnapshotMeasure
from kpis.engine.landing import OpenDeal, Rank, RollUp, expected_term, roll_up
from kpis.engine.pace import Pace, pace
from kpis.engine.scoring import Forecast, Method, Score, best_method, score_methods
from kpis.engine.specs import Simple, Spec, is_additive, parse_spec
from kpis.engine.status import achievement
from kpis.engine.values import Absence, Value
from kpis.models import DimensionMember, ForecastCall, KpiNode, MetricSnapshot, MetricVersion, Period
from kpis.selectors.curves import Curves, read_curves
from kpis.selectors.matrix import KpiMatrix, MatrixMember, MatrixPeriod, MatrixQuery, build_matrix
from kpis.selectors.matrix.axes import load_members
from kpis.selectors.matrix.loading import Definition
from kpis.selectors.matrix.shapes import Grid
from kpis.selectors.pipeline import Lineage, Place, read_open_deals, read_ranks

ZERO = Decimal(0)
SCORED_PERIODS = 6
METHOD_OF = {
    SnapshotMeasure.LANDING_PACE: Method.PACE,
    SnapshotMeasure.LANDING_ROLLUP: Method.ROLLUP,
    SnapshotMeasure.LANDING_CALL: Method.CALL,
}


@dataclass(frozen=True, slots=True)
class LandingView:
    """One view: where the period will end, or why nobody can say (`absence`); `score` where it was made before."""

    method: Method
    value: Decimal | None
    absence: str | None
    achievement: Decimal | None
    shortfall: Decimal | None
    score: Score | None

    @property
    def surplus(self) -> Decimal | None:
        """How far the landing lies above the target; the shortfall seen from the other side."""
        return None if self.shortfall is None else -self.shortfall


@dataclass(frozen=True, slots=True)
class Landing:
    """The views of one node in one open period, for the company or one member; `proved` has been right most often."""

    node: KpiNode
    period: MatrixPeriod
    dimension: str
    member: MatrixMember
    currency: str
    actual: Decimal | None
    target: Decimal | None
    views: tuple[LandingView, ...]
    pace: Pace
    roll_up: RollUp | None
    call: ForecastCall | None
    ranks: tuple[Rank, ...]
    proved: Method | None

    @property
    def shown(self) -> LandingView | None:
        """The one view to show: the proved one, else the first that has a value; None where none has."""
        said = [view for view in self.views if view.value is not None]
        return next((view for view in said if view.method == self.proved), next(iter(said), None))

    @property
    def others(self) -> tuple[LandingView, ...]:
        """The views beside the one that is shown."""
        shown = self.shown
        return tuple(view for view in self.views if view is not shown)

    @property
    def is_short(self) -> bool:
        """Whether the shown view stays below a target that is to be reached."""
        shown = self.shown
        return shown is not None and shown.shortfall is not None and shown.shortfall > 0


def has_landing(node: KpiNode, period: MatrixPeriod, *, now: datetime) -> bool:
    """Whether anything lands: a sum, in a period that is open and not over."""
    is_sum = node.metric is not None and node.metric.accumulation == Accumulation.SUM
    return is_sum and period.state == PeriodState.OPEN and period.end > timezone.localdate(now)


def read_landings(
    matrix: KpiMatrix, *, node: int = 0, period: int = -1, dimension: str, now: datetime
) -> dict[int | None, Landing]:
    """Member's id (None = the company) → its landing, for one node and period of a matrix; at most a dozen queries.

    Empty where nothing lands (`has_landing`). Numbers are in the metric's unit, money in the company's currency.
    """
    place = (node, period % len(matrix.periods))
    return read_open_landings(matrix, dimension=dimension, now=now, places=[place]).get(place, {})


def read_open_landings(
    matrix: KpiMatrix, *, dimension: str, now: datetime, places: Collection[tuple[int, int]] | None = None
) -> dict[tuple[int, int], dict[int | None, Landing]]:
    """(node, period) of a matrix → member's id → landing, wherever anything lands, or of these `places` only.

    The views of a period are scored by the six before it. Eight queries, and of every metric that a view is counted
    from one for its open deals and, once in an hour, four for its curve.
    """
    everywhere = itertools.product(range(len(matrix.nodes)), range(len(matrix.periods)))
    landing = [
        (n, p)
        for n, p in (everywhere if places is None else places)
        if has_landing(matrix.nodes[n].row, matrix.periods[p], now=now)
    ]
    if not landing:
        return {}
    sources = _Sources(matrix, landing, dimension, now)
    return {place: _Reader(sources, *place).landings() for place in landing}


def read_landing(
    node: KpiNode, period: Period, *, dimension: str, member: DimensionMember | None, org: str = "then", now: datetime
) -> Landing | None:
    """The landing of one node in one period for the company or one member, scored by the six periods before.

    `org` "now" counts what the teams that it replaced have brought. None where nothing lands (`has_landing`).
    """
    before = Period.objects.filter(grain=period.grain, start_date__lte=period.start_date).order_by("-start_date")
    starts = list(before.values_list("start_date", flat=True)[: SCORED_PERIODS + 1])
    query = MatrixQuery(
        tree=node.tree,
        grain=period.grain,
        start=starts[-1],
        end=period.end_date,
        dimension=dimension,
        org=org,
        codes=[node.code],
        member_ids=None if member is None else [member.pk],
    )
    matrix = build_matrix(query, now=now)
    found = read_landings(matrix, dimension=dimension, now=now)
    return found.get(None if member is None else member.pk)


class _Sources:
    """What the landings of several nodes and periods of one matrix are made of, read at once."""

    def __init__(self, matrix: KpiMatrix, places: Sequence[tuple[int, int]], dimension: str, now: datetime) -> None:
        self.matrix, self.dimension, self.now = matrix, dimension, now
        self.today = timezone.localdate(now)
        self.rows = [matrix.nodes[n].row for n in sorted({n for n, _p in places})]
        self.open = [matrix.periods[p] for p in sorted({p for _n, p in places})]
        self.definitions = self._read_definitions()
        self.place = Place(dimension, self._lineage(), self.today)
        terms = {term for n, p in places if (term := self.term(n, p)) is not None}
        self.ranks = read_ranks(today=self.today) if terms else ()
        self.deals = {term: self._read_deals(term) for term in terms}
        self.calls = self._read_calls()
        self.forecasts = self._read_forecasts()

    def spec(self, n: int, p: int) -> Spec | None:
        """How a node's metric is counted in a period."""
        definition = self.definitions.get(self.matrix.nodes[n].row.metric_id)
        return definition.at(self.matrix.periods[p].start)[1] if definition else None

    def term(self, n: int, p: int) -> Simple | None:
        """What a node asks of open deals; None where they say nothing of it."""
        spec = self.spec(n, p)
        return expected_term(spec) if spec else None

    def _read_definitions(self) -> Mapping[int | None, Definition]:
        """Metric → its versions; formulas are not compiled, since nothing of them lands by deals."""
        versions: dict[int, list[tuple[date, int, Spec]]] = defaultdict(list)
        metrics = {row.metric_id: row.metric for row in self.rows if row.metric}
        for row in MetricVersion.objects.filter(metric__in=metrics):
            versions[row.metric_id].append((row.effective_from or date.min, row.number, parse_spec(row.spec)))
        return {
            key: Definition(metrics[key], sorted(found, key=lambda each: each[:2], reverse=True), {})
            for key, found in versions.items()
        }

    def _lineage(self) -> Lineage:
        query = MatrixQuery(
            tree=self.matrix.tree,
            grain=self.matrix.grain,
            start=self.open[0].start,
            end=self.open[-1].end,
            dimension=self.dimension,
        )
        return load_members(query).lineage

    def _read_deals(self, term: Simple) -> Mapping[int | None, list[OpenDeal]]:
        return read_open_deals(term, start=self.open[0].start, end=self.open[-1].end, place=self.place)

    def _read_calls(self) -> Mapping[tuple[int, date], Mapping[int | None, ForecastCall]]:
        """(node, period's start) → member → the last call about it."""
        calls = ForecastCall.objects.filter(
            node__in=self.rows,
            grain=self.matrix.grain,
            period_start__in=[period.start for period in self.open],
            dimension=self.dimension,
            at__lte=self.now,
        ).select_related("actor")
        found: dict[tuple[int, date], dict[int | None, ForecastCall]] = defaultdict(dict)
        for call in calls.order_by("at", "id"):
            found[call.node_id, call.period_start][call.member_id] = call
        return found

    def _read_forecasts(self) -> Mapping[int, Mapping[int | None, list[Forecast]]]:
        """Metric → member → what the views said in periods that are over."""
        ended = [each.start for each in self.matrix.periods if each.end <= self.today]
        rows = MetricSnapshot.objects.filter(
            measure__in=METHOD_OF,
            metric__in=[row.metric_id for row in self.rows],
            grain=self.matrix.grain,
            period_start__in=ended,
            dimension=self.dimension,
            value__isnull=False,
        )
        found: dict[int, dict[int | None, list[Forecast]]] = defaultdict(lambda: defaultdict(list))
        for metric, member, measure, start, day, value in rows.values_list(
            "metric_id", "member_id", "measure", "period_start", "date", "value"
        ):
            assert start is not None and value is not None
            found[metric][member].append(Forecast(METHOD_OF[SnapshotMeasure(measure)], start, day, value))
        return found


class _Reader:
    """The landings of one node in one period."""

    def __init__(self, sources: _Sources, node: int, period: int) -> None:
        matrix = sources.matrix
        self.sources, self.matrix, self.node, self.period = sources, matrix, node, period
        self.today, self.dimension, self.ranks = sources.today, sources.dimension, sources.ranks
        self.row, self.column = matrix.nodes[node].row, matrix.periods[period]
        spec, self.term = sources.spec(node, period), sources.term(node, period)
        self.curves: Curves = {}
        if isinstance(spec, Simple) and is_additive(spec) and self.column.start <= self.today:
            self.curves = read_curves(spec, period=self.column.row, place=sources.place)
        self.calls = sources.calls.get((self.row.pk, self.column.start), {})
        self.forecasts = sources.forecasts.get(self.row.metric_id or 0, {})
        scored_from = matrix.periods[max(period - SCORED_PERIODS, 0)].start
        self.ended = [
            (p, each.start)
            for p, each in enumerate(matrix.periods[:period])
            if scored_from <= each.start and each.end <= self.today
        ]

    def landings(self) -> dict[int | None, Landing]:
        """Member's id (None = the company) → its landing."""
        return {member.id: self.landing(m, member) for m, member in enumerate(self.matrix.members)}

    def _deals(self, member: int | None) -> list[OpenDeal]:
        """What the period may still win; once it has begun also what was expected before and nobody has moved on."""
        assert self.term is not None
        start = self.column.start if self.column.start > self.today else date.min
        deals = self.sources.deals[self.term].get(member, ())
        return [deal for deal in deals if deal.expected_close_on and start <= deal.expected_close_on < self.column.end]

    def landing(self, m: int, member: MatrixMember) -> Landing:
        """The views of one member."""
        place = (self.node, m, self.period)
        actual, target = _at(self.matrix.value, place), _at(self.matrix.target, place)
        value: Value = actual if actual is not None else Absence(self.matrix.absence[self.node][m][self.period] or "")
        paced = pace(value, self.column.elapsed, self.column.business_days, self.curves.get(member.id, ()))
        rolled = None
        if self.term is not None:
            won = ZERO if self.column.start > self.today else value  # nothing is won yet of a period that is to come
            rolled = roll_up(won, self._deals(member.id), self.ranks, today=self.today)
        call = self.calls.get(member.id)
        scores = score_methods(self.forecasts.get(member.id, []), self._actuals(m))
        said: dict[Method, Value] = {
            Method.ROLLUP: rolled.value if rolled else Absence.NOT_APPLICABLE,
            Method.PACE: paced.value,
            Method.CALL: call.value if call else Absence.MISSING,
        }
        upper = _at(self.matrix.upper, place)
        return Landing(
            node=self.row,
            period=self.column,
            dimension=self.dimension,
            member=member,
            currency=self.matrix.currency,
            actual=actual,
            target=target,
            views=tuple(self._view(each, said[each], target, upper, scores.get(each)) for each in Method),
            pace=paced,
            roll_up=rolled,
            call=call,
            ranks=self.ranks,
            proved=best_method(scores),
        )

    def _actuals(self, m: int) -> dict[date, Decimal]:
        values = self.matrix.value[self.node][m]
        return {start: value for p, start in self.ended if (value := values[p]) is not None}

    def _view(
        self, method: Method, said: Value, target: Decimal | None, upper: Decimal | None, score: Score | None
    ) -> LandingView:
        metric = self.row.metric
        direction = metric.direction if metric else Direction.UP
        formula = metric.achievement_formula if metric else AchievementFormula.DIFFERENCE
        number = None if isinstance(said, Absence) else said
        return LandingView(
            method=method,
            value=number,
            absence=str(said) if isinstance(said, Absence) else None,
            achievement=achievement(said, target, direction, upper, formula),
            shortfall=None if number is None or target is None or direction != Direction.UP else target - number,
            score=score,
        )


def _at(grid: Grid, place: tuple[int, int, int]) -> Decimal | None:
    node, member, period = place
    return grid[node][member][period]
