"""Input requests: the values that people type, which of them are open, since when, and whose they are."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from kpis.choices import EnteredFor, Grain, PeriodState, TreeStatus
from kpis.engine.inputs import business_days_late, due_day
from kpis.models import CalendarDay, DimensionMember, KpiNode, ManualEntry, MetricVersion, Period, Target
from kpis.selectors.calendar import period_namer
from kpis.selectors.input_people import Asked, Organisation, Place
from tenants.settings.selectors import company_settings

PERIODS = {Grain.MONTH: 12, Grain.WEEK: 13}
WEEK_DUE_DAY = 1  # when a week becomes provisional
Key = tuple[int, str, date, int | None]  # metric, grain, start of the period, member


@dataclass(frozen=True)
class InputCell:
    """One value that a person types: its period is over, and it is due on `due_on` (None beyond the calendar).

    `late_by` counts business days since then (0 = due today, negative = still to come); `entry` is None while it is
    open; `previous` is what was typed for the period before, `target` the official one.
    """

    node: KpiNode
    period: Period
    label: str
    place: Place
    due_on: date | None
    late_by: int
    entry: ManualEntry | None
    previous: ManualEntry | None
    target: Decimal | None
    is_asked: bool

    @property
    def key(self) -> Key:
        return _key(self.node, self.period, self.place.member)

    @property
    def id(self) -> str:
        """What the cell is called in a page."""
        return f"{self.node.code}-{self.period.start_date}-{self.place.member.pk if self.place.member else 0}"

    @property
    def is_closed(self) -> bool:
        return self.period.state == PeriodState.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether somebody waits for it. A closed period waits for nothing: what it showed is locked."""
        return self.is_asked and self.entry is None and not self.is_closed

    @property
    def is_late(self) -> bool:
        return self.late_by > 0

    @property
    def asked(self) -> Asked | None:
        """Who types it now: the owner, or the deputy where the owner cannot."""
        owner, deputy = self.place.owner, self.place.deputy
        return deputy if (owner is None or owner.user is None) and deputy is not None else owner

    def is_for(self, user: Any) -> bool:
        """Whether it is on somebody's page: the owner's, and the deputy's once the owner is away or late."""
        owner, deputy = (each.user if each else None for each in (self.place.owner, self.place.deputy))
        if owner is not None and owner.pk == user.pk:
            return True
        return deputy is not None and deputy.pk == user.pk and (owner is None or self.is_late)

    def may_be_typed_by(self, user: Any) -> bool:
        """Whether somebody is its owner or deputy, at any time."""
        people = (self.place.owner, self.place.deputy)
        return any(each is not None and each.user is not None and each.user.pk == user.pk for each in people)


def read_inputs(*, today: date, nodes: Collection[int] | None = None) -> list[InputCell]:
    """Every value of the last twelve ended months (thirteen weeks) that is typed, latest first; at most 16 queries.

    Of a metric that stands in several trees in force it is asked once, in the tree of the period's fiscal year. Asked
    is what lies after the company's start. `nodes` limits it to some nodes.
    """
    placed = _placed(nodes)
    return list(_Reading(placed, today).cells()) if placed else []


def open_inputs(cells: Iterable[InputCell], user: Any | None = None) -> list[InputCell]:
    """The open ones, overdue first and then by due day; of a user those on his page."""
    found = [cell for cell in cells if cell.is_open and (user is None or cell.is_for(user))]
    return sorted(found, key=lambda cell: (-cell.late_by, cell.period.start_date, cell.node.position))


def overdue_twice(cells: Iterable[InputCell]) -> list[str]:
    """The names of the KPIs of which two values of the company or of one member are overdue."""
    late = Counter((cell.node.name, cell.place.member) for cell in cells if cell.is_open and cell.is_late)
    return sorted({name for (name, _member), count in late.items() if count >= 2})


def _placed(only: Collection[int] | None) -> list[KpiNode]:
    """The nodes of trees in force whose metric is or was typed."""
    nodes = KpiNode.objects.filter(tree__status=TreeStatus.ACTIVE, metric__versions__spec__kind="manual")
    if only is not None:
        nodes = nodes.filter(pk__in=only)
    related = ("tree", "metric", "responsible__user", "responsible_user", "deputy__user")
    return list(nodes.select_related(*related).distinct().order_by("tree__fiscal_year", "position", "id"))


