"""Whether KPIs are fit for use: what is open about each, and the guidance beside its target."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from kpis.choices import DimensionCode, Grain, Level
from kpis.engine.quartiles import LEAST_MONTHS, Quartiles, quartiles
from kpis.engine.smart import DATA, REMARK_DAYS, TARGETS, Finding, KpiFacts, check_kpi
from kpis.engine.templates import SURVEY_NOTES, Benchmark, SurveyNote
from kpis.models import BenchmarkReview, KpiFinding, KpiNode, KpiTree, Period, Target
from kpis.selectors.definitions import newest_specs, sourced_codes
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.template_use import benchmarks_of_tree
from kpis.selectors.trees import nodes_of
from tenants.registry import navigation

HISTORY_MONTHS = 12


@dataclass(frozen=True)
class OpenFinding:
    """A finding as a page says it: evidence, proposal, when it is due, and where it is mended."""

    node: KpiNode
    code: str
    criterion: str
    is_fault: bool
    evidence: str
    proposal: str
    due_on: date
    is_overdue: bool
    url: str


@dataclass(frozen=True)
class Guidance:
    """What stands beside a KPI's target: industry figures, the own last months, and what somebody said about them.

    `months_missing` months are still needed before the own quartiles say anything (0: they are there).
    """

    benchmarks: Sequence[Benchmark]
    notes: Sequence[SurveyNote]
    own: Quartiles | None
    months_missing: int
    review: BenchmarkReview | None


def find_findings(
    tree: KpiTree, *, today: date, codes: Sequence[str] | None = None
) -> Mapping[KpiNode, Sequence[Finding]]:
    """KPI → what is open about it today, for every KPI of a tree or those of `codes`; a fixed number of queries."""
    nodes = list(nodes_of(tree))
    definitions = newest_specs()
    sourced = sourced_codes(definitions)
    targets = _first_targets(tree)
    due = Counter(Period.objects.filter(fiscal_year__start_year=tree.fiscal_year).values_list("grain", flat=True))
    history = read_history(tree, today=today, codes=codes)
    load = Counter(str(_person_of(node)) for node in nodes if node.level == Level.KPI and _person_of(node))
    by_id = {node.pk: node for node in nodes}
    return {
        node: check_kpi(
            KpiFacts(
                code=node.code,
                name=node.name,
                is_defined=node.metric is not None and node.metric.code in definitions,
                unit=node.metric.unit if node.metric else "",
                direction=node.metric.direction if node.metric else "up",
                person=str(_person_of(node) or ""),
                has_left=_has_left(node, today),
                has_source=node.metric is None or node.metric.code in sourced,
                target_count=targets.get(node.pk, (0, None))[0],
                due_count=due[node.frequency],
                first_target=targets.get(node.pk, (0, None))[1],
                history=history.get(node.code, ()),
                reason=node.reason,
                controllable_by=node.controllable_by,
                reaches_goal=reaches_goal(node, by_id),
                load=load[str(_person_of(node))],
            )
        )
        for node in nodes
        if node.level == Level.KPI and (codes is None or node.code in codes)
    }


def open_findings(tree: KpiTree, *, today: date, codes: Sequence[str] | None = None) -> list[OpenFinding]:
    """What is open about a tree's KPIs, in words, with the due date from the day it was first found."""
    due = {(row.node_id, row.code): row.due_on for row in KpiFinding.objects.filter(node__tree=tree)}
    return [
        _told(node, finding, due.get((node.pk, finding.code)), today)
        for node, findings in find_findings(tree, today=today, codes=codes).items()
        for finding in findings
    ]


def read_guidance(node: KpiNode, *, today: date) -> Guidance:
    """The guidance beside a KPI's target."""
    code = node.metric.code if node.metric else ""
    values = read_history(node.tree, today=today, codes=[node.code]).get(node.code, ())
    return Guidance(
        benchmarks=benchmarks_of_tree(node.tree, code),
        notes=SURVEY_NOTES.get(code, ()),
        own=quartiles(values) if len(values) >= LEAST_MONTHS else None,
        months_missing=max(LEAST_MONTHS - len(values), 0),
        review=BenchmarkReview.objects.select_related("reviewed_by").filter(node=node).first(),
    )


def read_history(tree: KpiTree, *, today: date, codes: Sequence[str] | None = None) -> Mapping[str, Sequence[Decimal]]:
    """Node's code → the company's values of the last twelve complete months, those that have one."""
    months = list(Period.objects.filter(grain=Grain.MONTH, end_date__lte=today).order_by("-end_date")[:HISTORY_MONTHS])
    if not months:
        return {}
    query = MatrixQuery(
        tree, Grain.MONTH, months[-1].start_date, months[0].end_date, codes=codes, dimension=DimensionCode.COMPANY
    )
    matrix = build_matrix(query, now=timezone.make_aware(datetime.combine(today, time(23, 59))))
    return {
        node.row.code: [value for value in matrix.value[n][0] if value is not None]
        for n, node in enumerate(matrix.nodes)
    }


def reaches_goal(node: KpiNode, by_id: Mapping[int, KpiNode]) -> bool:
    """Whether the way up passes a KSF and ends at the KGI."""
    levels: list[str] = []
    parent = by_id.get(node.parent_id or 0)
    while parent is not None and len(levels) < len(by_id):
        levels.append(parent.level)
        parent = by_id.get(parent.parent_id or 0)
    return Level.KSF in levels and levels[-1:] == [Level.KGI]


def _first_targets(tree: KpiTree) -> dict[int, tuple[int, Decimal | None]]:
    """Node → how many periods have an official target of the company, and the earliest of them."""
    found: dict[int, tuple[int, Decimal | None]] = {}
    rows = Target.objects.filter(node__tree=tree, line=tree.official_line, dimension=DimensionCode.COMPANY).order_by(
        "period_start"
    )
    for node_id, value in rows.values_list("node_id", "value"):
        count, first = found.get(node_id, (0, value))
        found[node_id] = (count + 1, first)
    return found


def _person_of(node: KpiNode) -> object | None:
    return node.responsible or node.responsible_user


def _has_left(node: KpiNode, today: date) -> bool:
    person = node.responsible
    if person is not None:
        return person.deleted_at is not None or (person.left_on is not None and person.left_on <= today)
    return node.responsible_user is not None and not node.responsible_user.is_active


def _told(node: KpiNode, finding: Finding, due_on: date | None, today: date) -> OpenFinding:
    evidence, proposal = finding.said(gettext)
    due = due_on or (today if finding.is_fault else today + timedelta(days=REMARK_DAYS))
    return OpenFinding(
        node=node,
        code=finding.code,
        criterion=finding.criterion,
        is_fault=finding.is_fault,
        evidence=evidence,
        proposal=proposal,
        due_on=due,
        is_overdue=due < today,
        url=_mended_at(node, finding.place),
    )


def _mended_at(node: KpiNode, place: str) -> str:
    """Where it is mended: in the target grid, where data comes in (the navigation knows), else in the tree editor."""
    if place == TARGETS:
        asked = {"tree": node.tree.public_id} | ({"grain": Grain.WEEK} if node.frequency == Grain.WEEK else {})
        return f"{reverse('target-grid')}?{urlencode(asked)}"
    entry = navigation.get(place) if place == DATA else None
    if entry is not None:
        return reverse(entry.url_name)
    return f"{reverse('tree-edit', args=[node.tree.public_id])}?{urlencode({'node': node.code})}"
