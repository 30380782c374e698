"""What a client's sheet would make by a person's choices: compared with what is there, before anything is stored."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kpis.choices import Accumulation, DimensionCode, Direction, Grain, PeriodState, TargetLine
from kpis.engine import calendar, specs
from kpis.engine.cross_tab import Kind, Line, Month, Reading, SheetCell, added_up, plain
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import DimensionMember, KpiNode, KpiTree, ManualEntry, Metric, Period, Target
from kpis.selectors.calendar import calendar_rules
from kpis.selectors.definitions import newest_specs
from kpis.selectors.sheet_start.choices import NOWHERE, KpiChoice, StartChoices, Use

ACTUAL = ""
_PLACES = Decimal("1e-8")  # what is stored of a number
_AIMS = (Kind.BUDGET, Kind.TARGET, Kind.STRETCH)
_Key = tuple[str, str, int | None, date]


@dataclass(frozen=True, slots=True)
class PlannedNumber:
    """One target (of a `line`) or actual (`line` is "") of a month; `old` is None where there is none yet."""

    kpi: str
    line: str
    dimension: str
    member: DimensionMember | None
    month: Month
    start: date
    address: str
    old: Decimal | None
    new: Decimal

    @property
    def key(self) -> _Key:
        return self.kpi, self.line, self.member.pk if self.member else None, self.start


@dataclass(frozen=True, slots=True)
class PlannedKpi:
    """One KPI with what would be stored of it; `node` is its place where it has one already.

    `namesakes` are the metrics (by key) that have the name of a new one.
    """

    key: str
    choice: KpiChoice
    node: KpiNode | None
    targets: tuple[PlannedNumber, ...]
    actuals: tuple[PlannedNumber, ...]
    unchanged: int
    namesakes: tuple[int, ...] = ()

    @property
    def is_new_metric(self) -> bool:
        return self.choice.use is Use.NEW

    @property
    def is_new_node(self) -> bool:
        return self.node is None and self.choice.place != NOWHERE


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What would be made. `refused` names cells that are not taken and why; everything else can be.

    `namesakes` are the trees (by key) that have name and year of a new one.
    """

    choices: StartChoices
    kpis: tuple[PlannedKpi, ...]
    refused: tuple[Issue, ...]
    namesakes: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[PlannedNumber, ...]:
        """Every target and actual that would be stored."""
        return tuple(each for kpi in self.kpis for each in (*kpi.targets, *kpi.actuals))

    @property
    def unchanged(self) -> int:
        return sum(kpi.unchanged for kpi in self.kpis)

    @property
    def is_empty(self) -> bool:
        """Whether everything is there already."""
        return not self.numbers and not any(kpi.is_new_metric or kpi.is_new_node for kpi in self.kpis)

    @property
    def digest(self) -> str:
        """Two plans with the same digest make the same; once one was made, the other has another digest."""
        choices = self.choices
        tree = choices.tree.pk if choices.tree else (choices.tree_name, *self.namesakes)
        head = (tree, choices.year, choices.factor)
        kpis = [(kpi.key, kpi.node and kpi.node.pk, kpi.namesakes, *_said(kpi.choice)) for kpi in self.kpis]
        numbers = [(each.key, each.old, each.new) for each in self.numbers]
        return hashlib.sha256(repr((head, kpis, numbers)).encode()).hexdigest()


def _said(choice: KpiChoice) -> tuple[object, ...]:
    metric = choice.metric and choice.metric.pk
    said = (choice.use, choice.name, choice.unit, choice.accumulation, choice.direction, choice.place, choice.adds_up)
    return metric, *said


def plan_start(reading: Reading, choices: StartChoices, *, today: date) -> StartPlan:
    """Compare a sheet with what is there; ten queries. Targets belong to the tree's year, actuals to months begun."""
    return _Planner(reading, choices, today).plan()


