"""What is open about KPIs, kept with its due date; and people's word on benchmarks."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from kpis.choices import BenchmarkVerdict, TreeStatus
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.smart import REMARK_DAYS
from kpis.models import BenchmarkReview, KpiFinding, KpiNode, KpiTree
from kpis.selectors.fitness import find_findings
from kpis.selectors.template_use import benchmarks_of_tree
from kpis.services.refusal import RefusedError


class ReviewError(RefusedError):
    """A review of a benchmark that cannot be kept."""

    code = "invalid_review"


def check_kpis(*, now: datetime) -> int:
    """Check every KPI of the trees in force; returns how many findings are open. Runs every night."""
    trees = KpiTree.objects.filter(status=TreeStatus.ACTIVE)
    return sum(check_tree(tree=tree, today=timezone.localdate(now)) for tree in trees)


def check_tree(*, tree: KpiTree, today: date) -> int:
    """Note what is open about a tree's KPIs; returns how many findings there are.

    A finding keeps the day on which it was first found. A fault is due at once, a remark within `REMARK_DAYS`. What
    was settled is taken off.
    """
    with transaction.atomic():
        KpiTree.objects.select_for_update().get(pk=tree.pk)
        found = {
            (node.pk, finding.code): finding
            for node, findings in find_findings(tree, today=today).items()
            for finding in findings
        }
        known = {(row.node_id, row.code): row for row in KpiFinding.objects.filter(node__tree=tree)}
        KpiFinding.objects.filter(pk__in=[row.pk for key, row in known.items() if key not in found]).delete()
        KpiFinding.objects.bulk_create(
            KpiFinding(
                node_id=node_id,
                code=code,
                is_fault=finding.is_fault,
                found_on=today,
                due_on=today if finding.is_fault else today + timedelta(days=REMARK_DAYS),
            )
            for (node_id, code), finding in found.items()
            if (node_id, code) not in known
        )
    return len(found)


def review_benchmark(*, node: KpiNode, verdict: str, note: str, actor: Any, now: datetime) -> BenchmarkReview:
    """Keep somebody's word on the benchmark of a KPI; a later one replaces it. Raises ReviewError."""
    issues = []
    if node.metric is None or not benchmarks_of_tree(node.tree, node.metric.code):
        issues.append(
            Issue("node", "invalid", gettext_noop("There is no benchmark for %(node)s."), (("node", node.name),))
        )
    if verdict not in BenchmarkVerdict.values:
        issues.append(
            Issue("verdict", "invalid", gettext_noop("Say whether it was consulted, or your own history preferred."))
        )
    if not note.strip():
        issues.append(Issue("note", "required", gettext_noop("Write in one sentence what follows for the target.")))
    if issues:
        raise ReviewError(issues=issues)
    review, _ = BenchmarkReview.objects.update_or_create(
        node=node,
        defaults={"verdict": verdict, "note": note.strip(), "reviewed_by": actor, "reviewed_at": now},
    )
    return review
