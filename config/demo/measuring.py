"""What a demo company measures and aims at: metrics, trees, targets, manual entries, closed months."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.utils import timezone

from config.demo.companies import DemoCompany
from config.demo.delivery import settle
from config.demo.plans import CompanyPlan, TargetPlan, TreePlan
from config.demo.stage import Stage
from kpis.choices import Grain, PeriodState, TreeStatus
from kpis.models import DealPhase, KpiNode, KpiTree, Metric, Period, Person
from kpis.selectors.calendar import business_day, months_of_year
from kpis.services.definitions import create_metric
from kpis.services.entries import enter_value
from kpis.services.people import link_login
from kpis.services.periods import close_periods, make_provisional
from kpis.services.phases import set_phase
from kpis.services.recompute import recompute
from kpis.services.targets import TargetEntry, set_targets
from kpis.services.trees import activate_tree, create_node, create_tree, retire_tree
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company
from tenants.settings.selectors import company_settings
from tenants.settings.services import set_start_date


def ensure_metrics(company: Company, plan: CompanyPlan) -> None:
    """The steps of a sale and the metrics that are not defined yet."""
    with tenant_context(company):
        described = set(DealPhase.objects.exclude(step=None).values_list("code", flat=True))
        for step, phase in enumerate(plan.phases, start=1):
            if phase not in described:
                set_phase(code=phase, step=step, actor=None, now=timezone.now())
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


def ensure_years(stage: Stage, company: Company, plan: CompanyPlan) -> None:
    """Year after year as it happened: the tree with its targets in force, its months closed, then the next tree."""
    with tenant_context(company):
        actor = User.objects.get(username="owner")
        recompute(now=timezone.now())  # the calendar reaches as far back as the facts do
        for tree in plan.trees:
            if KpiTree.objects.filter(name=tree.name).exists():
                continue
            settle(stage, company)
            with transaction.atomic():
                _retire_closed_trees(actor)
                _make_tree(tree, actor)
                _enter_values(plan, tree.fiscal_year, actor)
                _close_months(stage, company, tree.fiscal_year, actor)


def _retire_closed_trees(actor: User) -> None:
    """A tree whose year is closed has done its work; one with a month still to be closed stays in force."""
    for tree in KpiTree.objects.filter(status=TreeStatus.ACTIVE):
        if all(month.state == PeriodState.CLOSED for month in months_of_year(tree.fiscal_year)):
            retire_tree(tree=tree, actor=actor, now=timezone.now())


def _enter_values(plan: CompanyPlan, fiscal_year: int, actor: User) -> None:
    months = {month.start_date for month in months_of_year(fiscal_year)}
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    for entry in plan.entries:
        if entry.period_start in months:
            enter_value(
                metric=metrics[entry.metric],
                period_start=entry.period_start,
                value=entry.value,
                note=entry.note,
                actor=actor,
                now=timezone.now(),
            )


def _make_tree(plan: TreePlan, actor: User) -> None:
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


def _close_months(stage: Stage, company: Company, fiscal_year: int, actor: User) -> None:
    """Close every month up to this fiscal year whose day for it has come; the last that ended is provisional."""
    now = timezone.now()
    today = timezone.localdate(now)
    months = Period.objects.filter(grain=Grain.MONTH, fiscal_year__start_year__lte=fiscal_year, end_date__lte=today)
    ended = list(months.exclude(state=PeriodState.CLOSED).order_by("start_date"))
    due = [period for period in ended if _closing_day(period.end_date) <= today]
    if due:
        stage.report(f"Closing {len(due)} past months of {company.slug} …")
        close_periods(periods=due, actor=actor, now=now)
    for period in ended[len(due) :]:
        if period.state == PeriodState.OPEN:
            make_provisional(period=period, actor=actor, now=now)


def _closing_day(end: date) -> date:
    """The business day after a month's end on which the company closes it."""
    return business_day(end, company_settings().closing_business_day) or date.max