class _Planner:
    def __init__(self, reading: Reading, choices: StartChoices, today: date) -> None:
        self.reading, self.choices, self.today = reading, choices, today
        self.refused: list[Issue] = []
        self.nodes = self._read_nodes()
        self.months = _month_spans(reading)
        closed = Period.objects.filter(grain=Grain.MONTH, state=PeriodState.CLOSED)
        self.closed = set(closed.values_list("start_date", flat=True))
        self.lines = self._target_lines()
        self.present = self._read_present()
        definitions = newest_specs()
        self.doubled = set(self._refuse_doubled())
        self.computed = {code for code, spec in definitions.items() if not isinstance(spec, specs.Manual)}

    def plan(self) -> StartPlan:
        taken: dict[_Key, PlannedNumber] = {}
        unchanged: dict[str, int] = defaultdict(int)
        for line in (*self.reading.lines, *self._sums()):
            for number in self._numbers(line):
                earlier = taken.setdefault(number.key, number)
                if earlier is not number and earlier.new != number.new:
                    self._refuse(
                        number.address,
                        "said_twice",
                        gettext_noop("%(earlier)s says something else for the same month, and was taken instead."),
                        earlier=earlier.address,
                    )
        changes: dict[str, list[PlannedNumber]] = defaultdict(list)
        for number in taken.values():
            if number.old == number.new:
                unchanged[number.kpi] += 1
            elif number.start in self.closed:
                self._refuse(
                    number.address, "locked", gettext_noop("This month is closed, so its number stays as it is.")
                )
            else:
                changes[number.kpi].append(number)
        planned = tuple(self._planned(changes, unchanged))
        return StartPlan(self.choices, planned, tuple(self.refused), self._tree_namesakes())

    def _planned(
        self, changes: Mapping[str, list[PlannedNumber]], unchanged: Mapping[str, int]
    ) -> Iterator[PlannedKpi]:
        named: dict[str, list[int]] = defaultdict(list)
        for pk, name in Metric.objects.order_by("pk").values_list("pk", "name"):
            named[plain(name)].append(pk)
        for key, choice in self.choices.kpis.items():
            if choice.use is not Use.IGNORED and key not in self.doubled:
                numbers = changes.get(key, [])
                yield PlannedKpi(
                    key,
                    choice,
                    self.nodes.get(key),
                    tuple(each for each in numbers if each.line),
                    tuple(each for each in numbers if not each.line),
                    unchanged.get(key, 0),
                    tuple(named[plain(choice.name)]) if choice.use is Use.NEW else (),
                )

    def _refuse(self, at: str, code: str, template: str, **params: object) -> None:
        self.refused.append(Issue(at, code, template, tuple(params.items())))

    # --- what is there ---

    def _tree_namesakes(self) -> tuple[int, ...]:
        if self.choices.tree is not None:
            return ()
        trees = KpiTree.objects.filter(name=self.choices.tree_name, fiscal_year=self.choices.fiscal_year)
        return tuple(trees.order_by("pk").values_list("pk", flat=True))

    def _read_nodes(self) -> dict[str, KpiNode]:
        """KPI → the place that its metric has in the tree already."""
        tree = self.choices.tree
        if tree is None:
            return {}
        nodes = tree.nodes.select_related("tree", "metric", "responsible").order_by("position", "id")
        by_metric: dict[int | None, KpiNode] = {}
        for node in nodes:
            by_metric.setdefault(node.metric_id, node)
        found = {key: by_metric.get(choice.metric.pk) for key, choice in self.choices.kpis.items() if choice.metric}
        return {key: node for key, node in found.items() if node is not None}

    def _target_lines(self) -> Mapping[Kind, str]:
        """Kind of numbers → their target line: where only one of 予算 and 目標 is there, the official one."""
        kinds = {self.choices.kind_of(line) for line in self.reading.lines}
        official = self.choices.tree.official_line if self.choices.tree else TargetLine.TARGET.value
        both = {Kind.BUDGET, Kind.TARGET} <= kinds
        return {
            Kind.BUDGET: TargetLine.BUDGET.value if both else official,
            Kind.TARGET: TargetLine.TARGET.value if both else official,
            Kind.STRETCH: TargetLine.STRETCH.value,
        }

    def _read_present(self) -> dict[_Key, Decimal]:
        """Targets and entries that are there, by the KPI of the sheet."""
        by_node = {node.pk: key for key, node in self.nodes.items()}
        by_metric = {choice.metric.pk: key for key, choice in self.choices.kpis.items() if choice.metric}
        present = {
            (by_node[row.node_id], row.line, row.member_id, row.period_start): row.standing
            for row in Target.objects.filter(node__in=by_node)
        }
        entries = ManualEntry.objects.filter(metric__in=by_metric, grain=Grain.MONTH)
        for row in entries:
            if row.value is not None:
                present[by_metric[row.metric_id], ACTUAL, row.member_id, row.period_start] = row.value
        return present

    def _refuse_doubled(self) -> Iterator[str]:
        """KPIs that are said to be a metric which an earlier one of the sheet is already."""
        seen: dict[int, str] = {}
        for key, choice in self.choices.kpis.items():
            if choice.metric is None or choice.use is Use.IGNORED or seen.setdefault(choice.metric.pk, key) == key:
                continue
            line = next(each for each in self.reading.lines if plain(each.kpi) == key)
            template = gettext_noop("%(kpi)s is taken for the metric that another KPI of the sheet is already.")
            self._refuse(f"{line.row}", "same_metric", template, kpi=line.kpi)
            yield key

    def _sums(self) -> Iterator[Line]:
        """The company's lines of KPIs that the sheet has by people or teams only."""
        for key, choice in self.choices.kpis.items():
            if choice.adds_up and choice.accumulation == Accumulation.SUM:
                yield from added_up([line for line in self.reading.lines if plain(line.kpi) == key])

    # --- one line ---

    def _numbers(self, line: Line) -> Iterator[PlannedNumber]:
        key = plain(line.kpi)
        choice, kind = self.choices.kpis.get(key), self.choices.kind_of(line)
        member = self.choices.segments.get(plain(line.segment)) if line.segment else None
        if (
            choice is None
            or choice.use is Use.IGNORED
            or key in self.doubled
            or kind is None
            or (line.segment and member is None)
        ):
            return
        cells = [cell for cell in line.cells if cell.value is not None]
        if not cells or self._refuse_line(line, choice, kind, cells[0]):
            return
        strange: set[int] = set()
        for cell in cells:
            month = cell.month.moved(-1) if kind is Kind.PREVIOUS_YEAR else cell.month
            span = self.months[month]
            if kind in _AIMS and span.fiscal_year != self.choices.year:
                if span.fiscal_year not in strange:
                    self._refuse_year(line, cell, span.fiscal_year)
                strange.add(span.fiscal_year)
            elif kind not in _AIMS and span.start_date > self.today:
                self._refuse(
                    cell.address, "not_begun", gettext_noop("This month has not begun, so it has no actual yet.")
                )
            else:
                yield self._number(key, self.lines.get(kind, ACTUAL), member, month, span.start_date, cell)

    def _number(
        self, key: str, line: str, member: DimensionMember | None, month: Month, start: date, cell: SheetCell
    ) -> PlannedNumber:
        value = cell.value or Decimal(0)
        if int(value.as_tuple().exponent) < -8:
            value = value.quantize(_PLACES)
        dimension = member.dimension.code if member else DimensionCode.COMPANY.value
        old = self.present.get((key, line, member.pk if member else None, start))
        return PlannedNumber(key, line, dimension, member, month, start, cell.address, old, value)

    def _refuse_line(self, line: Line, choice: KpiChoice, kind: Kind, cell: SheetCell) -> bool:
        """Whether nothing of a line can be taken; said once, at its first cell."""
        node = self.nodes.get(plain(line.kpi))
        if kind not in _AIMS:
            if choice.metric is None or choice.metric.code not in self.computed:
                return False
            self._refuse(
                cell.address,
                "computed",
                gettext_noop("%(kpi)s is computed from data, so the actuals of row %(row)s were not taken."),
                kpi=choice.name,
                row=line.row,
            )
            return True
        if choice.direction == Direction.RANGE:
            template = gettext_noop("%(kpi)s aims at a range. Set its targets on the page of targets.")
        elif node is None and choice.place == NOWHERE:
            template = gettext_noop("%(kpi)s has no place in the tree, so the targets of row %(row)s were not taken.")
        elif node is not None and node.frequency != Grain.MONTH:
            template = gettext_noop("%(kpi)s has targets by week, so the monthly ones of row %(row)s were not taken.")
        else:
            return False
        self._refuse(cell.address, "no_target", template, kpi=choice.name, row=line.row)
        return True

    def _refuse_year(self, line: Line, cell: SheetCell, year: int) -> None:
        self._refuse(
            cell.address,
            "other_year",
            gettext_noop(
                "The targets of row %(row)s from here on are of fiscal year %(year)s, the tree is of %(tree)s. "
                "Import them into a tree of their year."
            ),
            row=line.row,
            year=year,
            tree=self.choices.year,
        )


def _month_spans(reading: Reading) -> Mapping[Month, calendar.PeriodSpan]:
    """The company's months by the calendar month they are known by, from a year before the sheet's first one on."""
    months = reading.months
    first, last = date(months[0].year - 2, 1, 1), date(months[-1].year + 2, 1, 1)
    years = calendar.fiscal_years(calendar_rules(), first, last)
    spans = [span for year in years for span in calendar.periods(year, Grain.MONTH.value)]
    return {Month(span.named_year, span.named_month): span for span in reversed(spans)}
