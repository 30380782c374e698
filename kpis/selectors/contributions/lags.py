"""What earlier numbers of the funnel did to a later one: their months, the company's own lags, and their parts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from kpis.choices import Grain, Link
from kpis.engine import specs
from kpis.engine.close_profile import CloseProfile, is_shorter_than_cycle
from kpis.engine.contribution import Numbers, Share
from kpis.engine.identities import Described, result_axis
from kpis.engine.lagged import STAGES, Start, is_earlier, lagged_effects
from kpis.engine.specs import Simple
from kpis.engine.values import Absence
from kpis.models import KpiNode
from kpis.selectors.close_profile import STARTS, WON, Lag, read_lag
from kpis.selectors.details import Segment
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

MONTHS = 12
WINDOW = timedelta(days=366)
ZERO = Decimal(0)
CREATED = Simple("deals", "created_on", "count")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about: the last period of a matrix, for the company or the segment's member.

    `nodes` and `metrics` are by metric code; `pace` is the share of the period that is over, 1 where all of it counts.
    """

    matrix: KpiMatrix
    segment: Segment
    metrics: Mapping[str, Described]
    nodes: Mapping[str, KpiNode]
    root: str
    pace: Decimal

    @property
    def start(self) -> date:
        return self.matrix.periods[-1].start

    @property
    def end(self) -> date:
        return self.matrix.periods[-1].end

    def is_shorter_than_cycle(self, profile: CloseProfile | None) -> bool:
        return is_shorter_than_cycle(self.start, self.end, profile)


@dataclass(frozen=True, slots=True)
class LaggedPart:
    """What a node's starts of one month did, in units of the KGI."""

    node: KpiNode
    month: date
    amount: Decimal


def read_median(question: Question) -> CloseProfile | None:
    """The profile of the company's won deals, for its median deal cycle."""
    return _read(question, WON, CREATED, Segment()).profile


def find_starts(question: Question, apart: Collection[str]) -> list[str]:
    """The codes that reach the KGI with a time lag, earliest stage first.

    Those whose place in the tree, or one above it, says so, and those in its formula (`apart`) that lie before it.
    """
    than = result_axis(question.root, question.metrics)
    links = {row.pk: (row.link, row.parent_id) for row in question.nodes.values()}

    def is_lagged(row: KpiNode) -> bool:
        at: int | None = row.pk
        while at in links:
            link, at = links[at]
            if link == Link.LAGGED:
                return True
        return False

    found = []
    for code, row in question.nodes.items():
        spec = question.metrics[code].spec if code in question.metrics else None
        if isinstance(spec, Simple) and spec.aggregate == "count" and (code in apart or is_lagged(row)):
            axis = specs.event_kind(spec)
            if axis in STARTS and is_earlier(axis, than):
                found.append((STAGES[axis], code))
    return [code for _stage, code in sorted(found)]


def read_lagged_parts(
    question: Question, codes: Sequence[str], driven: Share, *, now: datetime
) -> tuple[LaggedPart, ...]:
    """The parts of the starts in `driven`; none for weeks, or where too few ended to know the lags.

    A start counts with what has come out of one over the last twelve months. One matrix, and two queries per code.
    """
    end = _end(question, driven.code)
    if not codes or question.matrix.grain == Grain.WEEK or end is None:
        return ()
    months = _months(question, [*codes, driven.code], now=now)
    starts = [start for code in codes if (start := _start(question, months, code, driven, end)) is not None]
    count = sum(question.start <= each.start < question.end for each in months.periods)
    first = next((n for n, each in enumerate(months.periods) if each.start >= question.start), 0)
    return tuple(
        LaggedPart(
            question.nodes[effect.code],
            months.periods[first + effect.month].start,
            effect.amount * driven.weight * question.pace,
        )
        for effect in lagged_effects(starts, count)
    )


def _end(question: Question, code: str) -> Simple | None:
    """What ends: the deals that the driven number counts; of a calculated one the won deals, where it is dated so."""
    spec = question.metrics[code].spec if code in question.metrics else None
    if isinstance(spec, Simple):
        return spec if spec.fact == WON.fact and spec.date == WON.date else None
    return WON if result_axis(code, question.metrics) == specs.event_kind(WON) else None


def _months(question: Question, codes: Sequence[str], *, now: datetime) -> KpiMatrix:
    query = MatrixQuery(
        tree=question.matrix.tree,
        grain=Grain.MONTH,
        start=question.start - WINDOW,
        end=question.end,
        codes=[question.nodes[code].code for code in codes],
        dimension=question.segment.dimension,
        org=question.segment.org,
        member_ids=question.segment.member_ids,
    )
    return build_matrix(query, now=now)


def _start(question: Question, months: KpiMatrix, code: str, driven: Share, end: Simple) -> Start | None:
    """A start with its lags, by month; None where nothing began or its lags are not known."""
    spec = question.metrics[code].spec
    assert isinstance(spec, Simple)
    lag = _read(question, end, spec, question.segment)
    begun, ended = (_total(months, question.nodes[each].code) for each in (code, driven.code))
    if lag.profile is None or not lag.profile.is_reliable or not begun:
        return None
    return Start(code, lag.profile, ended * lag.known_share / begun, _numbers(question, months, code))


def _read(question: Question, end: Simple, of: Simple, segment: Segment) -> Lag:
    """The segment's own lags where it has enough cases, else the company's."""
    start, since, until = specs.event_kind(of), question.end - WINDOW, question.end
    if segment.member is not None:
        dimension, member = segment.dimension, segment.member
        lag = read_lag(start=start, of=of, end=end, since=since, until=until, dimension=dimension, member=member)
        if lag.profile is not None and lag.profile.is_reliable:
            return lag
    return read_lag(start=start, of=of, end=end, since=since, until=until)


def _total(months: KpiMatrix, code: str) -> Decimal:
    """What a node came to in the twelve months up to the end of the period."""
    n = next(n for n, node in enumerate(months.nodes) if node.row.code == code)
    return sum((value for value in months.value[n][0][-MONTHS:] if value is not None), ZERO)


def _numbers(question: Question, months: KpiMatrix, code: str) -> dict[int, Numbers]:
    """Month, counted from the period's first one → actual and target; of a running month the target as far as due."""
    n = next(n for n, node in enumerate(months.nodes) if node.row.code == question.nodes[code].code)
    first = next((p for p, each in enumerate(months.periods) if each.start >= question.start), 0)
    found = {}
    for p in range(len(months.periods)):
        value, target = months.value[n][0][p], months.target[n][0][p]
        due = months.due[n][p] if question.pace != 1 else None
        if target is not None and due is not None:
            target = target * due.share
        found[p - first] = Numbers(Absence.MISSING if value is None else value, target)
    return found
