"""What the people of company A have agreed to: own targets, a change that waits, when a lead is handed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone

from config.demo.sakura.company import CAPITAL
from kpis.choices import DimensionCode
from kpis.models import (
    HandoverDefinition,
    KpiNode,
    KpiTree,
    Period,
    Person,
    Target,
    TargetRequest,
    TeamMembership,
)
from kpis.selectors.calendar import months_of_year
from kpis.selectors.today import find_tree
from kpis.services.handover import define_handover
from kpis.services.target_requests import request_targets
from kpis.services.targets import TargetEntry, set_targets
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company

# Each person of the team carries this much of the company's target; two of them are new in the trade.
SHARES = {"bookings": Decimal("0.06"), "won_deals": Decimal("0.06")}
BEGINNERS, OF_BEGINNERS = ("E015", "E024"), Decimal("0.6")
STEPS = {"bookings": Decimal(100_000), "won_deals": Decimal("0.5")}
SHARED_OUT = "年度計画の担当別配分"
MEMBER, MANAGER, OWNER = "E012", "manager", "owner"
RAISE, RAISE_REASON = Decimal("1.2"), "既存顧客の大型更新の商談が前倒しになったため"
HANDOVER = {
    "mql_meaning": "資料請求・セミナー参加・展示会での商談希望のいずれかがあり、対象業種の企業であること",
    "sql_meaning": "課題と検討時期を確認でき、初回の商談日が決まっていること",
    "response_hours": Decimal(9),
    "marketing_name": "中村 彩",
    "sales_name": "小林 誠",
}


def ensure_handover(company: Company) -> None:
    """When marketing hands a lead over, when sales accepts it, and how soon sales answers."""
    with tenant_context(company):
        months = months_of_year(tree.fiscal_year) if (tree := find_tree(today=timezone.localdate())) else []
        if months and not HandoverDefinition.objects.exists():
            first_day = months[0].start_date
            define_handover(**HANDOVER, agreed_on=first_day, effective_from=first_day, actor=None, now=timezone.now())


def ensure_own_targets(company: Company) -> None:
    """Targets by person from the running month on, and the manager's proposal to raise one of the next month."""
    with tenant_context(company):
        today = timezone.localdate()
        tree = find_tree(today=today)
        if tree is None or Target.objects.filter(node__tree=tree, dimension=DimensionCode.PERSON).exists():
            return
        people = User.objects.in_bulk([OWNER, MANAGER], field_name="username")
        months = [month for month in months_of_year(tree.fiscal_year) if month.end_date > today]
        entries = list(_shares(tree, months, today))
        if not entries:  # the year of the tree is over
            return
        set_targets(entries=entries, actor=people[OWNER], now=timezone.now())
        if not TargetRequest.objects.exists():
            _propose(entries, months, people[MANAGER])


def _shares(tree: KpiTree, months: list[Period], today: date) -> Iterator[TargetEntry]:
    """What each person of the team carries of the company's targets."""
    nodes = {node.code: node for node in KpiNode.objects.select_related("tree", "metric").filter(tree=tree)}
    whole = {
        (target.node.code, target.period_start): target.value
        for target in Target.objects.select_related("node").filter(node__tree=tree, member=None)
    }
    in_team = TeamMembership.objects.filter(Q(ends_on=None) | Q(ends_on__gt=today), team__external_id=CAPITAL)
    for person in Person.objects.select_related("member").filter(memberships__in=in_team, left_on=None).distinct():
        for code, share in SHARES.items():
            part = share * (OF_BEGINNERS if person.external_id in BEGINNERS else 1)
            for month in months:
                value = whole.get((code, month.start_date))
                if value is not None:
                    yield TargetEntry(
                        node=nodes[code],
                        period_start=month.start_date,
                        value=(value * part / STEPS[code]).quantize(Decimal(1)) * STEPS[code],
                        dimension=DimensionCode.PERSON,
                        member=person.member,
                        reason=SHARED_OUT,
                    )


def _propose(entries: list[TargetEntry], months: list[Period], manager: User) -> None:
    """A raise of the first month that has not begun, which waits for an owner's word."""
    month = (months[1:] or months)[0]
    member = Person.objects.get(external_id=MEMBER).member
    for entry in entries:
        if entry.member == member and entry.node.code == "bookings" and entry.period_start == month.start_date:
            raised = TargetEntry(
                node=entry.node,
                period_start=entry.period_start,
                value=entry.value * RAISE,
                dimension=entry.dimension,
                member=member,
                reason=RAISE_REASON,
            )
            request_targets(entries=[raised], reason=RAISE_REASON, actor=manager, now=timezone.now())
