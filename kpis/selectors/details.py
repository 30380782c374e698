"""What the page of one KPI shows: its number with its past, its segments, its definition and its targets."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Prefetch, QuerySet

from kpis.choices import Accumulation, DimensionCode, Grain, TreeStatus, Unit
from kpis.engine import specs
from kpis.engine.mix import SegmentEffect
from kpis.models import Dimension, DimensionMember, KpiNode, Period, Target, TargetRevision
from kpis.selectors.calendar import period_namer
from kpis.selectors.effects import SegmentEffects, segment_effects
from kpis.selectors.figures import Figure, FigureReader
from kpis.selectors.matrix import KpiMatrix, MatrixPeriod, MatrixQuery, build_matrix
from kpis.selectors.visibility import Sight

# How many periods are drawn, and how many at least say what a number usually does: the one that runs, the last one that
# is over, and more than the eight before it that kpis.engine.xmr asks for.
JUDGED = 13
TREND = {Grain.WEEK: 13, Grain.MONTH: 13, Grain.QUARTER: 9, Grain.HALF: 7, Grain.YEAR: 4}
LONGEST_DAYS = {Grain.WEEK: 7, Grain.MONTH: 31, Grain.QUARTER: 92, Grain.HALF: 184, Grain.YEAR: 366}
SEGMENT_TREND = 6
COMPARED = (Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.HALF)  # with the same period of the year before
WEEKS_OF_A_YEAR = timedelta(weeks=52)
FIRST_DIMENSIONS = ("team", "person", "region", "product", "lead_source")


@dataclass(frozen=True)
class Segment:
    """What the page is narrowed to: the company, or one member of a dimension; a team also as it is now."""

    dimension: str = DimensionCode.COMPANY
    member: DimensionMember | None = None
    org: str = "then"

    @property
    def member_ids(self) -> list[int] | None:
        return [self.member.pk] if self.member else None


@dataclass(frozen=True)
class SegmentRow:
    """One member's figure, and its share of the company's number where shares add up; `depth` below another's.

    `effect` is what it did to the number, of the highest members only (`SegmentTable.effects` says against what).
    """

    figure: Figure
    share: Decimal | None
    depth: int = 0
    effect: SegmentEffect | None = None


@dataclass(frozen=True)
class SegmentTable:
    """A node's members with anything to show, and what they did to its number; None where nobody can say."""

    rows: Sequence[SegmentRow] = ()
    effects: SegmentEffects | None = None


@dataclass(frozen=True)
class TargetLine:
    """One period's target as first set and as it stands (None = removed), with every setting of it, newest first."""

    period_label: str
    initial_value: Decimal | None
    value: Decimal | None
    revisions: tuple[TargetRevision, ...]


@dataclass(frozen=True)
class PeriodFigure:
    """A figure with the name of its period, and the value of the same period of the year before (None without one)."""

    label: str
    figure: Figure
    year_before: Decimal | None = None


def read_trend(node: KpiNode, segment: Segment, period: Period, *, now: datetime) -> list[PeriodFigure]:
    """The node's figures up to `period`, oldest first, as far back as its movement is judged by.

    Where another active tree places the same metric in its own fiscal year, those periods are that tree's: with its
    targets and what was locked.
    """
    grain = Grain(period.grain)
    first = period.start_date - timedelta(days=LONGEST_DAYS[grain] * (max(TREND[grain], JUDGED) - 1))
    drawn_from = period.start_date - timedelta(days=LONGEST_DAYS[grain] * (TREND[grain] - 1))
    reach = min(first, drawn_from - timedelta(days=366 if grain in COMPARED else 0))
    own = _periods_of(node, segment, period, start=reach, now=now)
    years = {each.row.fiscal_year.start_year for each, _figure in own}
    by_year = {node.tree.fiscal_year: own}
    for other in _same_in_other_years(node, years):
        by_year.setdefault(other.tree.fiscal_year, _periods_of(other, segment, period, start=reach, now=now))
    placed = [
        (column.row, by_year.get(column.row.fiscal_year.start_year, own)[index][1])
        for index, (column, _figure) in enumerate(own)
    ]
    values = {_place_of(row): figure.value for row, figure in placed}
    name = period_namer()
    return [
        PeriodFigure(name(row), figure, values.get(_place_before(row)))
        for row, figure in placed
        if row.start_date >= first
    ]


def drawn(trend: Sequence[PeriodFigure], grain: str) -> Sequence[PeriodFigure]:
    """Of a trend what a chart shows: about a year of months, two years of quarters."""
    return trend[-TREND[Grain(grain)] :]


Place = tuple[int, int] | tuple[date, date] | None


