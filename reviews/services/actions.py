"""Logging improvement actions and what becomes of them."""

import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from kpis.engine.issues import gettext_noop
from kpis.models import DimensionMember, KpiNode, Metric, Person
from reviews.choices import OPEN_ACTIONS, ActionStatus, DecisionKind, MissStatus
from reviews.models import Action, ActionChange, Miss
from reviews.selectors.numbers import CellKey, key_of_latest, numbers_of_miss, read_numbers
from reviews.services.agenda import rebuild_planned_agendas
from reviews.services.errors import ReviewError
from reviews.services.misses import answer_miss
from tenants.accounts.models import User
from tenants.context import current_company
from tenants.outbox.services import emit

CHANGEABLE = frozenset(
    {
        "cause",
        "action",
        "owner",
        "owner_user",
        "due_on",
        "effect_metric",
        "effect_amount",
        "effect_lag_days",
        "status",
    }
)


@transaction.atomic
def log_action(
    *,
    cause: str,
    action: str,
    due_on: datetime.date,
    miss: Miss | None = None,
    node: KpiNode | None = None,
    dimension: str = "company",
    member: DimensionMember | None = None,
    owner: Person | None = None,
    owner_user: User | None = None,
    effect_metric: Metric | None = None,
    effect_amount: Decimal | None = None,
    effect_lag_days: int | None = None,
    status: str = ActionStatus.PLANNED,
    actor: User | None,
    now: datetime.datetime,
) -> Action:
    """Log an improvement action about a miss, or about a node (and segment) without one.

    An unanswered miss is answered by it. The baseline is frozen: the miss's numbers, else those of the node's latest
    finished period. Emits action.changed. Raises ReviewError.
    """
    cause, action = _words(cause, field="cause"), _words(action, field="action")
    if miss is not None:
        node, dimension, member = miss.node, miss.dimension, miss.member
    if node is None or node.metric_id is None:
        raise ReviewError(gettext_noop("Choose the KPI which the improvement action is about."), field="node")
    logged = Action.objects.create(
        miss=miss,
        node=node,
        dimension=dimension,
        member=member,
        cause=cause,
        action=action,
        owner=owner,
        owner_user=owner_user,
        due_on=due_on,
        effect_metric=effect_metric or node.metric,
        effect_amount=effect_amount,
        effect_lag_days=effect_lag_days,
        status=status,
        baseline=_baseline(node, dimension, member, miss, now),
        created_by=actor,
        created_at=now,
        finished_at=None if status in OPEN_ACTIONS else now,
    )
    if miss is not None and miss.status == MissStatus.OPEN:
        answer_miss(miss=miss, end=DecisionKind.IMPROVEMENT_ACTION, actor=actor, now=now)
    else:
        rebuild_planned_agendas()
    emit(topic="action.changed", company_id=current_company().id, object_id=logged.pk)
    return logged


@transaction.atomic
def update_action(*, logged: Action, actor: User | None, now: datetime.datetime, **changes: Any) -> Action:
    """Change an action (`cause`, `action`, `status` …) and keep what it was; nothing happens where nothing differs.

    Emits action.changed. Raises ReviewError for an empty cause or action.
    """
    if unknown := changes.keys() - CHANGEABLE:
        raise TypeError(f"Not a changeable field of an action: {', '.join(sorted(unknown))}")
    logged = Action.objects.select_for_update().get(pk=logged.pk)
    for field in ("cause", "action"):
        if field in changes:
            changes[field] = _words(changes[field], field=field)
    different = {field: new for field, new in changes.items() if getattr(logged, field) != new}
    if not different:
        return logged
    kept = {field: [_plain(getattr(logged, field)), _plain(new)] for field, new in different.items()}
    for field, new in different.items():
        setattr(logged, field, new)
    if "status" in different:
        logged.finished_at = None if logged.is_unfinished else now
    logged.save()
    ActionChange.objects.create(parent=logged, changes=kept, actor=actor, at=now)
    rebuild_planned_agendas()
    emit(topic="action.changed", company_id=current_company().id, object_id=logged.pk)
    return logged


def _baseline(
    node: KpiNode, dimension: str, member: DimensionMember | None, miss: Miss | None, now: datetime.datetime
) -> dict[str, Any] | None:
    if miss is not None:
        key = CellKey(node.pk, dimension, miss.member_id, miss.grain, miss.period_start)
        return numbers_of_miss(miss).to_json(key, at=now)
    latest = key_of_latest(node, dimension, member, today=timezone.localdate(now))
    if latest is None:
        return None
    return read_numbers([latest], now=now)[latest].to_json(latest, at=now)


def _words(text: str, *, field: str) -> str:
    if not text.strip():
        raise ReviewError(gettext_noop("This is needed. A few words are enough."), field=field)
    return text.strip()


def _plain(value: Any) -> Any:
    """As it is kept in the history: numbers and dates as text, rows by their name."""
    return value if value is None or isinstance(value, int | str) else str(value)
