"""Own targets of the year, and who has confirmed them: once for each setting, and again after every change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from kpis.choices import DimensionCode, Direction, PeriodState
from kpis.models import KpiNode, KpiTree, Period, Person, Target, TargetRevision
from kpis.selectors.calendar import period_namer
from kpis.selectors.target_grid import GridColumn, grid_nodes
from kpis.selectors.today import find_tree


@dataclass(frozen=True)
class OwnTarget:
    """One target of a person; without one, `value` is None. `before` is what it was, where a change is unconfirmed."""

    start: date
    label: str
    value: Decimal | None = None
    upper: Decimal | None = None
    before: Decimal | None = None
    reason: str = ""
    is_unconfirmed: bool = False


@dataclass(frozen=True)
class OwnRow:
    """A person's targets of one node, one per column of its table."""

    node: KpiNode
    cells: tuple[OwnTarget, ...]

    @property
    def unit(self) -> str:
        return self.node.metric.unit if self.node.metric else ""

    @property
    def is_range(self) -> bool:
        return self.node.metric is not None and self.node.metric.direction == Direction.RANGE


@dataclass(frozen=True)
class OwnTable:
    """The nodes of one frequency."""

    columns: tuple[GridColumn, ...]
    rows: tuple[OwnRow, ...]


@dataclass(frozen=True)
class OwnTargets:
    """A person's targets of a tree's year on its official line. `seen_at`: when the latest of them was set."""

    tree: KpiTree
    tables: tuple[OwnTable, ...]
    seen_at: datetime
    confirmed_at: datetime | None
    unconfirmed_count: int


@dataclass(frozen=True)
class PersonConfirmation:
    """How far one person has confirmed the own targets; `waiting_since` is None where nothing is left to confirm."""

    person: Person
    target_count: int
    unconfirmed_count: int
    confirmed_at: datetime | None
    waiting_since: datetime | None

    @property
    def has_login(self) -> bool:
        return self.person.user_id is not None


def find_person(user: Any) -> Person | None:
    """The person of a login, with a place among the dimension members."""
    if getattr(user, "pk", None) is None:
        return None
    return Person.objects.filter(user=user, deleted_at=None).exclude(member=None).first()


def latest_settings(tree: KpiTree, *, members: Iterable[int] | None = None) -> QuerySet[TargetRevision]:
    """The setting in force of every person's target on the tree's official line."""
    rows = TargetRevision.objects.filter(
        target__node__tree=tree,
        target__line=tree.official_line,
        target__dimension=DimensionCode.PERSON,
        target__value__isnull=False,
    )
    if members is not None:
        rows = rows.filter(target__member__in=members)
    return rows.select_related("target__node").order_by("target_id", "-number").distinct("target_id")


def read_own_targets(*, user: Any, today: date) -> OwnTargets | None:
    """The targets of `user` in the tree that is in force; None where nobody has set one. At most nine queries."""
    person = find_person(user)
    tree = find_tree(today=today) if person else None
    if person is None or tree is None:
        return None
    targets = list(
        Target.objects.filter(
            node__tree=tree, line=tree.official_line, dimension=DimensionCode.PERSON, member=person.member_id
        ).prefetch_related("revisions")
    )
    settings = [target.revisions.all()[len(target.revisions.all()) - 1] for target in targets if target.revisions.all()]
    if not settings:
        return None
    tables = _Tables(tree, targets).read()
    cells = [cell for table in tables for row in table.rows for cell in row.cells]
    return OwnTargets(
        tree=tree,
        tables=tables,
        seen_at=max(each.at for each in settings),
        confirmed_at=max((each.confirmed_at for each in settings if each.confirmed_at), default=None),
        unconfirmed_count=sum(cell.is_unconfirmed for cell in cells),
    )


class _Tables:
    """The own targets laid out by frequency; a closed period asks for no confirmation any more."""

    def __init__(self, tree: KpiTree, targets: Sequence[Target]) -> None:
        self.nodes = [node for node in grid_nodes(tree) if node.pk in {target.node_id for target in targets}]
        self.targets = {(target.node_id, target.period_start): target for target in targets}
        self.periods: dict[str, list[Period]] = defaultdict(list)
        grains = {node.frequency for node in self.nodes}
        for period in Period.objects.select_related("fiscal_year").filter(
            grain__in=grains, fiscal_year__start_year=tree.fiscal_year
        ):
            self.periods[period.grain].append(period)
        self.name, self.short = period_namer(), period_namer(short=True)

    def read(self) -> tuple[OwnTable, ...]:
        return tuple(self.table(grain) for grain in sorted(self.periods))

    def table(self, grain: str) -> OwnTable:
        periods = sorted(self.periods[grain], key=lambda period: period.start_date)
        columns = tuple(
            GridColumn(each.start_date, self.name(each), self.short(each), each.state == PeriodState.CLOSED)
            for each in periods
        )
        rows = tuple(
            OwnRow(node, tuple(self.cell(node, column) for column in columns))
            for node in self.nodes
            if node.frequency == grain
        )
        return OwnTable(columns, rows)

    def cell(self, node: KpiNode, column: GridColumn) -> OwnTarget:
        target = self.targets.get((node.pk, column.start))
        if target is None:
            return OwnTarget(column.start, column.label)
        revisions = list(target.revisions.all())
        latest = revisions[-1] if revisions else None
        is_unconfirmed = latest is not None and latest.confirmed_at is None and not column.is_locked
        before = revisions[-2].value if is_unconfirmed and len(revisions) > 1 else None
        reason = latest.reason if latest else ""
        return OwnTarget(column.start, column.label, target.value, target.upper, before, reason, is_unconfirmed)


def read_confirmations(*, tree: KpiTree, members: frozenset[int] | None) -> list[PersonConfirmation]:
    """Everybody with an own target in a tree (None: all people), in order of name; three queries."""
    by_member: dict[int | None, list[TargetRevision]] = defaultdict(list)
    for row in latest_settings(tree, members=members):
        by_member[row.target.member_id].append(row)
    people = Person.objects.filter(member__in=list(by_member), deleted_at=None).order_by("name", "pk")
    closed = closed_periods(tree)
    return [_confirmation(person, by_member[person.member_id], closed) for person in people]


def closed_periods(tree: KpiTree) -> frozenset[tuple[str, date]]:
    """(grain, start) of the closed periods of a tree's year."""
    rows = Period.objects.filter(state=PeriodState.CLOSED, fiscal_year__start_year=tree.fiscal_year)
    return frozenset(rows.values_list("grain", "start_date"))


def _confirmation(
    person: Person, settings: Sequence[TargetRevision], closed: frozenset[tuple[str, date]]
) -> PersonConfirmation:
    waiting = [each for each in settings if each.confirmed_at is None and not _is_closed(each, closed)]
    confirmed = [each.confirmed_at for each in settings if each.confirmed_at]
    return PersonConfirmation(
        person=person,
        target_count=len(settings),
        unconfirmed_count=len(waiting),
        confirmed_at=max(confirmed, default=None),
        waiting_since=min((each.at for each in waiting), default=None),
    )


def _is_closed(setting: TargetRevision, closed: frozenset[tuple[str, date]]) -> bool:
    return (setting.target.node.frequency, setting.target.period_start) in closed