def _place_of(row: Period) -> Place:
    """By what a period is found from the one that is compared with it: weeks by their days, others by their number."""
    return (row.start_date, row.end_date) if row.grain == Grain.WEEK else (row.fiscal_year.start_year, row.ordinal)


def _place_before(row: Period) -> Place:
    """The same period of the year before; None for a year, which stands beside it anyway.

    Of a week it is the one 52 weeks earlier, which has the same weekdays. One that is cut at the end of a month has
    none unless that one is cut alike.
    """
    if row.grain == Grain.WEEK:
        return row.start_date - WEEKS_OF_A_YEAR, row.end_date - WEEKS_OF_A_YEAR
    return (row.fiscal_year.start_year - 1, row.ordinal) if row.grain in COMPARED else None


def _periods_of(
    node: KpiNode, segment: Segment, period: Period, *, start: date, now: datetime
) -> list[tuple[MatrixPeriod, Figure]]:
    query = MatrixQuery(
        tree=node.tree,
        grain=period.grain,
        start=start,
        end=period.start_date + timedelta(days=1),
        codes=[node.code],
        dimension=segment.dimension,
        org=segment.org,
        member_ids=segment.member_ids,
    )
    matrix = build_matrix(query, now=now)
    if not matrix.members:
        return []
    figures = FigureReader(matrix, dimension=segment.dimension).of_periods()
    return list(zip(matrix.periods, figures, strict=True))


def _same_in_other_years(node: KpiNode, years: Collection[int]) -> QuerySet[KpiNode]:
    """The places of the node's metric in the active trees of other fiscal years."""
    placed = KpiNode.objects.select_related("tree").filter(metric=node.metric, tree__status=TreeStatus.ACTIVE)
    return placed.filter(tree__fiscal_year__in=years).exclude(tree__fiscal_year=node.tree.fiscal_year).order_by("id")


def read_dimensions() -> list[Dimension]:
    """The dimensions that divide anything: those with more than one member in use, the usual ones first."""
    rows = Dimension.objects.filter(is_active=True, members__is_active=True, members__is_unassigned=False)
    used = {row.code: row for row in rows.annotate(member_count=Count("members")).filter(member_count__gt=0)}
    first = [used.pop(code) for code in FIRST_DIMENSIONS if code in used]
    return [*first, *used.values()]


def read_segments(
    node: KpiNode,
    dimension: str,
    period: Period,
    whole: Figure | None,
    sight: Sight,
    *,
    org: str = "then",
    now: datetime,
) -> SegmentTable:
    """The node's figure for each member in sight that has anything to show, each above those it contains.

    Where shares add up the largest comes first. `org` "now" counts teams to those in their place today.
    """
    matrix = _read_members(node, dimension, period, sight.members.get(dimension), org=org, now=now)
    if not matrix.periods:
        return SegmentTable()
    # Who sees some members only would be told the effects within those.
    effects = None
    if sight.members.get(dimension) is None:
        effects = segment_effects(matrix, _read_company(node, period, now=now), to_date=True)
    by_member = effects.by_member if effects else {}
    figures = [figure for figure in FigureReader(matrix, dimension=dimension).of_members() if not figure.is_empty]
    is_additive = node.metric is not None and node.metric.accumulation == Accumulation.SUM
    total = whole.value if is_additive and whole is not None and whole.value else None
    rows = [
        SegmentRow(
            figure,
            figure.value / total if total and figure.value is not None else None,
            effect=by_member.get(figure.member_code),
        )
        for figure in figures
    ]
    if dimension == DimensionCode.PERSON:
        return SegmentTable(rows, effects)
    ranked = sorted(rows, key=lambda row: -(row.figure.value or Decimal(0)) if is_additive else Decimal(0))
    return SegmentTable(list(_nested(ranked, {member.code: member.parent for member in matrix.members})), effects)


def read_effects(
    node: KpiNode, dimension: str, period: Period, *, now: datetime, to_date: bool
) -> tuple[SegmentEffects, Mapping[str | None, str]] | None:
    """What the segments of a dimension did to a node's number, and the members' names; None where nobody can say."""
    matrix = _read_members(node, dimension, period, None, now=now)
    found = segment_effects(matrix, _read_company(node, period, now=now), to_date=to_date) if matrix.periods else None
    return None if found is None else (found, {member.code: member.name for member in matrix.members})


def _read_members(
    node: KpiNode,
    dimension: str,
    period: Period,
    member_ids: Collection[int] | None,
    *,
    org: str = "then",
    now: datetime,
) -> KpiMatrix:
    """The node, and what counts its cases, for all members over as many periods as a small trend line has."""
    query = MatrixQuery(
        tree=node.tree,
        grain=period.grain,
        start=period.start_date - timedelta(days=LONGEST_DAYS[Grain(period.grain)] * (SEGMENT_TREND - 1)),
        end=period.start_date + timedelta(days=1),
        codes=[node.code, *_cases_of(node)],
        dimension=dimension,
        org=org,
        member_ids=member_ids,
    )
    return build_matrix(query, now=now)


