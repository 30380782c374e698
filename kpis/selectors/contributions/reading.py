"""What an explanation is made from: the numbers of one column of the matrix, definitions, and formulas."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property

from kpis.choices import Accumulation, Level, Link, PeriodState, Unit
from kpis.engine.contribution import Numbers
from kpis.engine.formula import Expression
from kpis.engine.identities import Described, formulas_for
from kpis.engine.levers import needed_value
from kpis.engine.pace import Due, usual_share
from kpis.engine.records import YEN_LIKE
from kpis.engine.values import Absence, Value
from kpis.models import KpiNode
from kpis.selectors.matrix import KpiMatrix
from kpis.selectors.matrix.loading import load_definitions

CENT = Decimal("0.01")
SMALL_STEP = Decimal("0.000001")


class Reading:
    """The last period and first member of a matrix of all nodes, by metric code."""

    def __init__(self, matrix: KpiMatrix, to_date: bool) -> None:
        self.matrix = matrix
        self.period = matrix.periods[-1]
        self.is_to_date = to_date and self.period.state == PeriodState.OPEN and self.period.business_days > 0
        self.parents = {each.row.pk: each.row.parent_id for each in matrix.nodes}
        self.nodes: dict[str, KpiNode] = {}
        self.numbers: dict[str, Numbers] = {}
        for n, each in enumerate(matrix.nodes):
            code = each.row.metric.code if each.row.metric else ""
            if code and (code not in self.numbers or not self.numbers[code].is_told):
                self.nodes[code] = each.row
                self.numbers[code] = self._numbers(n, each.row)

    def _numbers(self, n: int, node: KpiNode) -> Numbers:
        assert node.metric is not None
        absence, value = self.matrix.absence[n][0][-1], self.matrix.value[n][0][-1]
        target = self.matrix.target[n][0][-1]
        actual: Value = Absence(absence or Absence.MISSING) if value is None else value
        if target is not None and node.metric.accumulation == Accumulation.SUM:
            target *= self.pace
        return Numbers(actual, target)

    @cached_property
    def due(self) -> Due | None:
        """How much of every flow's target is due: what the KGI is judged by; None where the whole target counts.

        One share for all, or targets that make up the KGI's would not make up what is due of it.
        """
        if not self.is_to_date:
            return None
        goal = next(
            (n for n, each in enumerate(self.matrix.nodes) if each.row.level == Level.KGI and each.row.metric), 0
        )
        return self.matrix.due[goal][-1] or usual_share(self.period.elapsed, self.period.business_days)

    @property
    def pace(self) -> Decimal:
        """The share of a flow's target that is due."""
        return self.due.share if self.due else Decimal(1)

    @cached_property
    def goal(self) -> KpiNode | None:
        return next((row for row in self.nodes.values() if row.level == Level.KGI), None)

    @cached_property
    def root(self) -> str:
        assert self.goal is not None
        assert self.goal.metric is not None
        return self.goal.metric.code

    @cached_property
    def metrics(self) -> Mapping[str, Described]:
        """Every metric that the tree's ones need, as defined in the period; two queries."""
        found = load_definitions(set(self.nodes))
        return {
            code: Described(each.at(self.period.start)[1], each.metric.unit, each.metric.accumulation)
            for code, each in found.items()
        }

    @cached_property
    def formulas(self) -> Mapping[str, Expression]:
        """What the KGI is taken apart into (kpis.engine.identities), links by formula and high places first."""
        if self.root not in self.metrics:
            return {}
        known = [code for code in self.nodes if code in self.metrics and code != self.root]
        return formulas_for(
            self.root,
            self.metrics,
            sorted(known, key=lambda code: (self.nodes[code].link != Link.FORMULA, self._depth(self.nodes[code]))),
            planned={code for code, numbers in self.numbers.items() if numbers.is_told},
            summands=[code for code in known if self._is_summand(code)],
        )

    def needed(self, code: str) -> Decimal | None:
        """What the lever alone would have to be for the target; None where that is no value it can have."""
        actuals = {each: numbers.actual for each, numbers in self.numbers.items()}
        goal = self.numbers[self.root].target
        found = None if goal is None else needed_value(self.root, code, self.formulas, actuals, goal)
        if found is None or found < 0 or (self.metrics[code].unit == Unit.PERCENT and found > 1):
            return None
        return found

    def _depth(self, row: KpiNode) -> int:
        return len(self._above(row))

    def _above(self, row: KpiNode) -> list[int]:
        """The places above a node, the nearest first."""
        found: list[int] = []
        at = row.parent_id
        while at is not None and at not in found:
            found.append(at)
            at = self.parents.get(at)
        return found

    def _is_summand(self, code: str) -> bool:
        """Whether the tree says that the KGI adds up from it: linked by formula, nothing but factors in between."""
        row, metric = self.nodes[code], self.metrics[code]
        measured = {each.pk for each in self.nodes.values()}
        nearest = next((place for place in self._above(row) if place in measured), None)
        is_alike = (metric.unit, metric.accumulation) == (self.metrics[self.root].unit, Accumulation.SUM)
        return row.link == Link.FORMULA and is_alike and self.goal is not None and nearest == self.goal.pk

    @property
    def step(self) -> Decimal:
        """What the KGI is counted in: the currency's unit, hundredths of shared deals, or what a rate needs."""
        assert self.goal is not None
        assert self.goal.metric is not None
        unit = self.goal.metric.unit
        if unit == Unit.AMOUNT:
            return Decimal(1) if self.matrix.currency in YEN_LIKE else CENT
        return CENT if unit == Unit.COUNT else SMALL_STEP
