"""Marketing and sales become one story: run before events are derived, on what is stale; and what people say of it."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kpis.choices import ExclusionReason, ExclusionVerdict
from kpis.engine.issues import gettext_noop
from kpis.engine.joining import BY_PERSON
from kpis.models import Deal, Lead, LeadExclusion, LeadLink
from kpis.selectors.lead_rules import find_lead_rules
from kpis.services import dependents
from kpis.services.events import take_stale
from kpis.services.lead_exclusions import exclude_duplicates, exclude_scans
from kpis.services.lead_links import link_deals
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class JoiningError(RefusedError):
    """A link or an exclusion that cannot be changed as asked."""

    code = "invalid_joining"


def join_leads(cursor: CursorWrapper, *, now: datetime) -> None:
    """Find duplicates, card scans and links among the records in `stale` that may be others themselves.

    What a decision moves is added to `stale`. So is what others committed meanwhile, which is why everything that was
    added is looked at as well. Runs inside the caller's transaction and lock.
    """
    rules = find_lead_rules()
    for table in ("fresh", "seen"):
        cursor.execute(f"CREATE TEMPORARY TABLE {table} (fact text, fact_id bigint) ON COMMIT DROP")
    while _look_at_new(cursor):
        exclude_scans(cursor, rules, now=now)
        _add_new(cursor)
        exclude_duplicates(cursor, rules, now=now)
        _add_new(cursor)
        link_deals(cursor, rules, now=now)
        take_stale(cursor)
    cursor.execute("DROP TABLE fresh, seen")
    # What a duplicate tells is told by the lead that is counted for it.
    cursor.execute(
        "INSERT INTO stale SELECT DISTINCT 'leads', x.same_as_id, false FROM kpis_leadexclusion x"
        " JOIN stale s ON s.fact = 'leads' AND s.fact_id = x.lead_id WHERE x.same_as_id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM stale t WHERE t.fact = 'leads' AND t.fact_id = x.same_as_id)"
    )


_NEW = (
    "SELECT fact, fact_id FROM stale WHERE is_own AND fact IN ('leads', 'deals') EXCEPT SELECT fact, fact_id FROM seen"
)


def _look_at_new(cursor: CursorWrapper) -> bool:
    """`fresh`: the leads and deals that were not looked at from the beginning; whether there are any."""
    cursor.execute("DELETE FROM fresh")
    cursor.execute(f"INSERT INTO fresh {_NEW}")
    is_any = bool(cursor.rowcount)
    if is_any:
        cursor.execute("INSERT INTO seen SELECT * FROM fresh")
        cursor.execute("ANALYZE fresh")
    return is_any


def _add_new(cursor: CursorWrapper) -> None:
    """Let the next step see what the one before moved."""
    take_stale(cursor)
    cursor.execute(f"INSERT INTO fresh {_NEW} EXCEPT SELECT fact, fact_id FROM fresh")


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
