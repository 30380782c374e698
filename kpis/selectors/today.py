"""What the first page of the day says: where the KGI stands, what leads there, whose numbers, which deals to check."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone

from kpis.choices import DimensionCode, Grain, Level, TreeStatus
from kpis.models import CalendarDay, KpiTree, Period, Person
from kpis.selectors.calendar import period_namer
from kpis.selectors.contributions import Cause, explain_matrix
from kpis.selectors.deals import DealsToCheck, read_deals_to_check
from kpis.selectors.details import Segment
from kpis.selectors.figures import Figure, FigureReader
from kpis.selectors.landings import Landing, read_landings
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.selectors.sources import Source, read_sources, sources_to_attend
from kpis.selectors.visibility import Sight
from tenants.capabilities import Scope

TREND_PERIODS = 6
MOST_PEOPLE = 40  # in one table
LEADING = 3
OWN = 5
DEALS = 5
WORST_FIRST = {"missed": 0, "behind": 1, "at_risk": 2}


@dataclass(frozen=True)
class Today:
    """The page's content. Without an active tree everything but the date and the sources is empty.

    While the running period is too young for a verdict (`running_label`) the figures are those of the one before
    (`period_label`). `trees` are all that are in force. `cause` is what holds the goal back most, where its parts are
    planned. `to_attend` are the sources that are late or stopped.
    """

    date: date
    tree: KpiTree | None
    sources: list[Source]
    trees: Sequence[KpiTree] = ()
    to_attend: Sequence[Source] = ()
    running_label: str = ""
    period_label: str = ""
    currency: str = ""
    remaining_days: int = 0
    goal: Figure | None = None
    cause: Cause | None = None
    landing: Landing | None = None
    worst: Figure | None = None
    leading: Sequence[Figure] = ()
    own: Sequence[Figure] = ()
    members: Sequence[Figure] = ()
    deals_to_check: DealsToCheck | None = None

    @property
    def has_just_begun(self) -> bool:
        return self.running_label != self.period_label

    @property
    def are_teams(self) -> bool:
        """Whether `members` are teams, because there are too many people for one table."""
        return any(figure.dimension == DimensionCode.TEAM for figure in self.members)

    @cached_property
    def has_targets(self) -> bool:
        """Whether the members have targets of their own, so that columns about them say anything."""
        return any(figure.has_target for figure in (*self.members, *self.own))


def find_tree(*, today: date) -> KpiTree | None:
    """The active tree of the fiscal year that runs today, else the active one of the latest year."""
    active = KpiTree.objects.filter(status=TreeStatus.ACTIVE).order_by("-fiscal_year", "id")
    running = Period.objects.filter(grain=Grain.YEAR, start_date__lte=today, end_date__gt=today)
    years = running.values_list("fiscal_year__start_year", flat=True)
    return active.filter(fiscal_year__in=list(years)).first() or active.first()


def active_trees(*, today: date) -> list[KpiTree]:
    """Every tree in force, the one that `find_tree` finds first; then the latest years first. Three queries."""
    first = find_tree(today=today)
    if first is None:
        return []
    others = KpiTree.objects.filter(status=TreeStatus.ACTIVE).exclude(pk=first.pk)
    return [first, *others.order_by("-fiscal_year", "name", "id")]


def find_last_period(tree: KpiTree, grain: str, *, today: date) -> Period | None:
    """The tree's period of a grain that runs today; where its year is over, the last one of the year."""
    periods = Period.objects.select_related("fiscal_year").filter(grain=grain).order_by("-start_date")
    own = periods.filter(fiscal_year__start_year=tree.fiscal_year)
    return own.filter(start_date__lte=today).first() or own.last()


def find_spoken_period(tree: KpiTree, grain: str, *, today: date) -> Period | None:
    """The period to speak of: the one that runs, or the one before while no business day of it is over."""
    running = find_last_period(tree, grain, today=today)
    if running is None or running.end_date <= today:
        return running
    begun = CalendarDay.objects.filter(day__gte=running.start_date, day__lte=today, is_business_day=True)
    if begun.count() > 1:
        return running
    before = Period.objects.select_related("fiscal_year").filter(grain=grain, start_date__lt=running.start_date)
    return before.order_by("-start_date").first() or running


