"""What the checklist asks of trees, targets and results: items 1-5, 7 and 15-17, read from the state of the company."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kpis.choices import DIMENSIONS, Grain, Level, TreeStatus
from kpis.engine import formats
from kpis.engine.values import Absence
from kpis.models import BackCalculation, BenchmarkReview, Dimension, FiscalYear, KpiNode, KpiTree, Period, Target
from kpis.selectors.back_calculation.agreement import read_deviations
from kpis.selectors.back_calculation.places import read_places
from kpis.selectors.back_calculation.wording import stage_words
from kpis.selectors.fitness import open_findings, reaches_goal
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.template_use import benchmark_lookup
from tenants.registry import ItemState, ItemStatus

MOST_FACTORS = 5
MOVED_SHARE = 0.70
BOTH_SHARE = 0.95
TREND_SHARE, TREND_PERIODS = 0.80, 6
FILLED_SHARE, UNASSIGNED_SHARE, FILLED_DIMENSIONS = 0.90, 0.05, 3
SEGMENT_WINDOW = timedelta(days=365)
# Reasons why there is no number that are answers in themselves; missing data and errors are not.
ANSWERS = {Absence.NO_DENOMINATOR, Absence.MATURING, Absence.TOO_FEW, Absence.NOT_APPLICABLE}


def check_goal(today: date) -> ItemState:
    """Item 1: each active tree has one KGI with a target for the whole year, a metric, and a person."""
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    faults = []
    for tree in trees:
        goals = [node for node in tree.nodes.all() if node.level == Level.KGI]
        if len(goals) != 1:
            faults.append(_("%(tree)s has %(count)s KGIs instead of one.") % {"tree": tree, "count": len(goals)})
            continue
        (goal,) = goals
        months = Target.objects.filter(node=goal, member=None, line=tree.official_line).count()
        due = Period.objects.filter(grain=goal.frequency, fiscal_year__start_year=tree.fiscal_year).count()
        if goal.metric is None:
            faults.append(_("%(node)s has no metric.") % {"node": goal})
        if not (goal.responsible_id or goal.responsible_user_id):
            faults.append(_("%(node)s has no KPI owner.") % {"node": goal})
        if months < due:
            params = {"node": goal, "months": months, "due": due}
            faults.append(_("%(node)s has targets for %(months)s of %(due)s periods of the year.") % params)
    evidence = _("Active trees: %(count)s.") % {"count": len(trees)}
    return _verdict(faults, evidence)


def check_factors(today: date) -> ItemState:
    """Item 2: one to five KSFs, each with its reason and a KPI below."""
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    faults, count = [], 0
    for tree in trees:
        nodes = list(tree.nodes.all())
        factors = [node for node in nodes if node.level == Level.KSF]
        count += len(factors)
        if not 1 <= len(factors) <= MOST_FACTORS:
            params = {"tree": tree, "count": len(factors), "most": MOST_FACTORS}
            faults.append(_("%(tree)s has %(count)s KSFs; one to %(most)s can be kept in mind.") % params)
        for factor in factors:
            if not factor.reason.strip():
                faults.append(_("Say why %(node)s decides.") % {"node": factor})
            if not any(node.parent_id == factor.pk and node.level == Level.KPI for node in nodes):
                faults.append(_("%(node)s has no KPI below it.") % {"node": factor})
    return _verdict(faults, _("KSFs: %(count)s.") % {"count": count})


def check_worked_back(today: date) -> ItemState:
    """Item 3: every KPI reaches the KGI through a KSF; a back-calculation was applied; the targets still lead to it.

    Done once, it regresses when targets change so that they no longer reproduce the KGI's within 5 %.
    """
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    nodes = [node for tree in trees for node in tree.nodes.all()]
    by_id = {node.pk: node for node in nodes}
    kpis = [node for node in nodes if node.level == Level.KPI]
    loose = [node for node in kpis if not reaches_goal(node, by_id)]
    evidence = _("KPIs that reach the KGI through a KSF: %(linked)s of %(all)s.") % {
        "linked": len(kpis) - len(loose),
        "all": len(kpis),
    }
    if loose:
        step = _("Put these KPIs below a KSF: %(names)s.") % {"names": _names(loose)}
        return ItemState(ItemStatus.IN_PROGRESS, evidence, reverse("kpi-tree"), step, reverse("kpi-tree"))
    rows = BackCalculation.objects.applied().filter(tree__in=trees).select_related("tree")
    applied = {row.tree_id: row for row in rows.order_by("applied_at", "id")}
    page = reverse("back-calculation")
    missing = next((tree for tree in trees if tree.pk not in applied), None)
    if missing is not None:
        step = _("No back-calculation from the KGI has been applied yet.")
        return ItemState(ItemStatus.IN_PROGRESS, evidence, page, step, f"{page}?tree={missing.public_id}")
    for row in applied.values():
        fault = _disagreement(row)
        if fault:
            return ItemState(ItemStatus.REGRESSED, evidence, page, fault, f"{page}?tree={row.tree.public_id}")
    latest = max(applied.values(), key=lambda row: row.applied_at)
    words = {"date": formats.write_date(timezone.localdate(latest.applied_at), language=get_language() or "ja")}
    told = _("Worked back on %(date)s; the targets lead to the KGI.") % words
    return ItemState(ItemStatus.DONE, f"{evidence} {told}", page)


def _disagreement(applied: BackCalculation) -> str:
    """Which target no longer leads to the KGI's; "" where all do."""
    found = read_deviations(applied)
    if found is None:
        return _("The KGI has no target for the whole year.")
    if not found:
        return ""
    worst = max(found, key=lambda each: abs(each.share - 1))
    words = {"name": stage_words(worst.stage, read_places(applied.tree)), "share": f"{worst.share * 100:.0f}%"}
    return _("The target of %(name)s is %(share)s of what the KGI asks for. Work back anew.") % words


