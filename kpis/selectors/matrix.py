"""The one read model: nodes × members × periods. Screens, API, charts and exports all render it."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from kpis.choices import DimensionCode, Grain, PeriodState
from kpis.engine import specs
from kpis.engine.cells import (
    EXACT,
    Cell,
    Measures,
    add_measures,
    block_group,
    formula_cell,
    ratio_cell,
    simple_cell,
)
from kpis.engine.formula import CompiledFormula, parse_formula
from kpis.engine.graph import calculation_order, needed
from kpis.engine.specs import Formula, Manual, Ratio, Simple, Spec
from kpis.engine.status import Status, StatusInput, achievement, judge
from kpis.engine.targets import TargetPart, derive_longer, derive_shorter
from kpis.engine.values import Absence, Value
from kpis.models import (
    DimensionMember,
    FactStream,
    KpiNode,
    KpiTree,
    LockedCell,
    ManualEntry,
    Metric,
    Period,
    Target,
    Team,
)
from tenants.settings.selectors import company_settings

OFFICIAL = "official"


@dataclass(frozen=True, slots=True)
class MatrixQuery:
    """What is asked for. Periods are those whose start lies in [start, end); nodes come in the order of `codes`."""

    tree: KpiTree
    grain: str
    start: date
    end: date
    dimension: str = DimensionCode.COMPANY
    org: str = "then"
    codes: Sequence[str] | None = None
    line: str = OFFICIAL
    is_live: bool = False
    member_ids: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class MatrixPeriod:
    """A column group: one period with its state and its business days, elapsed ones up to and including today."""

    row: Period
    state: str
    business_days: int
    elapsed: int

    @property
    def start(self) -> date:
        return self.row.start_date

    @property
    def end(self) -> date:
        return self.row.end_date


@dataclass(frozen=True, slots=True)
class MatrixMember:
    """A member of the dimension; for the whole company all but the name is None."""

    id: int | None
    code: str | None
    name: str
    parent: str | None
    is_unassigned: bool = False


COMPANY = MatrixMember(None, None, "company", None)


@dataclass(frozen=True, slots=True)
class MatrixNode:
    """A row group: the node, the number of its metric version, and how fresh its sources are.

    `as_of` is the oldest last success among the streams it reads, None where one never succeeded or none is read.
    """

    row: KpiNode
    version: int | None
    as_of: datetime | None
    is_stale: bool


Grid = list[list[list[Decimal | None]]]
Words = list[list[list[str | None]]]


@dataclass(frozen=True, slots=True)
class KpiMatrix:
    """Cells by column, each [node][member][period]; a value that is None has a code in `absence`."""

    tree: KpiTree
    grain: str
    currency: str
    generated_at: datetime
    periods: tuple[MatrixPeriod, ...]
    members: tuple[MatrixMember, ...]
    nodes: tuple[MatrixNode, ...]
    value: Grid
    numerator: Grid
    denominator: Grid
    target: Grid
    upper: Grid
    achievement: Grid
    status: Words
    absence: Words


def build_matrix(query: MatrixQuery, *, now: datetime) -> KpiMatrix:
    """Read blocks, targets, entries and locks, and compute every cell asked for; a fixed number of queries.

    Closed periods show what was locked, unless `is_live`. Under org "now" team numbers are read through the teams'
    successors, always live. `member_ids` limits the members to those the reader may see.
    """
    return _Builder(query, now).build()


_DECIMAL = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)
_BASE = {"month": "month", "week": "week", "quarter": "month", "half": "month", "year": "month"}


@dataclass(slots=True)
class _Definition:
    """A metric with its versions, latest first; formulas compiled."""

    metric: Metric
    versions: list[tuple[date, int, Spec]]
    formulas: dict[int, CompiledFormula]

    def at(self, day: date) -> tuple[int, Spec]:
        """The version in force on a day; before the first one, the first."""
        for effective, number, spec in self.versions:
            if effective <= day:
                return number, spec
        return self.versions[-1][1:]


@dataclass(slots=True)
class _Stream:
    """What is known of all sources of one fact together."""

    covered_from: date | None
    as_of: datetime | None
    is_stale: bool


@dataclass(slots=True)
class _Builder:
    query: MatrixQuery
    now: datetime
    today: date = field(init=False)
    periods: tuple[MatrixPeriod, ...] = ()
    members: tuple[MatrixMember, ...] = ()
    definitions: dict[str, _Definition] = field(default_factory=dict)
    streams: dict[str, _Stream] = field(default_factory=dict)
    lineage: dict[int, tuple[int, ...]] = field(default_factory=dict)
    base_of: dict[date, date] = field(default_factory=dict)
    blocks: dict[tuple[str, date, int | None], dict[str, Decimal]] = field(default_factory=dict)
    entries: dict[tuple[int, int | None], dict[date, Decimal]] = field(default_factory=dict)
    targets: dict[tuple[int, int | None], dict[date, Target]] = field(default_factory=dict)
    month_days: dict[date, int] = field(default_factory=dict)
    base_starts: dict[date, list[date]] = field(default_factory=dict)
    week_month: dict[date, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.today = timezone.localdate(self.now)

    def build(self) -> KpiMatrix:
        query = self.query
        rows = list(
            KpiNode.objects.filter(tree=query.tree).select_related("metric", "responsible").order_by("position", "id")
        )
        by_code = {row.code: row for row in rows}
        shown = rows if query.codes is None else [by_code[code] for code in query.codes if code in by_code]
        self.load_definitions({row.metric.code for row in shown if row.metric})
        self.load_periods()
        self.load_members()
        self.load_streams()
        self.load_blocks()
        self.load_entries()
        self.load_targets(rows)
        cells = self.compute()
        return self.arrange(shown, rows, cells)

    # --- loading -------------------------------------------------------------------------------------------------

    def load_definitions(self, codes: set[str]) -> None:
        """All metrics that the shown ones need, directly or through formulas."""
        known: dict[str, _Definition] = {}
        for metric in Metric.objects.prefetch_related("versions"):
            versions = sorted(
                (
                    (row.effective_from or date.min, row.number, specs.parse_spec(row.spec))
                    for row in metric.versions.all()
                ),
                key=lambda each: each[:2],
                reverse=True,
            )
            if versions:
                formulas = {n: parse_formula(s.expression) for _day, n, s in versions if isinstance(s, Formula)}
                known[metric.code] = _Definition(metric, versions, formulas)
        references = {code: self.named(each) for code, each in known.items()}
        wanted = needed(references, [code for code in codes if code in known])
        order = calculation_order({code: references[code] for code in wanted if code in known})
        self.definitions = {code: known[code] for code in order.codes if code in known}

    def named(self, definition: _Definition) -> set[str]:
        return {name for formula in definition.formulas.values() for name in formula.names}

    def load_periods(self) -> None:
        query = self.query
        rows = list(
            Period.objects.filter(grain=query.grain, start_date__gte=query.start, start_date__lt=query.end)
            .select_related("fiscal_year")
            .order_by("start_date")
        )
        if not rows:
            return
        first, last = rows[0].start_date, rows[-1].end_date
        months = list(
            Period.objects.filter(grain=Grain.MONTH, end_date__gt=first, start_date__lt=last).order_by("start_date")
        )
        days = self.count_days(first, last, months)
        self.month_days = {month: total for (grain, month), (total, _gone) in days.items() if grain == "month"}
        own = [(row, [month for month in months if row.start_date <= month.start_date < row.end_date]) for row in rows]
        self.base_starts = {
            row.start_date: [row.start_date] if query.grain in {"month", "week"} else [m.start_date for m in inside]
            for row, inside in own
        }
        for row in rows:
            self.week_month[row.start_date] = max(
                (month.start_date for month in months if month.start_date <= row.start_date), default=row.start_date
            )
        self.periods = tuple(
            MatrixPeriod(
                row,
                row.state if query.grain in {"month", "week"} else _state_of([month.state for month in inside]),
                *days.get((query.grain, row.start_date), (0, 0)),
            )
            for row, inside in own
        )

    def count_days(self, first: date, last: date, months: list[Period]) -> dict[tuple[str, date], tuple[int, int]]:
        """(grain, start) → business days in all, and up to and including today; for the grain and for months."""
        start = min([first, *(month.start_date for month in months)])
        end = max([last, *(month.end_date for month in months)])
        counted: dict[tuple[str, date], tuple[int, int]] = {}
        with connection.cursor() as cursor:
            for grain in {"month", self.query.grain}:
                cursor.execute(
                    f"SELECT {grain}, count(*) FILTER (WHERE is_business_day),"  # noqa: S608 - grain is one of Grain
                    " count(*) FILTER (WHERE is_business_day AND day <= %s)"
                    f" FROM kpis_calendarday WHERE day >= %s AND day < %s GROUP BY {grain}",
                    [self.today, start, end],
                )
                counted |= {(grain, day): (total, gone) for day, total, gone in cursor.fetchall()}
        return counted

    def load_members(self) -> None:
        query = self.query
        if query.dimension == DimensionCode.COMPANY:
            self.members = (COMPANY,)
            return
        rows = list(
            DimensionMember.objects.filter(dimension__code=query.dimension)
            .select_related("parent")
            .order_by("is_unassigned", "name", "id")
        )
        successors = self.successors() if query.dimension == DimensionCode.TEAM and query.org == "now" else {}
        parents = {row.pk: row.parent_id for row in rows}
        for row in rows:
            home = successors.get(row.pk, row.pk)
            line = [home]
            while (parent := parents.get(line[-1])) is not None and parent not in line:
                line.append(parent)
            self.lineage[row.pk] = tuple(line)
        visible = [row for row in rows if row.pk not in successors]
        if query.member_ids is not None:
            visible = [row for row in visible if row.pk in query.member_ids]
        self.members = tuple(
            MatrixMember(row.pk, row.code, row.name, row.parent.code if row.parent else None, row.is_unassigned)
            for row in visible
        )

    def successors(self) -> dict[int, int]:
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

    def load_streams(self) -> None:
        facts = {term.fact for term in self.terms()}
        rows = FactStream.objects.filter(fact__in=facts)
        grouped: dict[str, list[FactStream]] = defaultdict(list)
        for row in rows:
            grouped[row.fact].append(row)
        for fact, streams in grouped.items():
            loaded = [row.covered_from for row in streams if row.last_success_at and row.covered_from]
            times = [row.last_success_at for row in streams]
            self.streams[fact] = _Stream(
                covered_from=min(loaded, default=None),
                as_of=None if None in times else min(time for time in times if time),
                is_stale=any(
                    row.expected_every
                    and (not row.last_success_at or self.now - row.last_success_at > row.expected_every)
                    for row in streams
                ),
            )

    def terms(self) -> list[Simple]:
        return [
            term
            for each in self.definitions.values()
            for _day, _number, spec in each.versions
            for term in specs.terms(spec)
        ]

    def load_blocks(self) -> None:
        """Blocks of the groups that are needed, added up to the asked periods and to every ancestor."""
        terms = self.terms()
        if not terms or not self.periods:
            return
        additive = sorted({block_group(term) for term in terms if specs.is_additive(term)})
        exact = sorted({block_group(term) for term in terms if not specs.is_additive(term)})
        base = _BASE[self.query.grain]
        into = {start: period for period, starts in self.base_starts.items() for start in starts}
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT "group", period_start, member_id, measures::text FROM kpis_measureblock WHERE dimension = %s'
                ' AND (("group" = ANY(%s) AND grain = %s AND period_start = ANY(%s))'
                ' OR ("group" = ANY(%s) AND grain = %s AND period_start = ANY(%s)))',
                [
                    self.query.dimension,
                    additive,
                    base,
                    list(into),
                    exact,
                    self.query.grain,
                    [period.start for period in self.periods],
                ],
            )
            found = cursor.fetchall()
        parts: dict[tuple[str, date, int | None], list[Measures]] = defaultdict(list)
        for group, start, member, text in found:
            measures = _DECIMAL.decode(text)
            if group.endswith(EXACT):
                line: tuple[int | None, ...] = (self.lineage[member][0],) if member else (None,)
                parts[group, start, line[0]].append(measures)
                continue
            for each in self.lineage[member] if member else (None,):
                parts[group, into[start], each].append(measures)
        self.blocks = {key: add_measures(each) if len(each) > 1 else dict(each[0]) for key, each in parts.items()}

    def load_entries(self) -> None:
        manual = [
            each.metric.pk
            for each in self.definitions.values()
            if any(isinstance(spec, Manual) for _day, _number, spec in each.versions)
        ]
        starts = [start for each in self.base_starts.values() for start in each]
        for row in ManualEntry.objects.filter(
            metric__in=manual,
            grain=_BASE[self.query.grain],
            period_start__in=starts,
            dimension__in=[self.query.dimension, DimensionCode.COMPANY],
        ):
            self.entries.setdefault((row.metric_id, row.member_id), {})[row.period_start] = row.value

    def load_targets(self, rows: Sequence[KpiNode]) -> None:
        query = self.query
        line = query.tree.official_line if query.line == OFFICIAL else query.line
        starts = {start for each in self.base_starts.values() for start in each} | set(self.week_month.values())
        for target in Target.objects.filter(
            node__in=rows, line=line, dimension=query.dimension, period_start__in=starts
        ):
            self.targets.setdefault((target.node_id, target.member_id), {})[target.period_start] = target

    # --- computing -----------------------------------------------------------------------------------------------

    def compute(self) -> dict[str, list[list[Cell]]]:
        """Code → cells [member][period], in the order in which formulas need one another."""
        cells: dict[str, list[list[Cell]]] = {}
        for code, definition in self.definitions.items():
            cells[code] = [
                [self.cell(definition, m, member, p, period, cells) for p, period in enumerate(self.periods)]
                for m, member in enumerate(self.members)
            ]
        return cells

    def cell(
        self,
        definition: _Definition,
        m: int,
        member: MatrixMember,
        p: int,
        period: MatrixPeriod,
        cells: Mapping[str, list[list[Cell]]],
    ) -> Cell:
        number, spec = definition.at(period.start)
        match spec:
            case Simple():
                return self.simple(spec, member, period)
            case Ratio(numerator, denominator):
                return ratio_cell(self.simple(numerator, member, period), self.simple(denominator, member, period))
            case Formula():
                formula = definition.formulas[number]
                return formula_cell(formula, {name: cells[name][m][p].value for name in formula.names if name in cells})
            case Manual():
                return Cell(self.manual(definition.metric, member, period))

    def simple(self, term: Simple, member: MatrixMember, period: MatrixPeriod) -> Cell:
        if term.credit == "overlay" and self.query.dimension not in {DimensionCode.PERSON, DimensionCode.TEAM}:
            return Cell(Absence.NOT_APPLICABLE)
        stream = self.streams.get(term.fact)
        is_covered = bool(
            stream and stream.covered_from and stream.covered_from < period.end and period.start <= self.today
        )
        measures = self.blocks.get((block_group(term), period.start, member.id), {})
        return simple_cell(term, measures, is_covered=is_covered)

    def manual(self, metric: Metric, member: MatrixMember, period: MatrixPeriod) -> Value:
        """Typed values: flows add up where every month that has begun is there, stocks take the last."""
        typed = self.entries.get((metric.pk, member.id))
        if typed is None:
            is_typed_here = any(key[0] == metric.pk and key[1] is not None for key in self.entries)
            if self.query.grain == Grain.WEEK or (member.id is not None and not is_typed_here):
                return Absence.NOT_APPLICABLE
            return Absence.MISSING
        starts = self.base_starts[period.start]
        values = [typed[start] for start in starts if start in typed]
        if not values:
            return Absence.MISSING
        if len(starts) == 1 or metric.accumulation == "stock":
            return values[-1]
        if any(start not in typed and start <= self.today for start in starts):
            return Absence.MISSING
        return sum(values, Decimal(0)) if metric.accumulation == "sum" else Absence.NOT_APPLICABLE

    def target(
        self, row: KpiNode, member: MatrixMember, period: MatrixPeriod, sides: tuple[KpiNode, KpiNode] | None
    ) -> tuple[Decimal | None, Decimal | None]:
        """Target and upper bound at the asked grain, derived from the node's own frequency."""
        own = self.targets.get((row.pk, member.id), {})
        if not own or row.metric is None:
            return None, None
        if self.query.grain == row.frequency:
            found = own.get(period.start)
            return (found.value, found.upper) if found else (None, None)
        accumulation = row.metric.accumulation
        if self.query.grain == Grain.WEEK:
            month = self.week_month[period.start]
            found = own.get(month)
            total = self.month_days.get(month, 0)
            return (
                derive_shorter(accumulation, found.value if found else None, period.business_days, total),
                derive_shorter(accumulation, found.upper if found else None, period.business_days, total),
            )
        starts = self.base_starts[period.start]
        planned = [self.targets.get((side.pk, member.id), {}) for side in sides] if sides else [{}, {}]
        parts = [
            TargetPart(
                own[start].value if start in own else None,
                planned[0][start].value if start in planned[0] else None,
                planned[1][start].value if start in planned[1] else None,
            )
            for start in starts
        ]
        uppers = [TargetPart(own[start].upper if start in own else None) for start in starts]
        return derive_longer(accumulation, parts), derive_longer(accumulation, uppers)

    def arrange(
        self, shown: Sequence[KpiNode], rows: Sequence[KpiNode], cells: Mapping[str, list[list[Cell]]]
    ) -> KpiMatrix:
        by_code = {row.metric.code: row for row in rows if row.metric}
        locked = self.locked(shown)
        columns: dict[str, list[list[list[object]]]] = {name: [] for name in _COLUMNS}
        for row in shown:
            sides = self.sides(row, by_code)
            for name in _COLUMNS:
                columns[name].append([])
            for m, member in enumerate(self.members):
                line: list[dict[str, object]] = []
                for p, period in enumerate(self.periods):
                    lock = locked.get((row.pk, period.start, member.id))
                    if lock is not None and period.state == PeriodState.CLOSED:
                        line.append(_locked_column(lock))
                        continue
                    cell = cells[row.metric.code][m][p] if row.metric and row.metric.code in cells else _NOT_APPLICABLE
                    target, upper = self.target(row, member, period, sides)
                    line.append(_column(row, period, cell, target, upper))
                for name in _COLUMNS:
                    columns[name][-1].append([each[name] for each in line])
        return KpiMatrix(
            tree=self.query.tree,
            grain=self.query.grain,
            currency=company_settings().currency,
            generated_at=self.now,
            periods=self.periods,
            members=self.members,
            nodes=tuple(self.node(row) for row in shown),
            **columns,  # type: ignore[arg-type]
        )

    def sides(self, row: KpiNode, by_code: Mapping[str, KpiNode]) -> tuple[KpiNode, KpiNode] | None:
        """The nodes whose targets plan a rate: those of a formula that is one code divided by another."""
        definition = self.definitions.get(row.metric.code) if row.metric else None
        if definition is None or not self.periods:
            return None
        _number, spec = definition.at(self.periods[-1].start)
        if not isinstance(spec, Formula):
            return None
        codes = [each.strip() for each in spec.expression.split("/")]
        found = [by_code[code] for code in codes if code in by_code]
        return (found[0], found[1]) if len(codes) == len(found) == 2 else None

    def locked(self, rows: Sequence[KpiNode]) -> dict[tuple[int, date, int | None], LockedCell]:
        query = self.query
        closed = [period.start for period in self.periods if period.state == PeriodState.CLOSED]
        if query.is_live or query.org == "now" or query.line != OFFICIAL or not closed:
            return {}
        return {
            (each.node_id, each.period_start, each.member_id): each
            for each in LockedCell.objects.filter(
                node__in=rows, grain=query.grain, period_start__in=closed, dimension=query.dimension
            )
        }

    def node(self, row: KpiNode) -> MatrixNode:
        definition = self.definitions.get(row.metric.code) if row.metric else None
        if definition is None:
            return MatrixNode(row, None, None, False)
        number, _spec = definition.at(self.periods[-1].start if self.periods else self.today)
        references = {code: self.named(each) for code, each in self.definitions.items()}
        facts = {
            term.fact
            for code in needed(references, [row.metric.code])
            if code in self.definitions
            for _day, _number, spec in self.definitions[code].versions
            for term in specs.terms(spec)
        }
        streams = [self.streams.get(fact) for fact in facts]
        times = [stream.as_of if stream else None for stream in streams]
        as_of = None if not times or None in times else min(time for time in times if time)
        return MatrixNode(row, number, as_of, any(stream and stream.is_stale for stream in streams))


