"""How a demo company improves: a weekly meeting, and one improvement action that somebody has logged already."""

from __future__ import annotations

from datetime import date, time, timedelta

from django.utils import timezone

from kpis.models import Person
from reviews.choices import ActionStatus, Interval, Weekday
from reviews.models import Action, MeetingSeries, Miss
from reviews.services.actions import log_action
from reviews.services.schedule import save_series
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company

SERIES = "営業KPI 週次レビュー"
MANAGER = "manager"
# The KPIs of whose misses the first one that asks for an answer gets one, with what a manager would write.
ANSWERS = {
    "sql_count": (
        "展示会で得た名刺への初回連絡が平均4営業日後になり、商談につながらなかった",
        "展示会の翌営業日までに全件へ電話し、3日以内に日程を確定する担当を決める",
    ),
    "opportunity_rate": (
        "展示会のリードに情報収集のみの相手が多く、SQLに進む割合が半分に落ちた",
        "展示会のMQLの条件に導入時期と予算の聞き取りを加え、インサイドセールスと共有する",
    ),
    "new_leads": (
        "下期に引き上げた目標に対してWeb広告の出稿が1か月遅れた",
        "資料請求ページを改善し、ウェビナーを月2回に増やす",
    ),
    "won_deals": (
        "中部営業課で最終提案に価格以外の根拠がなく、競合に流れた",
        "提案前レビューに導入効果の試算を加え、全商談で実施する",
    ),
    "bookings": (
        "決裁者との面談がないまま見積を出した商談の受注が翌月に延びた",
        "見積提示の前に決裁者との面談を必須にし、週次レビューで確認する",
    ),
}


def ensure_reviews(company: Company) -> None:
    """The weekly meeting with its next date, and an action on one of the misses that ask for an answer."""
    with tenant_context(company):
        if MeetingSeries.objects.exists():
            return
        now = timezone.now()
        if not Action.objects.exists():
            _log_first_action(today=timezone.localdate(now))
        save_series(
            name=SERIES,
            interval=Interval.WEEKLY,
            weekday=Weekday.MONDAY,
            starts_at=time(9, 30),
            is_active=True,
            now=now,
        )


def _log_first_action(*, today: date) -> None:
    waiting = {
        miss.node.code: miss for miss in Miss.objects.awaiting_answer().select_related("node").order_by("period_start")
    }
    code = next((code for code in ANSWERS if code in waiting), None)
    if code is None:
        return
    cause, action = ANSWERS[code]
    actor = User.objects.get(username=MANAGER)
    log_action(
        miss=waiting[code],
        cause=cause,
        action=action,
        due_on=today + timedelta(days=14),
        owner=Person.objects.filter(user=actor).first(),
        owner_user=actor,
        status=ActionStatus.IN_PROGRESS,
        actor=actor,
        now=timezone.now(),
    )
