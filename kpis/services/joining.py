"""Marketing and sales become one story: run before events are derived, on what is stale; and what people say of it."""

from datetime import datetime
from itertools import count
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kpis.choices import ExclusionReason, ExclusionVerdict
from kpis.engine.issues import gettext_noop
from kpis.engine.joining import BY_PERSON
from kpis.models import Deal, Lead, LeadExclusion, LeadLink, LeadRules
from kpis.selectors.lead_rules import find_lead_rules
from kpis.services import dependents
from kpis.services.events import take_stale
from kpis.services.lead_exclusions import exclude_duplicates, exclude_scans
from kpis.services.lead_links import link_deals
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit

# Two settle it, but for what others commit meanwhile.
MOST_ROUNDS = 50


class JoiningError(RefusedError):
    """A link or an exclusion that cannot be changed as asked."""

    code = "invalid_joining"


def join_leads(cursor: CursorWrapper, *, now: datetime) -> None:
    """Find duplicates, card scans and links among what is in `stale`, until nothing changes any more.

    What a decision moves is added to `stale`; so is what others committed meanwhile, which is why every addition is
    looked at again. Runs inside the caller's transaction and lock.
    """
    rules = find_lead_rules()
    if _concerns_leads(cursor):
        rounds = count(1)
        while _join_once(cursor, rules, now=now):
            if next(rounds) == MOST_ROUNDS:
                raise RuntimeError("Links and duplicates of leads do not settle.")
    # What a duplicate tells is told by the lead that is counted for it.
    cursor.execute(
        "INSERT INTO stale SELECT DISTINCT 'leads', x.same_as_id FROM kpis_leadexclusion x"
        " JOIN stale s ON s.fact = 'leads' AND s.fact_id = x.lead_id WHERE x.same_as_id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM stale t WHERE t.fact = 'leads' AND t.fact_id = x.same_as_id)"
    )


def _join_once(cursor: CursorWrapper, rules: LeadRules, *, now: datetime) -> bool:
    """Whether anything is another than before."""
    is_moving = exclude_scans(cursor, rules, now=now)
    take_stale(cursor)
    is_moving |= exclude_duplicates(cursor, rules, now=now)
    take_stale(cursor)
    is_moving |= link_deals(cursor, rules, now=now)
    take_stale(cursor)
    return is_moving


def _concerns_leads(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM stale WHERE fact IN ('leads', 'deals'))")
    return bool(cursor.fetchone()[0])


def undo_link(*, link: LeadLink, actor: Any, now: datetime) -> None:
    """Take a lead off a deal for good: no rule brings it back. Raises JoiningError."""
    with transaction.atomic():
        row = LeadLink.objects.select_for_update().get(pk=link.pk)
        if row.undone_at is not None or row.lead_id is None:
            raise JoiningError(gettext_noop("This link has been taken off already. Load the page again."))
        row.undone_at, row.undone_by = now, actor
        row.save(update_fields=["undone_at", "undone_by"])
        _relink(row.deal_id, None)
    link.refresh_from_db()


def choose_lead(*, link: LeadLink, lead: Lead, actor: Any, now: datetime) -> LeadLink:
    """Say which of several leads a deal came from. Raises JoiningError."""
    with transaction.atomic():
        row = LeadLink.objects.select_for_update().filter(pk=link.pk, undone_at=None, lead=None).first()
        if row is None or lead.pk not in row.candidates:
            raise JoiningError(gettext_noop("The leads to choose from have changed. Load the page again."))
        row.lead, row.rule, row.candidates = lead, BY_PERSON, []
        row.decided_at, row.decided_by = now, actor
        row.save()
        _relink(row.deal_id, lead)
    return row


def count_duplicate(*, exclusion: LeadExclusion, actor: Any, now: datetime) -> None:
    """Say that a lead is one of its own, whatever it shares with another; it is counted. Raises JoiningError."""
    _judge([exclusion.pk], ExclusionReason.DUPLICATE, ExclusionVerdict.COUNTED, actor=actor, now=now)


def judge_scan(*, leads: list[int], verdict: str, actor: Any, now: datetime) -> int:
    """Count the leads of a card scan, or leave them out for good; returns how many. Raises JoiningError.

    `leads` are primary keys; those that are not held back any more stay as they are.
    """
    if verdict not in ExclusionVerdict.values:
        raise JoiningError(gettext_noop("Say whether the leads are counted or left out."))
    waiting = LeadExclusion.objects.filter(reason=ExclusionReason.SCAN, lead__in=leads, is_out=True)
    return _judge(list(waiting.values_list("pk", flat=True)), ExclusionReason.SCAN, verdict, actor=actor, now=now)


def _judge(pks: list[int], reason: str, verdict: str, *, actor: Any, now: datetime) -> int:
    with transaction.atomic():
        waiting = LeadExclusion.objects.select_for_update().filter(pk__in=pks, reason=reason)
        rows = list(waiting.exclude(verdict=verdict))
        if not rows:
            raise JoiningError(gettext_noop("Nothing of this waits any more. Load the page again."))
        for row in rows:
            row.verdict, row.verdict_at, row.verdict_by = verdict, now, actor
            row.is_out = verdict == ExclusionVerdict.LEFT_OUT
        LeadExclusion.objects.bulk_update(rows, ["verdict", "verdict_at", "verdict_by", "is_out"])
        _mark("leads", [*(row.lead_id for row in rows), *(row.same_as_id for row in rows if row.same_as_id)])
    return len(rows)


def _relink(deal: int, lead: Lead | None) -> None:
    _mark("deals", [deal])
    Deal.objects.filter(pk=deal).update(lead=lead)
    _mark("deals", [deal])


def _mark(fact: str, ids: list[int]) -> None:
    """Note these facts, and what reads from them, as dirty."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE judged ON COMMIT DROP AS SELECT unnest(%s::bigint[]) AS id, false AS is_new", [ids]
        )
        dependents.mark(cursor, fact, rows="judged")
        cursor.execute("DROP TABLE judged")
    emit(topic="facts.changed", company_id=current_company().pk)
