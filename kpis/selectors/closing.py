"""What closing a period is about: the recent periods with their states, and what the next step would lock."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from kpis.choices import DimensionCode, Grain, PeriodState, TreeStatus
from kpis.engine import specs
from kpis.models import Dimension, KpiNode, KpiTree, Period, PeriodTransition
from kpis.selectors.calendar import period_namer
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.matrix.axes import load_members
from kpis.selectors.matrix.loading import load_definitions
from kpis.selectors.open_restatements import count_open
from kpis.selectors.restatements import Restatement
from kpis.selectors.sources import Source, read_sources
from kpis.selectors.streams import read_deliveries, term_coverage

BASE_GRAINS = (Grain.MONTH, Grain.WEEK)


@dataclass(frozen=True)
class ClosingPeriod:
    """One period with the last change of its state, None while nothing changed it.

    `late_count` KPIs of it changed after closing and wait for a decision.
    """

    row: Period
    label: str
    transition: PeriodTransition | None
    late_count: int = 0


@dataclass(frozen=True)
class Gap:
    """A KPI whose company number would be locked without a value, and the code of why."""

    node: KpiNode
    absence: str


@dataclass(frozen=True)
class Unread:
    """A kind of fact that was not told to the end of a period, and the day up to which it was; None = never."""

    fact: str
    known_until: date | None


@dataclass(frozen=True)
class ClosingPreview:
    """What closing a period would lock: how many numbers, which without a value, from which stale sources.

    `unread` are the facts behind its numbers that no source has told to its end: their misses wait, closing does not.
    `week_count` weeks close with a month; `longer` are the names of longer periods that become complete.
    """

    cell_count: int
    gaps: tuple[Gap, ...]
    stale: tuple[Source, ...]
    unread: tuple[Unread, ...]
    week_count: int
    longer: tuple[str, ...]


@dataclass(frozen=True)
class LateChange:
    """One node of a closed period of which numbers would be others today: the company's (None where only segments
    differ), and how many of its members'. `is_refused`: all of it was refused, so that the locked numbers stand."""

    node: KpiNode
    company: Restatement | None
    member_count: int
    is_refused: bool


def read_closing_periods(grain: str, *, today: date, limit: int, asked: date | None = None) -> list[ClosingPeriod]:
    """The periods that have begun, latest first; at most five queries and those for names.

    Beyond `limit` those that wait for a decision about late changes, and the one `asked` for by its first day.
    """
    begun = Period.objects.select_related("fiscal_year").filter(grain=grain, start_date__lte=today)
    rows = list(begun.order_by("-start_date")[:limit])
    late = {start: count for (each, start), count in count_open().items() if each == grain}
    older = {start for start in (*late, asked) if start is not None} - {row.start_date for row in rows}
    if older:
        rows += begun.filter(start_date__in=older).order_by("-start_date")
    changes = PeriodTransition.objects.filter(period__in=rows).select_related("actor").order_by("at", "id")
    latest = {change.period_id: change for change in changes}
    name = period_namer()
    return [ClosingPeriod(row, name(row), latest.get(row.pk), late.get(row.start_date, 0)) for row in rows]


def read_transitions(period: Period) -> list[PeriodTransition]:
    """Every change of a period's state, latest first."""
    return list(period.transitions.select_related("actor").order_by("-at", "-id"))


def preview_closing(period: Period, *, now: datetime) -> ClosingPreview:
    """What closing would lock if it was done now. The numbers themselves are computed for the company only."""
    dimensions = [DimensionCode.COMPANY.value, *Dimension.objects.filter(is_active=True).values_list("code", flat=True)]
    count, gaps, metrics = 0, [], set[str]()
    for tree in KpiTree.objects.exclude(status=TreeStatus.RETIRED):
        codes = _codes(tree, period.grain)
        if not codes:
            continue
        queries = {code: _query(tree, period, code, codes) for code in dimensions}
        count += len(codes) * sum(len(load_members(query).shown) for query in queries.values())
        matrix = build_matrix(queries[DimensionCode.COMPANY], now=now)
        metrics |= {node.row.metric.code for node in matrix.nodes if node.row.metric}
        gaps += [
            Gap(node.row, absence)
            for number, node in enumerate(matrix.nodes)
            for absence in matrix.absence[number][0]
            if absence is not None
        ]
    return ClosingPreview(
        cell_count=count,
        gaps=tuple(gaps),
        stale=tuple(source for source in read_sources(now=now) if source.is_stale),
        unread=tuple(_unread(metrics, period)),
        week_count=_weeks_in(period),
        longer=tuple(_completed_by(period)),
    )


def group_late_changes(found: Sequence[Restatement]) -> list[LateChange]:
    """The restatements of one period by node, in the order in which they were found."""
    by_node: dict[int, list[Restatement]] = {}
    for each in found:
        by_node.setdefault(each.cell.node_id, []).append(each)
    return [
        LateChange(
            node=rows[0].cell.node,
            company=next((row for row in rows if row.cell.member_id is None), None),
            member_count=sum(row.cell.member_id is not None for row in rows),
            is_refused=all(row.refusal for row in rows),
        )
        for rows in by_node.values()
    ]


def _codes(tree: KpiTree, grain: str) -> list[str]:
    """What is locked: nodes with a number, by the week only those that are kept by the week."""
    nodes = tree.nodes.exclude(metric=None)
    if grain == Grain.WEEK:
        nodes = nodes.filter(frequency=Grain.WEEK)
    return list(nodes.values_list("code", flat=True))


def _query(tree: KpiTree, period: Period, dimension: str, codes: Sequence[str]) -> MatrixQuery:
    return MatrixQuery(
        tree=tree,
        grain=period.grain,
        start=period.start_date,
        end=period.end_date,
        dimension=dimension,
        codes=codes,
        is_live=True,
    )


def _unread(metrics: Collection[str], period: Period) -> Iterator[Unread]:
    """By kind of fact, of those that these metrics count in the period; three queries."""
    read = [definition.at(period.start_date)[1] for definition in load_definitions(metrics).values()]
    terms = [term for spec in read for term in specs.terms(spec)]
    deliveries = read_deliveries({fact for term in terms for fact in specs.facts_behind(term)})
    until = {term.fact: term_coverage(term, deliveries).known_until for term in terms if term.fact in deliveries}
    for fact, day in sorted(until.items()):
        if day is None or day < period.end_date:
            yield Unread(fact, day)


def _weeks_in(period: Period) -> int:
    if period.grain != Grain.MONTH:
        return 0
    weeks = Period.objects.filter(
        grain=Grain.WEEK, end_date__gt=period.start_date, end_date__lte=period.end_date
    ).exclude(state=PeriodState.CLOSED)
    return weeks.count()


def _completed_by(period: Period) -> list[str]:
    """The names of longer periods of which this is the last month to be closed."""
    if period.grain != Grain.MONTH:
        return []
    longer = Period.objects.select_related("fiscal_year").filter(
        start_date__lte=period.start_date, end_date__gte=period.end_date
    )
    name = period_namer()
    open_months = Period.objects.filter(grain=Grain.MONTH).exclude(state=PeriodState.CLOSED).exclude(pk=period.pk)
    starts = list(open_months.values_list("start_date", flat=True))
    return [
        name(each)
        for each in longer.exclude(grain__in=BASE_GRAINS).order_by("end_date", "-start_date")
        if not any(each.start_date <= start < each.end_date for start in starts)
    ]
