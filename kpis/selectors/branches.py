"""A KPI tree as a page draws it: branches with their figures, the path that is worst, and how children join parents."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kpis.choices import Level, Link
from kpis.engine import specs
from kpis.engine.formula import Binary, parse_formula
from kpis.models import KpiNode, MetricVersion
from kpis.selectors.figures import Figure, FigureReader
from kpis.selectors.matrix import KpiMatrix

FAILING = {"missed", "behind", "at_risk"}
SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}


@dataclass(frozen=True)
class Branch:
    """One node with what hangs below it. `link` joins it to its parent: a sign of arithmetic, or a word."""

    figure: Figure
    link: str
    owner_name: str
    children: tuple["Branch", ...]
    is_on_worst_path: bool = False

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


def read_branches(matrix: KpiMatrix, *, dimension: str) -> tuple[Branch, ...]:
    """The roots of the tree with figures of the matrix's last period and first member."""
    figures = FigureReader(matrix, dimension=dimension).of_nodes()
    children: dict[int | None, list[KpiNode]] = defaultdict(list)
    for node in matrix.nodes:
        children[node.row.parent_id].append(node.row)
    signs = _signs([node.row for node in matrix.nodes])
    worst = _worst_path(children, figures)

    def grow(row: KpiNode) -> Branch:
        return Branch(
            figure=figures[row.pk],
            link=_link(row, signs),
            owner_name=row.responsible.name if row.responsible else "",
            children=tuple(grow(child) for child in children[row.pk]),
            is_on_worst_path=row.pk in worst,
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