def read_today(
    *, user: Any, scope: str, sight: Sight, now: datetime, trees: Sequence[KpiTree], tree: KpiTree | None = None
) -> Today:
    """Where things stand for `user`, who may read results in `scope` and the members in `sight`.

    `trees` are those in force; without a `tree` the first of them is spoken of.
    """
    today = timezone.localdate(now)
    sources = read_sources(now=now)
    tree = tree or next(iter(trees), None)
    running = find_last_period(tree, Grain.MONTH, today=today) if tree else None
    period = find_spoken_period(tree, Grain.MONTH, today=today) if tree else None
    if tree is None or running is None or period is None:
        return Today(today, None, sources)
    works_today = CalendarDay.objects.filter(day=today, is_business_day=True).exists()
    matrix = _months(tree, period, now=now)
    reader = FigureReader(matrix, works_today=works_today)
    figures = [each for each in reader.of_nodes().values() if each.is_measured]
    goal = next((figure for figure in figures if figure.level == Level.KGI), None)
    ranked = sorted((figure for figure in figures if figure.level == Level.KPI), key=_worst_first)
    name = period_namer()
    has_members = scope in {Scope.TEAM, Scope.ALL}
    explained = explain_matrix(reader.matrix, Segment(), now=now, to_date=True, with_starts=False)
    return Today(
        date=today,
        tree=tree,
        trees=tuple(trees),
        sources=sources,
        to_attend=sources_to_attend(sources, user=user, now=now),
        running_label=name(running),
        period_label=name(period),
        currency=reader.matrix.currency,
        remaining_days=goal.remaining_days if goal else 0,
        goal=goal,
        cause=explained.bottleneck if explained else None,
        landing=_landing(matrix, goal, now=now) if goal else None,
        worst=next((figure for figure in ranked if figure.status in WORST_FIRST), None),
        leading=ranked[:LEADING],
        own=_own(tree, period, user, works_today, now=now) if scope == Scope.OWN else (),
        members=_members(tree, period, goal, sight, now=now) if goal and has_members else (),
        deals_to_check=read_deals_to_check(people=sight.people, today=today, limit=DEALS),
    )


def _months(tree: KpiTree, period: Period, *, now: datetime, **narrow: Any) -> KpiMatrix:
    """The matrix of the months up to `period`, as many as a small trend line has."""
    start = period.start_date - timedelta(days=31 * TREND_PERIODS)
    query = MatrixQuery(tree=tree, grain=Grain.MONTH, start=start, end=period.end_date, **narrow)
    return build_matrix(query, now=now)


def _landing(matrix: KpiMatrix, goal: Figure, *, now: datetime) -> Landing | None:
    """Where the KGI's period will end; None where it is over or the KGI is no sum."""
    node = next(n for n, each in enumerate(matrix.nodes) if each.row.code == goal.code)
    return read_landings(matrix, node=node, dimension=DimensionCode.COMPANY, now=now).get(None)


def _worst_first(figure: Figure) -> tuple[int, float]:
    reached = 1.0 if figure.achievement is None else float(figure.achievement)
    return WORST_FIRST.get(figure.status, 3 if figure.value is not None else 4), reached


def _own(tree: KpiTree, period: Period, user: Any, works_today: bool, *, now: datetime) -> list[Figure]:
    """The person's own numbers, those with a target first."""
    person = Person.objects.filter(user=user, deleted_at=None).exclude(member=None).first()
    if person is None:
        return []
    matrix = _months(tree, period, now=now, dimension=DimensionCode.PERSON, member_ids=[person.member_id])
    reader = FigureReader(matrix, dimension=DimensionCode.PERSON, works_today=works_today)
    figures = [figure for figure in reader.of_nodes().values() if figure.is_measured and not figure.is_empty]
    return sorted(figures, key=lambda figure: not figure.has_target)[:OWN]


def _members(tree: KpiTree, period: Period, goal: Figure, sight: Sight, *, now: datetime) -> list[Figure]:
    """The KGI by person, those in sight who had anything to do with it, in order of name: no ranking.

    Where more people are in sight than anybody reads in one table, by team.
    """
    people = Person.objects.filter(deleted_at=None).exclude(left_on__lte=timezone.localdate(now))
    in_sight = people if sight.people is None else people.filter(pk__in=sight.people)
    dimension = DimensionCode.PERSON if in_sight.count() <= MOST_PEOPLE else DimensionCode.TEAM
    seen = sight.members.get(dimension)
    matrix = _months(tree, period, now=now, dimension=dimension, codes=[goal.code], member_ids=seen)
    figures = FigureReader(matrix, dimension=dimension).of_members()
    return [figure for figure in figures if not figure.is_empty]
