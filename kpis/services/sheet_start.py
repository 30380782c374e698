"""A client's sheet becomes metrics, nodes, targets and actuals: all that was looked at, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from kpis.choices import Level
from kpis.engine.cross_tab import Reading, plain
from kpis.engine.issues import gettext_noop
from kpis.models import KpiNode, KpiTree, Metric, TargetRequest
from kpis.selectors.sheet_start import BELOW, FACTOR, GOAL, PlannedKpi, StartChoices, StartPlan, plan_start
from kpis.services.calendar import cover_stretch
from kpis.services.definitions import create_metric
from kpis.services.entries import ValueEntry, enter_values
from kpis.services.refusal import RefusedError
from kpis.services.target_requests import set_or_request
from kpis.services.targets import TargetEntry
from kpis.services.trees import create_node, create_tree

MOST_TARGETS = 5_000  # each with its revision: more take longer than a person waits


class SheetStartError(RefusedError):
    """A sheet that is not taken over."""

    code = "invalid_sheet"


@dataclass(frozen=True, slots=True)
class Started:
    """What was made. `request` holds the targets that wait for approval, None where they are in force at once."""

    tree: KpiTree
    metrics: int
    nodes: int
    targets: int
    actuals: int
    request: TargetRequest | None


def start_from_sheet(
    *, reading: Reading, choices: StartChoices, seen: str, source: str, actor: Any, now: datetime
) -> Started:
    """Make what a sheet says by the choices of a person, whole or not at all.

    `seen` is the digest of the plan that was looked at, `source` says in words where the numbers are from; it stays
    with every target and value. Raises SheetStartError where something was changed since the plan was looked at, and
    what the services of metrics, nodes, targets and values raise.
    """
    with transaction.atomic():
        _one_at_a_time()
        plan = plan_start(reading, choices, today=timezone.localdate(now))
        if plan.digest != seen:
            raise SheetStartError(
                gettext_noop("What would be made is no longer what was shown. Look at it again, then confirm.")
            )
        if sum(len(kpi.targets) for kpi in plan.kpis) > MOST_TARGETS:
            raise SheetStartError(
                gettext_noop("More than %(most)s targets would be set. Send the sheet in parts."), most=MOST_TARGETS
            )
        return _Start(plan, source, actor, now).run()


def _one_at_a_time() -> None:
    """Who confirms twice, or beside somebody else, is told by the digest what was made meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':sheet_start'))")


class _Start:
    def __init__(self, plan: StartPlan, source: str, actor: Any, now: datetime) -> None:
        self.plan, self.source = plan, source
        self.acting: dict[str, Any] = {"actor": actor, "now": now}
        self.node_count = 0

    def run(self) -> Started:
        numbers = self.plan.numbers
        if numbers:
            starts = [each.start for each in numbers]
            cover_stretch(start=min(starts), end=max(starts).replace(day=28))
        tree = self._tree()
        metrics = {kpi.key: self._metric(kpi) for kpi in self.plan.kpis}
        nodes = self._nodes(tree, metrics)
        request = self._set_targets(nodes)
        entries = self._entries(metrics)
        enter_values(entries=entries, **self.acting)
        return Started(
            tree,
            sum(kpi.is_new_metric for kpi in self.plan.kpis),
            self.node_count,
            sum(len(kpi.targets) for kpi in self.plan.kpis),
            len(entries),
            request,
        )

    def _tree(self) -> KpiTree:
        choices = self.plan.choices
        return choices.tree or create_tree(name=choices.tree_name, fiscal_year=choices.fiscal_year, **self.acting)

    def _metric(self, kpi: PlannedKpi) -> Metric:
        choice = kpi.choice
        return choice.metric or create_metric(
            code=_free_code(choice.name),
            name=choice.name,
            unit=choice.unit.unit,
            accumulation=choice.accumulation,
            direction=choice.direction,
            spec={"kind": "manual"},
            **self.acting,
        )

    # --- places in the tree, the KGI before what hangs below it ---

    def _nodes(self, tree: KpiTree, metrics: Mapping[str, Metric]) -> dict[str, KpiNode]:
        nodes = {kpi.key: kpi.node for kpi in self.plan.kpis if kpi.node is not None}
        new = [kpi for kpi in self.plan.kpis if kpi.is_new_node]
        for kpi in sorted(new, key=lambda each: each.choice.place != GOAL):
            level = Level.KGI if kpi.choice.place == GOAL else Level.KPI
            parent = None if level == Level.KGI else self._parent(tree, kpi.choice.place)
            nodes[kpi.key] = create_node(
                tree=tree, metric=metrics[kpi.key], level=level.value, parent=parent, **self.acting
            )
            self.node_count += 1
        return nodes

    def _parent(self, tree: KpiTree, place: str) -> KpiNode | None:
        if place == FACTOR:
            return self._factor(tree)
        code = place.removeprefix(BELOW)
        found = tree.nodes.filter(code=code).first()
        if found is None:
            raise SheetStartError(
                gettext_noop("The tree has no node %(code)s any more. Choose a place again."), code=code
            )
        return found

    def _factor(self, tree: KpiTree) -> KpiNode | None:
        """The KSF of the sheet, made below the KGI where it is not there; None where it has no name."""
        name = self.plan.choices.factor
        if not name:
            return None
        known = [node for node in tree.nodes.filter(level=Level.KSF) if plain(node.name) == plain(name)]
        if known:
            return known[0]
        goal = tree.nodes.filter(level=Level.KGI).first()
        self.node_count += 1
        return create_node(tree=tree, name=name, level=Level.KSF.value, parent=goal, **self.acting)

    # --- numbers ---

    def _set_targets(self, nodes: Mapping[str, KpiNode]) -> TargetRequest | None:
        entries = [
            TargetEntry(
                node=nodes[kpi.key],
                period_start=each.start,
                value=each.new,
                dimension=each.dimension,
                member=each.member,
                line=each.line,
                reason=self.source,
            )
            for kpi in self.plan.kpis
            for each in kpi.targets
        ]
        return set_or_request(entries=entries, **self.acting) if entries else None

    def _entries(self, metrics: Mapping[str, Metric]) -> list[ValueEntry]:
        return [
            ValueEntry(
                metric=metrics[kpi.key],
                period_start=each.start,
                value=each.new,
                dimension=each.dimension,
                member=each.member,
                note=f"{self.source} {each.address}",
            )
            for kpi in self.plan.kpis
            for each in kpi.actuals
        ]


def _free_code(name: str) -> str:
    """A code for a metric: its name in plain letters where it begins with one, else kpi, numbered where taken."""
    letters = slugify(name).replace("-", "_").strip("_")[:50]
    base = letters if letters[:1].isalpha() else "kpi"
    taken = set(Metric.objects.filter(code__startswith=base).values_list("code", flat=True))
    numbered = (f"{base}_{number}" for number in range(2, len(taken) + 3))
    return next(code for code in (base, *numbered) if code not in taken)
