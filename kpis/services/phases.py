"""Phases of deals: what the company calls them and which step of the sale each is."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from kpis.engine.issues import gettext_noop
from kpis.engine.specs import DEAL_STEPS
from kpis.models import DealPhase, DealStageEvent
from kpis.services.dependents import mark_deals
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class PhaseError(RefusedError):
    """A phase that cannot be kept."""

    code = "invalid_phase"


def set_phase(*, code: str, name: str = "", step: int | None = None, actor: Any, now: datetime) -> DealPhase:
    """Describe the phase that deals carry as `code`, in place of an earlier description. Raises PhaseError.

    Another step moves the dates on which deals passed it, so all deals are looked at again. What closed periods hold
    stays, as for every late change.
    """
    if not code.strip():
        raise PhaseError(gettext_noop("Write the phase as the deals carry it."))
    if step is not None and not 1 <= step <= DEAL_STEPS:
        template = gettext_noop("A step is a whole number from 1 to %(most)s, or empty.")
        raise PhaseError(template, most=DEAL_STEPS)
    code = code.strip()
    with transaction.atomic():
        before = DealPhase.objects.filter(code=code).values_list("step", flat=True).first()
        phase, _ = DealPhase.objects.update_or_create(code=code, defaults={"name": name.strip() or code, "step": step})
        if step != before:
            with connection.cursor() as cursor:
                mark_deals(cursor)
            emit(topic="facts.changed", company_id=current_company().pk)
    return phase


def ensure_phases() -> tuple[DealPhase, ...]:
    """List the phases that histories of deals name and nobody has described yet, as no step until somebody says so."""
    carried = set(DealStageEvent.objects.filter(deleted_at=None).order_by().values_list("phase", flat=True).distinct())
    known = set(DealPhase.objects.values_list("code", flat=True))
    made = [DealPhase(code=code, name=code) for code in sorted(carried - known)]
    DealPhase.objects.bulk_create(made, ignore_conflicts=True)
    return tuple(made)
