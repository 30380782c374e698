"""Where an open period will end, in three views at once: pace, ヨミ roll-up and the manager's call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Accumulation, Direction, PeriodState, SnapshotMeasure
from kpis.engine.landing import OpenDeal, Rank, RollUp, expected_term, roll_up
from kpis.engine.pace import Pace, pace
from kpis.engine.scoring import Forecast, Method, Score, best_method, score_methods
from kpis.engine.specs import Simple, is_additive, parse_spec
from kpis.engine.status import achievement
from kpis.engine.values import Absence, Value
from kpis.models import DimensionMember, ForecastCall, KpiNode, MetricSnapshot, Period
from kpis.selectors.curves import Curves, read_curves
from kpis.selectors.matrix import KpiMatrix, MatrixMember, MatrixPeriod, MatrixQuery, build_matrix
from kpis.selectors.matrix.axes import load_members
from kpis.selectors.matrix.shapes import Grid
from kpis.selectors.pipeline import Lineage, Place, read_open_deals, read_ranks
from kpis.selectors.records import find_version

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

    Empty where nothing lands (`has_landing`). The periods of the matrix that are over are what the views are scored
    by. Numbers are in the metric's unit, money in the company's currency.
    """
    row, column = matrix.nodes[node].row, matrix.periods[period]
    if not has_landing(row, column, now=now):
        return {}
    reader = _Reader(matrix, node, period % len(matrix.periods), dimension, now)
    return {member.id: reader.landing(m, member) for m, member in enumerate(matrix.members)}


def read_landing(
    node: KpiNode, period: Period, *, dimension: str, member: DimensionMember | None, now: datetime
) -> Landing | None:
    """The landing of one node in one period for the company or one member, scored by the six periods before.

    None where nothing lands (`has_landing`).
    """
    before = Period.objects.filter(grain=period.grain, start_date__lte=period.start_date).order_by("-start_date")
    starts = list(before.values_list("start_date", flat=True)[: SCORED_PERIODS + 1])
    query = MatrixQuery(
        tree=node.tree,
        grain=period.grain,
        start=starts[-1],
        end=period.end_date,
        dimension=dimension,
        codes=[node.code],
        member_ids=None if member is None else [member.pk],
    )
    matrix = build_matrix(query, now=now)
    found = read_landings(matrix, dimension=dimension, now=now)
    return found.get(None if member is None else member.pk)


class _Reader:
    """What all members' landings of one node and period are made of, read at once."""

    def __init__(self, matrix: KpiMatrix, node: int, period: int, dimension: str, now: datetime) -> None:
        self.matrix, self.node, self.period, self.dimension, self.now = matrix, node, period, dimension, now
        self.today = timezone.localdate(now)
        self.row, self.column = matrix.nodes[node].row, matrix.periods[period]
        version = find_version(self.row.metric, day=self.column.start) if self.row.metric else None
        spec = parse_spec(version.spec) if version else None
        place = Place(dimension, self._lineage(), self.today)
        self.curves: Curves = {}
        if isinstance(spec, Simple) and is_additive(spec):
            self.curves = read_curves(spec, period=self.column.row, place=place)
        term = expected_term(spec) if spec else None
        self.can_roll_up = term is not None
        self.ranks: tuple[Rank, ...] = ()
        self.deals: Mapping[int | None, list[OpenDeal]] = {}
        if term is not None:
            self.ranks = read_ranks(today=self.today)
            self.deals = read_open_deals(term, start=self.column.start, end=self.column.end, place=place)
        self.calls = self._read_calls()
        self.forecasts = self._read_forecasts()

    def _lineage(self) -> Lineage:
        query = MatrixQuery(
            tree=self.matrix.tree,
            grain=self.matrix.grain,
            start=self.column.start,
            end=self.column.end,
            dimension=self.dimension,
        )
        return load_members(query).lineage

    def _read_calls(self) -> Mapping[int | None, ForecastCall]:
        """Member → the last call about the period."""
        calls = ForecastCall.objects.filter(
            node=self.row,
            grain=self.matrix.grain,
            period_start=self.column.start,
            dimension=self.dimension,
            at__lte=self.now,
        ).select_related("actor")
        return {call.member_id: call for call in calls.order_by("at", "id")}

    def _read_forecasts(self) -> Mapping[int | None, list[Forecast]]:
        """Member → what the views said in periods that are over."""
        found: dict[int | None, list[Forecast]] = {}
        ended = [each.start for each in self.matrix.periods if each.end <= self.today]
        rows = MetricSnapshot.objects.filter(
            measure__in=METHOD_OF,
            metric=self.row.metric,
            grain=self.matrix.grain,
            period_start__in=ended,
            dimension=self.dimension,
            value__isnull=False,
        )
        for member, measure, start, day, value in rows.values_list(
            "member_id", "measure", "period_start", "date", "value"
        ):
            assert start is not None and value is not None
            method = METHOD_OF[SnapshotMeasure(measure)]
            found.setdefault(member, []).append(Forecast(method, start, day, value))
        return found

    def landing(self, m: int, member: MatrixMember) -> Landing:
        """The views of one member."""
        place = (self.node, m, self.period)
        actual, target = _at(self.matrix.value, place), _at(self.matrix.target, place)
        value: Value = actual if actual is not None else Absence(self.matrix.absence[self.node][m][self.period] or "")
        paced = pace(value, self.column.elapsed, self.column.business_days, self.curves.get(member.id, ()))
        rolled = None
        if self.can_roll_up:
            won = ZERO if self.column.start > self.today else value  # nothing is won yet of a period that is to come
            rolled = roll_up(won, self.deals.get(member.id, ()), self.ranks, today=self.today)
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
        return {
            each.start: value
            for each, value in zip(self.matrix.periods, values, strict=True)
            if each.end <= self.today and value is not None
        }

    def _view(
        self, method: Method, said: Value, target: Decimal | None, upper: Decimal | None, score: Score | None
    ) -> LandingView:
        direction = self.row.metric.direction if self.row.metric else Direction.UP
        number = None if isinstance(said, Absence) else said
        return LandingView(
            method=method,
            value=number,
            absence=str(said) if isinstance(said, Absence) else None,
            achievement=achievement(said, target, direction, upper),
            shortfall=None if number is None or target is None or direction != Direction.UP else target - number,
            score=score,
        )


def _at(grid: Grid, place: tuple[int, int, int]) -> Decimal | None:
    node, member, period = place
    return grid[node][member][period]
