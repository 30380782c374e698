"""A KPI tree as a page draws it: branches with their figures, the path that is worst, and how children join parents."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.choices import Level, Link
from kpis.engine import specs
from kpis.engine.formula import Binary, parse_formula
from kpis.models import KpiNode, MetricVersion
from kpis.selectors.contributions import Contributions
from kpis.selectors.figures import Figure, FigureReader
from kpis.selectors.matrix import KpiMatrix

FAILING = {"missed", "behind", "at_risk"}
SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}


@dataclass(frozen=True)
class Branch:
    """One node with what hangs below it. `link` joins it to its parent: a sign of arithmetic, or a word.

    `impact` is its part in the KGI's gap, of a KSF that of all below it; None where nothing is said of it. `is_part`:
    that part lies within another number's.
    """

    figure: Figure
    link: str
    owner_name: str
    children: tuple["Branch", ...]
    is_on_worst_path: bool = False
    impact: Decimal | None = None
    is_part: bool = False

    @property
    def below_count(self) -> int:
        """How many nodes hang below it, at any depth."""
        return sum(1 + child.below_count for child in self.children)

    @property
    def verdicts(self) -> list[Figure]:
        """The figures right below, for a KSF that has none of its own."""
        return [child.figure for child in self.children if child.figure.is_measured]


@dataclass(frozen=True)
class Row:
    """One line of the list view."""

    branch: Branch
    depth: int

    @property
    def css_level(self) -> str:
        return f"{self.branch.figure.level}-2" if self.depth > 3 else self.branch.figure.level


def read_branches(
    matrix: KpiMatrix, *, dimension: str, contributions: Contributions | None = None
) -> tuple[Branch, ...]:
    """The roots of the tree with figures of the matrix's last period and first member.

    The worst path leads to what costs most, where contributions tell; else along the lowest achievements.
    """
    figures = FigureReader(matrix, dimension=dimension).of_nodes()
    children: dict[int | None, list[KpiNode]] = defaultdict(list)
    for node in matrix.nodes:
        children[node.row.parent_id].append(node.row)
    signs = _signs([node.row for node in matrix.nodes])
    impacts = _impacts(children, contributions) if contributions else {}
    worst = _costliest_path(children, impacts, contributions) if contributions else set()
    worst = worst or _worst_path(children, figures)
    stated = {cause.node.pk for cause in contributions.causes} if contributions else set()
    parts = {share.node.pk for cause in contributions.causes for share in cause.starts} if contributions else set()

    def grow(row: KpiNode) -> Branch:
        return Branch(
            figure=figures[row.pk],
            link=_link(row, signs),
            owner_name=row.responsible.name if row.responsible else "",
            children=tuple(grow(child) for child in children[row.pk]),
            is_on_worst_path=row.pk in worst,
            impact=impacts.get(row.pk) if row.level != Level.KGI else None,
            is_part=row.pk in parts - stated,
        )

    return tuple(grow(row) for row in children[None])


def rows_of(branches: Sequence[Branch], depth: int = 1) -> Iterator[Row]:
    """The branches as lines, parents before their children."""
    for branch in branches:
        yield Row(branch, depth)
        yield from rows_of(branch.children, depth + 1)


def _link(row: KpiNode, signs: dict[int, str]) -> str:
    if row.parent_id is None:
        return ""
    sign = signs.get(row.parent_id) if row.link == Link.FORMULA else None
    return sign or str(Link(row.link).label)


def _signs(rows: Sequence[KpiNode]) -> dict[int, str]:
    """Node → the sign between the parts of its formula, for nodes whose metric is one; one query."""
    metrics = {row.metric_id: row.pk for row in rows if row.metric_id}
    found: dict[int, str] = {}
    versions = MetricVersion.objects.filter(metric__in=metrics).order_by("number")
    for metric, data in versions.values_list("metric_id", "spec"):
        spec = specs.parse_spec(data)
        top = parse_formula(spec.expression).expression if isinstance(spec, specs.Formula) else None
        if isinstance(top, Binary):
            found[metrics[metric]] = SIGNS[top.operator]
    return found


def _impacts(children: dict[int | None, list[KpiNode]], contributions: Contributions) -> dict[int, Decimal]:
    """Node → its part in the gap; a node without one of its own has that of the numbers below it, if any have.

    What lies within another number's part is not added up again.
    """
    inner = {share.node.pk for cause in contributions.causes for share in cause.starts}
    found: dict[int, Decimal] = {}

    def gather(row: KpiNode) -> Decimal | None:
        below = [amount for child in children[row.pk] if (amount := gather(child)) is not None]
        own = contributions.amount_of(row.pk)
        if own is None and below:
            found[row.pk] = sum(below, Decimal(0))
        elif own is not None:
            found[row.pk] = own
        told = [*below, *([own] if own is not None and row.pk not in inner else [])]
        return sum(told, Decimal(0)) if told else None

    for root in children[None]:
        gather(root)
    return found


def _costliest_path(
    children: dict[int | None, list[KpiNode]], impacts: dict[int, Decimal], contributions: Contributions
) -> set[int]:
    """From the KGI down, at each fork the child that costs most; empty while the KGI is not behind."""
    path: set[int] = set()
    here = next((row for row in children[None] if row.level == Level.KGI), None)
    while here is not None and contributions.is_adverse(contributions.gap):
        costly = [row for row in children[here.pk] if contributions.is_adverse(impacts.get(row.pk, Decimal(0)))]
        here = max(costly, key=lambda row: abs(impacts[row.pk]), default=None)
        if here is not None:
            path.add(here.pk)
    return path


def _worst_path(children: dict[int | None, list[KpiNode]], figures: dict[int, Figure]) -> set[int]:
    """From the root down, at each fork the child with the lowest achievement among those that fail."""
    path: set[int] = set()
    here = next((row for row in children[None] if row.level == Level.KGI), None)
    while here is not None:
        failing = [(reached, row) for row in children[here.pk] if (reached := _lowest(row, children, figures)) < 1]
        here = min(failing, key=lambda each: each[0])[1] if failing else None
        if here is not None:
            path.add(here.pk)
    return path


def _lowest(row: KpiNode, children: dict[int | None, list[KpiNode]], figures: dict[int, Figure]) -> float:
    """The lowest achievement among the failing figures of a node and of what hangs below it; 1 where none fails."""
    figure = figures[row.pk]
    is_failing = figure.status in FAILING and figure.achievement is not None
    own = float(figure.achievement or 0) if is_failing else 1.0
    return min([own, *(_lowest(child, children, figures) for child in children[row.pk])])
