"""Confidence ranks: what the company calls them and by how much each weighs."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.choices import Outcome
from kpis.engine.issues import gettext_noop
from kpis.engine.landing import rank_order, usual_weight
from kpis.models import ConfidenceRank, Deal
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class RankError(RefusedError):
    """A rank that cannot be kept."""

    code = "invalid_rank"


def set_rank(
    *, code: str, name: str = "", position: int = 0, weight: Decimal | None = None, actor: Any, now: datetime
) -> ConfidenceRank:
    """Describe the rank that deals carry as `code`, in place of an earlier description. Raises RankError.

    `weight` is a share (0 to 1); None lets the measured win rate stand in.
    """
    if not code.strip():
        raise RankError(gettext_noop("Write the rank as the deals carry it."))
    if weight is not None and not 0 <= weight <= 1:
        raise RankError(gettext_noop("A rank weighs from 0 to 1 (0 to 100%%). Write a number between them, or none."))
    with transaction.atomic():
        rank, _ = ConfidenceRank.objects.update_or_create(
            code=code.strip(), defaults={"name": name.strip() or code, "position": position, "weight": weight}
        )
        emit(topic="values.changed", company_id=current_company().pk)
    return rank


def ensure_ranks(*, now: datetime) -> tuple[ConfidenceRank, ...]:
    """Describe the ranks that open deals carry and nobody has described yet, usual ones with their usual weight."""
    carried = Deal.objects.filter(outcome=Outcome.OPEN, deleted_at=None).exclude(confidence="")
    codes = set(carried.order_by().values_list("confidence", flat=True).distinct())
    known = set(ConfidenceRank.objects.values_list("code", flat=True))
    made = [
        ConfidenceRank(code=code, name=code, position=rank_order(code)[0], weight=usual_weight(code))
        for code in sorted(codes - known, key=rank_order)
    ]
    ConfidenceRank.objects.bulk_create(made, ignore_conflicts=True)
    return tuple(made)
