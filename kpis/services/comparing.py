"""Which closed periods have late changes: noted when something in them is computed again, compared by a worker.

What is found is stored, so that no page has to compute a live matrix to say that somebody has to decide.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from kpis.choices import PeriodState
from kpis.models import OpenRestatement, Period, PeriodToCompare
from kpis.selectors.restatements import find_restatements_of
from kpis.selectors.visibility import OPEN
from kpis.services.changed_values import renew_open_pages
from kpis.services.locks import lock_states
from kpis.services.windows import Dates
from tenants.context import current_company
from tenants.outbox.services import emit

TO_COMPARE = "periods.to_compare"

_NOTE = """
    INSERT INTO kpis_periodtocompare (period_id)
    SELECT p.id FROM kpis_period p
    WHERE p.state = 'closed'
      AND (%(dates)s::date[] IS NULL OR EXISTS (
        SELECT FROM unnest(%(dates)s::date[]) AS each (day) WHERE day >= p.start_date AND day < p.end_date))
      AND (p.grain <> 'week' OR EXISTS (SELECT FROM kpis_kpinode WHERE frequency = 'week'))
"""

# What a row says, without its key.
Said = tuple[int, str, int | None, Any, str]


def note_to_compare(dates: Dates) -> int:
    """Have the closed periods compared in which these days lie (None = all); returns how many those are.

    Belongs into the transaction that changed the numbers of these days. Emits periods.to_compare.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NOTE, {"dates": None if dates is None else sorted(dates)})
        count: int = cursor.rowcount
        if count:
            emit(topic=TO_COMPARE, company_id=current_company().pk)
    return count


def note_touched(touched: Iterable[Dates]) -> None:
    """Have compared what a recompute touched: the days of each measure group."""
    dates: set[date] = set()
    for each in touched:
        if each is None:
            note_to_compare(None)
            return
        dates |= each
    if dates:
        note_to_compare(dates)


def compare_closed_periods(*, now: datetime) -> int:
    """Compare the periods that were noted, each in a transaction of its own; returns how many there were.

    Whoever is stopped in between leaves the others noted.
    """
    noted = PeriodToCompare.objects.order_by("-period__start_date", "period").values_list("period_id", flat=True)
    waiting = list(dict.fromkeys(noted))
    for pk in waiting:
        with transaction.atomic():
            lock_states()
            # Taken off before the numbers are read: what changes meanwhile is noted anew.
            PeriodToCompare.objects.filter(period=pk).delete()
            period = Period.objects.filter(pk=pk).first()
            if period is not None:  # another calendar may have no such period
                _compare(period, now=now)
    return len(waiting)


def forget_open(*, grain: str, starts: Collection[date], nodes: Collection[int] | None = None) -> None:
    """Take off what waits for a decision in these periods, of some nodes (primary keys) or of all: it is settled, or
    the periods are locked anew or open again."""
    rows = OpenRestatement.objects.filter(grain=grain, period_start__in=starts)
    if nodes is not None:
        rows = rows.filter(node__in=nodes)
    if rows.delete()[0]:
        renew_open_pages()


def _compare(period: Period, *, now: datetime) -> None:
    found = find_restatements_of(period, sight=OPEN, now=now) if period.state == PeriodState.CLOSED else []
    waiting: set[Said] = {
        (each.cell.node_id, each.cell.dimension, each.cell.member_id, each.live.value, each.live.absence or "")
        for each in found
        if each.refusal is None
    }
    rows = OpenRestatement.objects.filter(grain=period.grain, period_start=period.start_date)
    if waiting == set(rows.values_list("node_id", "dimension", "member_id", "value", "absence")):
        return
    rows.delete()
    OpenRestatement.objects.bulk_create(
        OpenRestatement(
            grain=period.grain,
            period_start=period.start_date,
            node_id=node,
            dimension=dimension,
            member_id=member,
            value=value,
            absence=absence,
        )
        for node, dimension, member, value, absence in waiting
    )
    renew_open_pages()
