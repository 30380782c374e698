"""The two axes beside the nodes: periods with what they are made of, and members with their ancestors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection

from kpis.choices import SEGMENTS, DimensionCode, Grain, PeriodState
from kpis.models import DimensionMember, Period, Team
from kpis.selectors.matrix.shapes import MatrixMember, MatrixPeriod, MatrixQuery

COMPANY = MatrixMember(None, None, "company", None)
_BASE_GRAINS = frozenset({"month", "week"})


@dataclass(frozen=True, slots=True)
class Periods:
    """The asked periods.

    `base_starts` holds the starts of the base periods (months, or the week itself) in each; `week_month` the month in
    which a period begins; `month_days` the business days of a month.
    """

    asked: tuple[MatrixPeriod, ...]
    base_starts: Mapping[date, list[date]]
    week_month: Mapping[date, date]
    month_days: Mapping[date, int]

    @property
    def starts(self) -> list[date]:
        return [start for each in self.base_starts.values() for start in each]


@dataclass(frozen=True, slots=True)
class Members:
    """The members to show, and for every member the ones its numbers go to: itself (or its successor) and above.

    `unassigned_id`: the one that stands for what is not assigned; None for the company, and where there is none.
    `moved`: the ones that read other records than their own because teams were replaced; only as it is organised now.
    """

    shown: tuple[MatrixMember, ...]
    lineage: Mapping[int, tuple[int, ...]]
    unassigned_id: int | None = None
    moved: frozenset[int] = frozenset()


def load_periods(grain: str, start: date, end: date, *, today: date) -> Periods:
    """The periods whose start lies in [start, end); two to four queries."""
    rows = list(
        Period.objects.filter(grain=grain, start_date__gte=start, start_date__lt=end)
        .select_related("fiscal_year")
        .order_by("start_date")
    )
    if not rows:
        return Periods((), {}, {}, {})
    first, last = rows[0].start_date, rows[-1].end_date
    months = rows
    if grain != Grain.MONTH:
        inside = Period.objects.filter(grain=Grain.MONTH, end_date__gt=first, start_date__lt=last)
        months = list(inside.order_by("start_date"))
    opens = min([first, *(month.start_date for month in months)])
    closes = max([last, *(month.end_date for month in months)])
    days = _count_days({"month", grain}, opens, closes, today)
    own = [(row, [month for month in months if row.start_date <= month.start_date < row.end_date]) for row in rows]
    is_base = grain in _BASE_GRAINS
    return Periods(
        asked=tuple(
            MatrixPeriod(
                row,
                row.state if is_base else _state_of([month.state for month in inside]),
                *days.get((grain, row.start_date), (0, 0)),
            )
            for row, inside in own
        ),
        base_starts={
            row.start_date: [row.start_date] if is_base else [month.start_date for month in inside]
            for row, inside in own
        },
        week_month={
            row.start_date: max(
                (month.start_date for month in months if month.start_date <= row.start_date), default=row.start_date
            )
            for row in rows
        },
        month_days={month: total for (grain, month), (total, _gone) in days.items() if grain == "month"},
    )


def _count_days(grains: set[str], start: date, end: date, today: date) -> dict[tuple[str, date], tuple[int, int]]:
    """(grain, start) → business days in all, and up to and including today."""
    counted: dict[tuple[str, date], tuple[int, int]] = {}
    with connection.cursor() as cursor:
        for grain in grains:
            cursor.execute(
                f"SELECT {grain}, count(*) FILTER (WHERE is_business_day),"  # noqa: S608 - grain is one of Grain
                " count(*) FILTER (WHERE is_business_day AND day <= %s)"
                f" FROM kpis_calendarday WHERE day >= %s AND day < %s GROUP BY {grain}",
                [today, start, end],
            )
            counted |= {(grain, day): (total, gone) for day, total, gone in cursor.fetchall()}
    return counted


def _state_of(states: Sequence[str]) -> str:
    """A longer period is as far as its least finished month."""
    for state in (PeriodState.OPEN, PeriodState.PROVISIONAL):
        if state in states:
            return state
    return PeriodState.CLOSED if states else PeriodState.OPEN


def load_members(query: MatrixQuery) -> Members:
    """No query for the company, else one or two."""
    if query.dimension == DimensionCode.COMPANY:
        return Members((COMPANY,), {})
    rows = list(DimensionMember.objects.filter(dimension__code=query.dimension).order_by("is_unassigned", "name", "id"))
    codes: dict[int | None, str] = {row.pk: row.code for row in rows}
    successors = _successors() if query.dimension == DimensionCode.TEAM and query.org == "now" else {}
    parents = {row.pk: row.parent_id for row in rows}
    lineage = {row.pk: _line(successors.get(row.pk, row.pk), parents) for row in rows}
    visible = [row for row in rows if row.pk not in successors]
    if query.dimension in SEGMENTS:  # what another field filled it with before is no part of it
        visible = [row for row in visible if row.is_active]
    if query.member_ids is not None:
        visible = [row for row in visible if row.pk in query.member_ids]
    return Members(
        tuple(MatrixMember(row.pk, row.code, row.name, codes.get(row.parent_id), row.is_unassigned) for row in visible),
        lineage,
        next((row.pk for row in rows if row.is_unassigned), None),
        frozenset(each for old in successors if old in parents for each in {*lineage[old]} ^ {*_line(old, parents)}),
    )


def members_below(member: DimensionMember, *, org: str = "then") -> list[int]:
    """The ids of a member and of all whose numbers go to it: below it, and as it is organised now those replaced."""
    rows = DimensionMember.objects.filter(dimension=member.dimension_id)
    parents = dict(rows.values_list("pk", "parent_id"))
    successors = _successors() if org == "now" else {}
    return [pk for pk in parents if member.pk in _line(successors.get(pk, pk), parents)]


def has_successors() -> bool:
    """Whether any team was replaced by another, so that the two views of the organisation differ."""
    return Team.objects.filter(successors__isnull=False).exists()


def _line(member: int, parents: Mapping[int, int | None]) -> tuple[int, ...]:
    """A member and those above it."""
    line = [member]
    while (parent := parents.get(line[-1])) is not None and parent not in line:
        line.append(parent)
    return tuple(line)


def _successors() -> dict[int, int]:
    """Member of a team that ended → member of the team that stands in its place today; splits stay as they were."""
    pairs: dict[int, list[int]] = defaultdict(list)
    for old, new in Team.objects.filter(successors__isnull=False).values_list("member_id", "successors__member_id"):
        pairs[old].append(new)
    single = {old: new[0] for old, new in pairs.items() if len(new) == 1}
    found = {}
    for old in single:
        new, seen = single[old], {old}
        while new in single and new not in seen:
            seen.add(new)
            new = single[new]
        found[old] = new
    return found
