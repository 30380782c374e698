"""What becomes of a client's sheet: the choices that a person makes for each KPI, name and row, and what is likely."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext

from kpis.choices import Accumulation, Direction, Level, TreeStatus, Unit
from kpis.engine.cross_tab import Check, Context, Kind, Line, Reading, SheetUnit, Verdict, plain
from kpis.models import DimensionMember, KpiNode, KpiTree, Metric
from kpis.selectors.calendar import calendar_rules
from tenants.settings.selectors import company_settings

# Where a KPI of the sheet goes in the tree: it is the KGI, below the KSF that is made for the sheet, below a node that
# is there (the prefix with its code), or nowhere.
GOAL, FACTOR, NOWHERE, BELOW = "goal", "factor", "", "below:"
SEGMENTS = ("team", "person")
NAME_LENGTH = 200
_GOALS = re.compile(r"受注額|売上|受注高|粗利|sales|bookings|revenue")
_DOWN = re.compile(r"解約|失注|日数|期間|コスト|費用|クレーム|離脱|休眠|churn")
_AVERAGES = re.compile(r"平均|単価|1件あたり|1人あたり")


class Use(StrEnum):
    """What a KPI of the sheet becomes."""

    NEW = "new"
    EXISTING = "existing"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class KpiChoice:
    """What becomes of one KPI; `metric` is the one it is, where it is there already. `place` is read above.

    `adds_up`: where the sheet has people or teams but no total, the company's number is their sum.
    """

    use: Use
    name: str
    unit: SheetUnit
    accumulation: str = Accumulation.SUM.value
    direction: str = Direction.UP.value
    place: str = NOWHERE
    metric: Metric | None = None
    adds_up: bool = True


@dataclass(frozen=True, slots=True)
class StartChoices:
    """Everything that a person decides about a sheet.

    `tree` is None for a new one of `tree_name` and `fiscal_year`; `factor` names the KSF that is made for the sheet
    ("" = none). `kpis` and `segments` go by plain name, `kinds` by line; a segment or line of None is left out.
    """

    tree: KpiTree | None
    tree_name: str
    fiscal_year: int
    factor: str = ""
    kpis: Mapping[str, KpiChoice] = field(default_factory=dict)
    segments: Mapping[str, DimensionMember | None] = field(default_factory=dict)
    kinds: Mapping[str, Kind | None] = field(default_factory=dict)

    @property
    def year(self) -> int:
        """The fiscal year of the targets."""
        return self.tree.fiscal_year if self.tree else self.fiscal_year

    def kind_of(self, line: Line) -> Kind | None:
        """What a line is taken for; None where it is left out."""
        return self.kinds.get(line.key, line.kind)


def sheet_context(fiscal_year: int, units: Mapping[str, SheetUnit] | None = None) -> Context:
    """What the company knows that a sheet takes for granted; three queries."""
    return Context(
        fiscal_year=fiscal_year,
        start_month=calendar_rules()[-1].start_month,
        first_term_year=company_settings().first_term_year,
        names=frozenset(members_by_name()),
        units=units or {},
    )


def members_by_name() -> dict[str, DimensionMember | None]:
    """Plain name (or alias) → the team or person of that name; None where several have it. One query."""
    found: dict[str, set[int]] = defaultdict(set)
    rows = DimensionMember.objects.select_related("dimension").filter(
        dimension__code__in=SEGMENTS, is_active=True, is_unassigned=False
    )
    by_id = {row.pk: row for row in rows}
    for row in by_id.values():
        for name in (row.name, *row.aliases):
            found[plain(str(name))].add(row.pk)
    return {name: by_id[next(iter(ids))] if len(ids) == 1 else None for name, ids in found.items() if name}


def likely_tree(reading: Reading, *, fiscal_year: int) -> KpiTree | None:
    """The tree that has KPIs of the sheet already, in the year of its targets; None where it would be a new one."""
    return _tree_with(_known_metrics(reading), _year_of_targets(reading, fiscal_year))


def propose_choices(reading: Reading, *, fiscal_year: int, name: str, tree: KpiTree | None) -> StartChoices:
    """What is likely meant by a sheet called `name` that goes into `tree` (None: a new one); six queries.

    People and teams are matched by name or not at all. `fiscal_year` holds where the sheet has no target.
    """
    known = _known_metrics(reading)
    year = _year_of_targets(reading, fiscal_year)
    members = members_by_name()
    places = _Places(tree)
    return StartChoices(
        tree=tree,
        tree_name=(reading.title or name)[:NAME_LENGTH],
        fiscal_year=year,
        factor="" if places.factor else gettext("Sales activity (to be named)"),
        kpis={plain(kpi): _propose_kpi(kpi, reading, known.get(plain(kpi)), places) for kpi in reading.kpis},
        segments={plain(segment): members.get(plain(segment)) for segment in reading.segments},
    )


def _known_metrics(reading: Reading) -> dict[str, Metric]:
    """KPI of the sheet → the metric of the same name, where there is one only."""
    kpis = {plain(kpi) for kpi in reading.kpis}
    metrics = [metric for metric in Metric.objects.all() if plain(metric.name) in kpis]
    count = Counter(plain(metric.name) for metric in metrics)
    return {plain(metric.name): metric for metric in metrics if count[plain(metric.name)] == 1}


def _year_of_targets(reading: Reading, otherwise: int) -> int:
    """The fiscal year of most targets of the sheet."""
    rules = Context(otherwise, calendar_rules()[-1].start_month)
    aims = (Kind.BUDGET, Kind.TARGET, Kind.STRETCH)
    years = Counter(
        rules.fiscal_year_of(cell.month)
        for line in reading.lines
        if line.kind in aims
        for cell in line.cells
        if cell.value is not None
    )
    return years.most_common(1)[0][0] if years else otherwise


def _tree_with(known: Mapping[str, Metric], year: int) -> KpiTree | None:
    """The tree of a year that has most of these metrics, one that is a draft before one in force."""
    nodes = KpiNode.objects.filter(metric__in=known.values(), tree__fiscal_year=year).select_related("tree")
    trees = [node.tree for node in nodes if node.tree.status != TreeStatus.RETIRED]
    count = Counter(tree.pk for tree in trees)
    return max(trees, key=lambda each: (count[each.pk], each.status == TreeStatus.DRAFT, -each.pk), default=None)


class _Places:
    """Where the KPIs of a sheet go, one after the other: the first that can be is the KGI where there is none yet."""

    def __init__(self, tree: KpiTree | None) -> None:
        nodes = list(tree.nodes.order_by("position", "id")) if tree else []
        self.has_goal = any(node.level == Level.KGI for node in nodes)
        self.factor = next((node.code for node in nodes if node.level == Level.KSF), "")

    def take(self, name: str) -> str:
        if not self.has_goal and _GOALS.search(plain(name)):
            self.has_goal = True
            return GOAL
        return f"{BELOW}{self.factor}" if self.factor else FACTOR


def _propose_kpi(kpi: str, reading: Reading, metric: Metric | None, places: _Places) -> KpiChoice:
    unit = next(line.unit for line in reading.lines if line.kpi == kpi)
    if metric is not None:
        own = SheetUnit(metric.unit, unit.scale if unit.unit == metric.unit else 1, is_stated=True)
        place = places.take(kpi)
        return KpiChoice(Use.EXISTING, metric.name, own, metric.accumulation, metric.direction, place, metric)
    return KpiChoice(
        Use.NEW,
        kpi[:NAME_LENGTH],
        unit,
        _likely_accumulation(kpi, unit.unit, [check for check in reading.checks if check.kpi == kpi]),
        (Direction.DOWN if _DOWN.search(plain(kpi)) else Direction.UP).value,
        places.take(kpi),
    )


def _likely_accumulation(kpi: str, unit: str, checks: Sequence[Check]) -> str:
    """How the months of a KPI come together: as the sheet's own totals do, else as its unit and name make likely."""
    if unit == Unit.PERCENT:
        return Accumulation.RATE.value
    hows = Counter(check.how for check in checks if check.verdict is not Verdict.DIFFERS and check.heading)
    shown = {"sum": Accumulation.SUM, "last": Accumulation.STOCK, "average": Accumulation.AVERAGE}
    if hows:
        return shown[hows.most_common(1)[0][0]].value
    is_average = unit in {Unit.DAYS, Unit.SCORE, Unit.RATIO} or _AVERAGES.search(plain(kpi))
    return (Accumulation.AVERAGE if is_average else Accumulation.SUM).value