class _Reading:
    """All that the cells of some nodes are read from, each loaded once."""

    def __init__(self, nodes: Sequence[KpiNode], today: date) -> None:
        self.nodes, self.today = nodes, today
        self.settings = company_settings()
        self.versions = _versions({node.metric_id for node in nodes})
        self.periods = {grain: _ended(grain, today) for grain in {node.frequency for node in nodes}}
        starts = [period.start_date for rows in self.periods.values() for period in rows]
        first = min(starts, default=today)
        days = CalendarDay.objects.filter(day__gte=first, day__lt=today + timedelta(days=60), is_business_day=True)
        self.days = list(days.order_by("day").values_list("day", flat=True))
        has_members = any(node.entered_for != EnteredFor.COMPANY for node in nodes)
        self.organisation = Organisation.load(today) if has_members else Organisation(today)
        self.entries = _entries(nodes, starts)
        self.targets = _targets(nodes, starts)
        self.name = period_namer()

    def cells(self) -> Iterator[InputCell]:
        seen: set[Key] = set()
        for grain, periods in self.periods.items():
            befores = [*periods[1:], None]
            for period, before in zip(periods[: PERIODS[Grain(grain)]], befores, strict=False):
                for node in self._by_year(grain, period):
                    for place in self.organisation.places(node, period):
                        key = _key(node, period, place.member)
                        if key not in seen:
                            seen.add(key)
                            yield self._cell(node, period, before, place)

    def _by_year(self, grain: str, period: Period) -> list[KpiNode]:
        """The nodes that ask for a period, those of its own fiscal year first."""
        asking = [
            node
            for node in self.nodes
            if node.frequency == grain and _is_typed(self.versions[node.metric_id or 0], period.start_date)
        ]
        return sorted(asking, key=lambda node: node.tree.fiscal_year != period.fiscal_year.start_year)

    def _cell(self, node: KpiNode, period: Period, before: Period | None, place: Place) -> InputCell:
        due = due_day(self.days, period.end_date, self._due_number(node))
        return InputCell(
            node=node,
            period=period,
            label=self.name(period),
            place=place,
            due_on=due,
            late_by=business_days_late(self.days, due, self.today) if due else -1,
            entry=self.entries.get(_key(node, period, place.member)),
            previous=self.entries.get(_key(node, before, place.member)) if before else None,
            target=self.targets.get((node.pk, period.start_date, place.member.pk if place.member else None)),
            is_asked=period.start_date >= self.settings.start_date,
        )

    def _due_number(self, node: KpiNode) -> int:
        """By which business day: the node's own, else the day on which the period becomes provisional."""
        usual = WEEK_DUE_DAY if node.frequency == Grain.WEEK else self.settings.provisional_business_day
        return node.due_business_day or usual


def _key(node: KpiNode, period: Period, member: DimensionMember | None) -> Key:
    return node.metric_id or 0, period.grain, period.start_date, member.pk if member else None


def _ended(grain: str, today: date) -> list[Period]:
    """The periods that are over, latest first; one more than are asked for, to have a previous one."""
    rows = Period.objects.select_related("fiscal_year").filter(grain=grain, end_date__lte=today)
    return list(rows.order_by("-start_date")[: PERIODS[Grain(grain)] + 1])


def _versions(metrics: Collection[int | None]) -> Mapping[int, list[tuple[date, bool]]]:
    """Metric → since when it is typed or not, in order."""
    found: dict[int, list[tuple[date, bool]]] = defaultdict(list)
    for row in MetricVersion.objects.filter(metric__in=metrics).order_by("number"):
        found[row.metric_id].append((row.effective_from or date.min, row.spec.get("kind") == "manual"))
    return {metric: sorted(rows, key=lambda row: row[0]) for metric, rows in found.items()}


def _is_typed(versions: Sequence[tuple[date, bool]], day: date) -> bool:
    """Whether the definition of a day is typed; before the first one, the first."""
    place = bisect_left([since for since, _is_manual in versions], day + timedelta(days=1)) - 1
    return versions[max(place, 0)][1]


def _entries(nodes: Sequence[KpiNode], starts: Collection[date]) -> Mapping[Key, ManualEntry]:
    rows = ManualEntry.objects.filter(metric__in={node.metric_id for node in nodes}, period_start__in=starts)
    return {
        (row.metric_id, row.grain, row.period_start, row.member_id): row for row in rows.select_related("entered_by")
    }


def _targets(nodes: Sequence[KpiNode], starts: Collection[date]) -> Mapping[tuple[int, date, int | None], Decimal]:
    lines = {node.pk: node.tree.official_line for node in nodes}
    rows = Target.objects.filter(node__in=lines, period_start__in=starts)
    official = (row for row in rows if row.line == lines[row.node_id])
    return {(row.node_id, row.period_start, row.member_id): row.standing for row in official}