def check_controllable(today: date) -> ItemState:
    """Item 4: every KPI says who can move it and why it is watched; at least 70 % are moved entirely by somebody."""
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    kpis = _kpis(trees)
    silent = [node for node in kpis if not _degrees(node) or not node.reason.strip()]
    moved = [node for node in kpis if "full" in _degrees(node)]
    evidence = _("KPIs that somebody can move entirely: %(moved)s of %(all)s.") % {
        "moved": len(moved),
        "all": len(kpis),
    }
    if silent:
        return _verdict([_("Say who can move these KPIs, and why: %(names)s.") % {"names": _names(silent)}], evidence)
    if len(moved) < MOVED_SHARE * len(kpis):
        rest = [node for node in kpis if node not in moved]
        return _verdict(
            [_("Add KPIs that somebody can move entirely below: %(names)s.") % {"names": _names(rest)}], evidence
        )
    return _verdict([], evidence)


def check_smart(today: date) -> ItemState:
    """Item 5: no KPI lacks one of its five facts, and no remark about one is overdue."""
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    found = [finding for tree in trees for finding in open_findings(tree, today=today)]
    faults = [finding for finding in found if finding.is_fault]
    overdue = [finding for finding in found if finding.is_overdue and not finding.is_fault]
    evidence = _("Open faults: %(faults)s. Open remarks: %(remarks)s, of which overdue: %(overdue)s.") % {
        "faults": len(faults),
        "remarks": len(found) - len(faults),
        "overdue": len(overdue),
    }
    page = reverse("trees")
    for first in [*faults, *overdue][:1]:
        step = f"{first.evidence} {first.proposal}"
        return ItemState(ItemStatus.IN_PROGRESS, evidence, page, step, first.url)
    return ItemState(ItemStatus.DONE, evidence, page)


def check_benchmarks(today: date) -> ItemState:
    """Item 7: for each KPI with a benchmark somebody said that it was consulted, or the own history preferred.

    The word belongs to the tree of one fiscal year; with the next year's tree it has expired.
    """
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    find = benchmark_lookup(trees)
    asked = [
        node
        for tree in trees
        for node in tree.nodes.all()
        if node.level == Level.KPI and node.metric and find(tree, node.metric.code)
    ]
    reviewed = set(BenchmarkReview.objects.filter(node__in=asked).values_list("node_id", flat=True))
    waiting = [node for node in asked if node.pk not in reviewed]
    evidence = _("KPIs whose benchmark was consulted: %(done)s of %(all)s.") % {
        "done": len(reviewed),
        "all": len(asked),
    }
    if not waiting:
        return ItemState(ItemStatus.DONE, evidence)
    has_expired = not reviewed and BenchmarkReview.objects.exists()
    status = ItemStatus.EXPIRED if has_expired else ItemStatus.IN_PROGRESS
    step = _("Consult the benchmarks of these KPIs: %(names)s.") % {"names": _names(waiting)}
    return ItemState(status, evidence, next_step=step, next_step_url=reverse("kpi", args=[waiting[0].public_id]))


def check_target_beside_actual(today: date) -> ItemState:
    """Item 15: at least 95 % of the active KPIs have target and actual (or a coded absence) in this period."""
    period = Period.objects.filter(grain=Grain.MONTH, start_date__lte=today, end_date__gt=today).first()
    trees = _active_trees(today)
    if not trees or period is None:
        return _without_tree()
    complete, lacking = 0, []
    for tree in trees:
        query = MatrixQuery(tree, Grain.MONTH, period.start_date, period.end_date)
        matrix = build_matrix(query, now=_evening(today))
        for n, node in enumerate(matrix.nodes):
            if node.row.level != Level.KPI:
                continue
            is_told = matrix.value[n][0][0] is not None or matrix.absence[n][0][0] in ANSWERS
            if is_told and matrix.target[n][0][0] is not None:
                complete += 1
            else:
                lacking.append(node.row)
    return _share(complete, lacking, BOTH_SHARE, _("KPIs with target and actual this period: %(share)s of %(all)s."))