def _read_company(node: KpiNode, period: Period, *, now: datetime) -> KpiMatrix:
    day = period.start_date
    query = MatrixQuery(tree=node.tree, grain=period.grain, start=day, end=day + timedelta(days=1), codes=[node.code])
    return build_matrix(query, now=now)


def _cases_of(node: KpiNode) -> list[str]:
    """The node that counts what a number comes from: closed deals for bookings, the lower side for a rate; or none."""
    if node.metric is None:
        return []
    if node.metric.accumulation != Accumulation.SUM:
        return _lower_side(node)
    own = _term(node) if node.metric.unit == Unit.AMOUNT else None
    if own is None:
        return []
    counts = KpiNode.objects.filter(tree=node.tree_id, metric__unit=Unit.COUNT).select_related("metric")
    for each in counts.prefetch_related("metric__versions").order_by("position", "id"):
        term = _term(each)
        if term and term.aggregate == "count" and specs.event_kind(term) == specs.event_kind(own):
            return [each.code]
    return []


def _lower_side(node: KpiNode) -> list[str]:
    """The node that a formula of two codes divides by."""
    spec = _spec(node)
    sides = [each.strip() for each in spec.expression.split("/")] if isinstance(spec, specs.Formula) else []
    if len(sides) != 2:
        return []
    return list(KpiNode.objects.filter(tree=node.tree_id, metric__code=sides[1]).values_list("code", flat=True)[:1])


def _spec(node: KpiNode) -> specs.Spec | None:
    """The latest definition of a node."""
    assert node.metric is not None
    latest = max(node.metric.versions.all(), key=lambda row: row.number, default=None)
    return specs.parse_spec(latest.spec) if latest else None


def _term(node: KpiNode) -> specs.Simple | None:
    """What the latest definition of a node counts."""
    spec = _spec(node)
    return spec if isinstance(spec, specs.Simple) else None


def _nested(rows: Iterable[SegmentRow], parents: Mapping[str | None, str | None]) -> Iterator[SegmentRow]:
    """The rows with each member's parts below it, so that nobody adds a whole to its parts."""
    by_code = {row.figure.member_code: row for row in rows}
    children: dict[str | None, list[SegmentRow]] = defaultdict(list)
    for code, row in by_code.items():
        children[parents[code] if parents[code] in by_code else None].append(row)

    def branch(code: str | None, depth: int) -> Iterator[SegmentRow]:
        for row in children[code]:
            yield replace(row, depth=depth)
            yield from branch(row.figure.member_code, depth + 1)

    return branch(None, 0)


def read_targets(node: KpiNode, period: Period) -> list[TargetLine]:
    """The official targets of the node's fiscal year at its own frequency, with their history; at most five queries."""
    periods = {
        row.start_date: row
        for row in Period.objects.select_related("fiscal_year").filter(
            grain=node.frequency, fiscal_year=period.fiscal_year
        )
    }
    revisions = TargetRevision.objects.select_related("actor", "request").prefetch_related("request__decisions__actor")
    targets = Target.with_removed.filter(
        node=node, line=node.tree.official_line, dimension=DimensionCode.COMPANY, period_start__in=periods
    ).prefetch_related(Prefetch("revisions", queryset=revisions.order_by("-number")))
    name = period_namer()
    return [
        TargetLine(name(periods[row.period_start]), row.initial_value, row.value, tuple(row.revisions.all()))
        for row in targets.order_by("period_start")
    ]


def path_to(node: KpiNode) -> list[KpiNode]:
    """From the root down to the node's parent."""
    by_id = {row.pk: row for row in KpiNode.objects.filter(tree=node.tree_id)}
    path: list[KpiNode] = []
    above = by_id.get(node.parent_id) if node.parent_id else None
    while above is not None:
        path.insert(0, above)
        above = by_id.get(above.parent_id) if above.parent_id else None
    return path


def read_groups(sight: Sight) -> list[tuple[Dimension, Sequence[DimensionMember]]]:
    """Dimensions with their members in sight, for choosing what to narrow a page to."""
    dimensions = read_dimensions()
    members = DimensionMember.objects.filter(dimension__in=dimensions, is_active=True, is_unassigned=False)
    by_dimension: dict[int, list[DimensionMember]] = {row.pk: [] for row in dimensions}
    for member in members.order_by("name"):
        by_dimension[member.dimension_id].append(member)
    groups = [
        (row, [member for member in by_dimension[row.pk] if sight.allows(row.code, member.pk)]) for row in dimensions
    ]
    return [(row, members) for row, members in groups if members]
