"""What a demo company measures and aims at: metrics, trees, targets, manual entries, closed months."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from config.demo.companies import DemoCompany
from config.demo.plans import CompanyPlan, TargetPlan, TreePlan
from config.demo.stage import Stage
from kpis.choices import Grain, PeriodState
from kpis.models import KpiNode, KpiTree, ManualEntry, Metric, Period, Person
from kpis.selectors.calendar import business_day
from kpis.services.definitions import create_metric
from kpis.services.entries import enter_value
from kpis.services.people import link_login
from kpis.services.periods import close_periods, make_provisional
from kpis.services.recompute import recompute
from kpis.services.targets import TargetEntry, set_targets
from kpis.services.trees import activate_tree, create_node, create_tree
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company
from tenants.settings.selectors import company_settings
from tenants.settings.services import set_start_date


def ensure_metrics(company: Company, plan: CompanyPlan) -> None:
    """The metrics that are not defined yet."""
    with tenant_context(company):
        known = set(Metric.objects.values_list("code", flat=True))
        for metric in plan.metrics:
            if metric.code not in known:
                create_metric(
                    code=metric.code,
                    name=metric.name,
                    unit=metric.unit,
                    accumulation=metric.accumulation,
                    direction=metric.direction,
                    spec=metric.spec,
                    actor=None,
                    now=timezone.now(),
                )


def ensure_logins(company: Company, demo: DemoCompany) -> None:
    """Let each login see as the salesperson it belongs to."""
    with tenant_context(company):
        for user in demo.users:
            person = Person.objects.filter(external_id=user.person, user=None).first() if user.person else None
            if person is not None:
                link_login(person=person, user=User.objects.get(username=user.username), actor=None)


def ensure_trees(company: Company, plan: CompanyPlan) -> None:
    """Trees with their targets, in force, and the targets that were changed in mid-term."""
    with tenant_context(company):
        actor = User.objects.get(username="owner")
        for tree in plan.trees:
            _ensure_tree(tree, actor)
        known = set(ManualEntry.objects.values_list("metric__code", "period_start"))
        metrics = {metric.code: metric for metric in Metric.objects.all()}
        for entry in plan.entries:
            if (entry.metric, entry.period_start) not in known:
                enter_value(
                    metric=metrics[entry.metric],
                    period_start=entry.period_start,
                    value=entry.value,
                    note=entry.note,
                    actor=actor,
                    now=timezone.now(),
                )


@transaction.atomic
def _ensure_tree(plan: TreePlan, actor: User) -> None:
    if KpiTree.objects.filter(name=plan.name).exists():
        return
    now = timezone.now()
    tree = create_tree(name=plan.name, fiscal_year=plan.fiscal_year, style=plan.style, actor=actor, now=now)
    nodes: dict[str, KpiNode] = {}
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    people = {person.external_id: person for person in Person.objects.all()}
    for position, node in enumerate(plan.nodes):
        nodes[node.code] = create_node(
            tree=tree,
            parent=nodes[node.parent] if node.parent else None,
            level=node.level,
            code=node.code,
            name=node.name,
            metric=metrics[node.metric] if node.metric else None,
            responsible=people[node.responsible] if node.responsible else None,
            link=node.link,
            position=position,
            controllable_by=node.controllable_by,
            reason=node.reason,
            actor=actor,
            now=timezone.now(),
        )
    _set(plan.targets, nodes, actor)
    activate_tree(tree=tree, actor=actor, now=timezone.now())
    _set(plan.changes, nodes, actor)


def _set(targets: Iterable[TargetPlan], nodes: dict[str, KpiNode], actor: User) -> None:
    entries = [
        TargetEntry(node=nodes[target.node], period_start=target.period_start, value=target.value, reason=target.reason)
        for target in targets
    ]
    if entries:
        set_targets(entries=entries, actor=actor, now=timezone.now())


def begin(company: Company, *, months: int) -> None:
    """Once, at the beginning: the company works with the product since the start of the month so many months ago."""
    with tenant_context(company):
        if Metric.objects.exists():
            return
        starts = Period.objects.filter(grain=Grain.MONTH, start_date__lte=timezone.localdate()).order_by("-start_date")
        set_start_date(start_date=starts.values_list("start_date", flat=True)[months])


def close_past_months(stage: Stage, company: Company) -> None:
    """Once, after the first import: close every month up to the years of the trees whose day for it has come.

    The last month that ended is provisional at least.
    """
    with tenant_context(company):
        if Period.objects.filter(grain=Grain.MONTH, state=PeriodState.CLOSED).exists():
            return
        now = timezone.now()
        today = timezone.localdate(now)
        actor = User.objects.get(username="owner")
        recompute(now=now)  # the calendar reaches as far back as the facts do
        last_year = KpiTree.objects.aggregate(last=Max("fiscal_year"))["last"]
        months = Period.objects.filter(grain=Grain.MONTH, fiscal_year__start_year__lte=last_year)
        ended = list(months.filter(end_date__lte=today).order_by("start_date"))
        due = [period for period in ended if _closing_day(period.end_date) <= today]
        stage.report(f"Closing {len(due)} past months of {company.slug} …")
        close_periods(periods=due, actor=actor, now=now)
        last = ended[-1]
        if last not in due and last.state == PeriodState.OPEN:
            make_provisional(period=last, actor=actor, now=now)


def _closing_day(end: date) -> date:
    """The business day after a month's end on which the company closes it."""
    return business_day(end, company_settings().closing_business_day) or date.max