def check_trends(today: date) -> ItemState:
    """Item 16: at least 80 % of the KPIs have six periods or more in the last twelve months."""
    trees = _active_trees(today)
    if not trees:
        return _without_tree()
    complete, lacking = 0, []
    for tree in trees:
        query = MatrixQuery(tree, Grain.MONTH, today - timedelta(days=365), today)
        matrix = build_matrix(query, now=_evening(today))
        for n, node in enumerate(matrix.nodes):
            if node.row.level != Level.KPI:
                continue
            told = sum(value is not None for value in matrix.value[n][0])
            if told >= TREND_PERIODS:
                complete += 1
            else:
                lacking.append(node.row)
    return _share(complete, lacking, TREND_SHARE, _("KPIs with six periods or more: %(share)s of %(all)s."))


def check_segments(today: date) -> ItemState:
    """Item 17: three dimensions are filled on 90 % of the last year's deals, and 5 % at most stay unassigned there."""
    shares = _filled_shares(today - SEGMENT_WINDOW)
    if not shares:
        step = _("Import deals first.")
        return ItemState(ItemStatus.NOT_STARTED, next_step=step)
    names = {row.code: str(row) for row in Dimension.objects.all()}
    best = sorted(shares.items(), key=lambda each: -each[1])[:FILLED_DIMENSIONS]
    evidence = "、".join(f"{names[code]} {share * 100:.0f}%" for code, share in best)
    unassigned = 1 - sum(share for _code, share in best) / FILLED_DIMENSIONS
    if best[-1][1] >= FILLED_SHARE and unassigned <= UNASSIGNED_SHARE:
        return ItemState(ItemStatus.DONE, evidence)
    low = "、".join(names[code] for code, share in shares.items() if 0 < share < FILLED_SHARE)
    step = _("Fill what is unassigned: %(names)s.") % {"names": low or names[best[-1][0]]}
    return ItemState(ItemStatus.IN_PROGRESS, evidence, next_step=step, next_step_url=reverse("segments"))


def _active_trees(today: date) -> Sequence[KpiTree]:
    """Active trees of the running fiscal year, with their nodes."""
    year = FiscalYear.objects.filter(start_date__lte=today, end_date__gt=today).first()
    return list(_trees().filter(fiscal_year=year.start_year)) if year else []


def _kpis(trees: Sequence[KpiTree]) -> list[KpiNode]:
    return [node for tree in trees for node in tree.nodes.all() if node.level == Level.KPI]


def _degrees(node: KpiNode) -> set[str]:
    """How far somebody can move a KPI; empty where nobody can."""
    return set(node.controllable_by.values()) & {"full", "partial"}


def _trees() -> QuerySet[KpiTree]:
    return KpiTree.objects.filter(status=TreeStatus.ACTIVE).prefetch_related("nodes__metric")


def _without_tree() -> ItemState:
    """A company that had a tree in another year has fallen behind; one that never had has not begun."""
    status = ItemStatus.REGRESSED if _trees().exists() else ItemStatus.NOT_STARTED
    return ItemState(
        status, next_step=_("Activate a KPI tree for this fiscal year."), next_step_url=reverse("kpi-tree")
    )


def _verdict(faults: Sequence[str], evidence: str) -> ItemState:
    page = reverse("kpi-tree")
    if faults:
        return ItemState(ItemStatus.IN_PROGRESS, evidence, page, " ".join(faults[:3]), page)
    return ItemState(ItemStatus.DONE, evidence, page)


def _share(complete: int, lacking: Sequence[KpiNode], goal: float, evidence: str) -> ItemState:
    total = complete + len(lacking)
    told = evidence % {"share": complete, "all": total}
    if total and complete >= goal * total:
        return ItemState(ItemStatus.DONE, told, reverse("kpi-tree"))
    step = _("Complete these KPIs: %(names)s.") % {"names": _names(lacking)}
    return ItemState(ItemStatus.IN_PROGRESS, told, reverse("kpi-tree"), step, reverse("kpi-tree"))


def _names(nodes: Sequence[KpiNode]) -> str:
    names = "、".join(node.name for node in nodes[:5])
    return names if len(nodes) <= 5 else _("%(names)s and %(more)s more") % {"names": names, "more": len(nodes) - 5}


def _filled_shares(since: date) -> dict[str, float]:
    """Active dimension → share of the deals created since then that have a member; empty without deals."""
    active = set(Dimension.objects.filter(is_active=True).values_list("code", flat=True))
    codes = [code for code in DIMENSIONS if code in active]
    counted = ", ".join(
        f"avg((e.{code}_id NOT IN (SELECT id FROM kpis_dimensionmember WHERE is_unassigned))::int)"  # noqa: S608
        for code in codes
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), {counted} FROM kpis_kpievent e"  # noqa: S608 - codes come from DIMENSIONS
            " WHERE e.kind = 'deals.created_on' AND e.credit = 'revenue' AND e.weight > 0 AND e.date >= %s",
            [since],
        )
        count, *shares = cursor.fetchone()
    return dict(zip(codes, map(float, shares), strict=True)) if count else {}


def _evening(today: date) -> datetime:
    return timezone.make_aware(datetime.combine(today, time(23, 59)))
