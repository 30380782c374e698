"""What a number stands on: records on its sides, the metrics of its formula, or what was written down on a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kpis.choices import DimensionCode, Grain
from kpis.engine import specs
from kpis.engine.cells import Cell
from kpis.engine.formula import Binary, Name, parse_formula
from kpis.engine.sides import DENOMINATOR, NUMERATOR, Counted, Customers, Side, Sides, counted, has_one_value, sides_of
from kpis.engine.specs import Formula, Simple, Snapshot, Spec
from kpis.models import DimensionMember, KpiTree, Metric, MetricSnapshot, Period
from kpis.selectors.customers import read_customers
from kpis.selectors.matrix import MatrixQuery, read_cells
from kpis.selectors.matrix.axes import load_periods
from kpis.selectors.matrix.loading import load_definitions, load_snapshots
from kpis.selectors.measures import is_money
from kpis.selectors.records import RecordPage, Where, find_version, read_counted, side_opens, window_opens


@dataclass(frozen=True, slots=True)
class CellAddress:
    """Which number: a metric in a period, of the company or one member of a dimension, organised as `org` says."""

    metric: Metric
    period: Period
    dimension: str = DimensionCode.COMPANY
    member: DimensionMember | None = None
    org: str = "then"


@dataclass(frozen=True, slots=True)
class Operand:
    """A metric that a formula names, with its value in the same cell."""

    metric: Metric
    cell: Cell


def find_spec(metric: Metric, *, day: date) -> Spec | None:
    """What a metric was on a day; None without any definition."""
    version = find_version(metric, day=day)
    return specs.parse_spec(version.spec) if version else None


def find_sides(metric: Metric, period: Period) -> Sides:
    """Side → what stands on it, through a division of two counted metrics; empty where no records make a side up.

    Windows of customers are kept by the month and longer: a week has none.
    """
    spec = find_spec(metric, day=period.start_date)
    if isinstance(spec, Formula):
        return _sides_of_quotient(spec, period)
    sides = sides_of(spec) if spec else {}
    is_too_short = period.grain == Grain.WEEK and any(isinstance(side, Customers) for side in sides.values())
    return {} if is_too_short else sides


def _sides_of_quotient(formula: Formula, period: Period) -> Sides:
    top = parse_formula(formula.expression).expression
    if not (isinstance(top, Binary) and top.operator == "/"):
        return {}
    above, below = (_counted_by(each, period) for each in (top.left, top.right))
    return {NUMERATOR: counted(above), DENOMINATOR: counted(below)} if above and below else {}


def _counted_by(expression: object, period: Period) -> Simple | None:
    metric = Metric.objects.filter(code=expression.code).first() if isinstance(expression, Name) else None
    spec = find_spec(metric, day=period.start_date) if metric else None
    return spec if isinstance(spec, Simple) and has_one_value(spec) else None


def read_side(side: Side, period: Period, where: Where, *, offset: int = 0, limit: int = 50) -> RecordPage:
    """What stands on a side of a number, a page at a time; its total is that side of the cell."""
    if isinstance(side, Counted):
        return read_counted(side, period, where, offset=offset, limit=limit)
    return read_customers(side, period, where, offset=offset, limit=limit)


def is_of_money(side: Side) -> bool:
    """Whether the shares of a side are money of the company's currency."""
    if isinstance(side, Customers):
        return side.part not in {"customers", "lost", "repeaters", "new", "dormant"}
    term = side.parts[0].term
    return is_money(term) and not side.is_cases and term.aggregate != "distinct"


def stretch_of(side: Side, period: Period) -> tuple[date, date]:
    """From which day to before which the events lie that a side reads."""
    if isinstance(side, Counted):
        return (date.min, date.max) if side.is_stock else (side_opens(side, period), period.end_date)
    if side.window.subject in {"retention", "history"}:
        return date.min, period.end_date
    return window_opens(side.window.months, period), period.end_date


def find_kept(address: CellAddress, tree: KpiTree) -> MetricSnapshot | None:
    """What was written down that a snapshot metric shows in this cell; None where nothing was, or of other metrics."""
    metric, period = address.metric, address.period
    spec = find_spec(metric, day=period.start_date)
    if not isinstance(spec, Snapshot):
        return None
    query = _query(address, tree)
    periods = load_periods(query.grain, query.start, query.end, today=period.start_date)
    rows = load_snapshots(query, load_definitions({metric.code}), list(tree.nodes.all()), periods)
    narrowing = metric.pk if spec.filters else None
    return rows.get((spec.measure, narrowing, period.start_date, address.member.pk if address.member else None))


def names_of(metric: Metric, *, day: date) -> Sequence[str]:
    """The codes that a metric's formula names, in order of appearance; none of other metrics."""
    spec = find_spec(metric, day=day)
    return parse_formula(spec.expression).names if isinstance(spec, Formula) else ()


def find_operand(metric: Metric, code: str, *, day: date) -> Metric | None:
    """The metric of that code, if this one's formula is made of it, directly or through another formula."""
    waiting, seen = list(names_of(metric, day=day)), set()
    while waiting:
        name = waiting.pop()
        found = Metric.objects.filter(code=name).first() if name not in seen else None
        if found is not None and name == code:
            return found
        seen.add(name)
        waiting += names_of(found, day=day) if found else ()
    return None


def read_operands(address: CellAddress, tree: KpiTree, *, now: datetime) -> list[Operand]:
    """The metrics that a formula is made of, with their live values in the same cell."""
    names = names_of(address.metric, day=address.period.start_date)
    if not names:
        return []
    cells = read_cells(_query(address, tree), names, now=now)
    metrics = {row.code: row for row in Metric.objects.filter(code__in=names)}
    return [Operand(metrics[code], cells[code]) for code in dict.fromkeys(names) if code in metrics and code in cells]


def _query(address: CellAddress, tree: KpiTree) -> MatrixQuery:
    start = address.period.start_date
    return MatrixQuery(
        tree=tree,
        grain=address.period.grain,
        start=start,
        end=start + timedelta(days=1),
        dimension=address.dimension,
        org=address.org,
        member_ids=None if address.member is None else [address.member.pk],
    )