_COLUMNS = ("value", "numerator", "denominator", "target", "upper", "achievement", "status", "absence")
_NOT_APPLICABLE = Cell(Absence.NOT_APPLICABLE)


def _column(
    row: KpiNode, period: MatrixPeriod, cell: Cell, target: Decimal | None, upper: Decimal | None
) -> dict[str, object]:
    metric = row.metric
    status, reached = Status.NONE, None
    if metric is not None:
        status = judge(
            StatusInput(
                state=period.state,
                accumulation=metric.accumulation,
                direction=metric.direction,
                actual=cell.value,
                target=target,
                upper=upper,
                elapsed=period.elapsed,
                total=period.business_days,
            )
        )
        reached = achievement(cell.value, target, metric.direction, upper)
    return {
        "value": _number(cell.value),
        "numerator": _number(cell.numerator),
        "denominator": _number(cell.denominator),
        "target": target,
        "upper": upper,
        "achievement": reached,
        "status": str(status),
        "absence": str(cell.value) if isinstance(cell.value, Absence) else None,
    }


def _locked_column(lock: LockedCell) -> dict[str, object]:
    return {
        "value": lock.value,
        "numerator": lock.numerator,
        "denominator": lock.denominator,
        "target": lock.target,
        "upper": None,
        "achievement": lock.achievement,
        "status": lock.status,
        "absence": lock.absence or None,
    }


def _number(value: Value | None) -> Decimal | None:
    return None if isinstance(value, Absence) else value


def _state_of(states: Sequence[str]) -> str:
    """A longer period is as far as its least finished month."""
    for state in (PeriodState.OPEN, PeriodState.PROVISIONAL):
        if state in states:
            return state
    return PeriodState.CLOSED if states else PeriodState.OPEN
