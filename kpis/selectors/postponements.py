"""How often the expected close of a deal was put off, as its source says or as we have seen it change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.utils import timezone

from kpis.models import Deal


@dataclass(frozen=True, slots=True)
class Postponements:
    """How often a deal was put off. With `since` at least that often: it was seen from that day on, and is older."""

    count: int
    since: date | None = None


# The day on which a deal is closed, and what is corrected later, puts nothing off: what counts is a deal that is open
# after the change: its outcome then is what the next change of it says it was before, or what it is.
_PUT_OFF = """
    SELECT c.fact_id, count(*)
    FROM kpis_factchange c JOIN kpis_deal f ON f.id = c.fact_id
    WHERE c.fact = 'deals' AND c.fact_id = ANY(%(deals)s) AND NOT c.is_remapped
      AND (c.changes->'expected_close_on'->>1)::date > (c.changes->'expected_close_on'->>0)::date
      AND coalesce(
            (SELECT n.changes->'outcome'->>0 FROM kpis_factchange n
             WHERE n.fact = 'deals' AND n.fact_id = c.fact_id AND n.id > c.id AND n.changes ? 'outcome'
             ORDER BY n.id LIMIT 1),
            f.outcome
          ) = 'open'
    GROUP BY c.fact_id
"""


def read_postponements(deals: Collection[Deal]) -> Mapping[int, Postponements]:
    """Deal's id → how often it was put off; one query.

    What the source says counts. Where it says nothing, every change to a later day that we have seen while the deal was
    open does, also within a month; one to an earlier day does not, nor does one that a changed mapping made.
    """
    found = {deal.pk: Postponements(deal.postponed_count) for deal in deals if deal.postponed_count is not None}
    unsaid = [deal for deal in deals if deal.postponed_count is None]
    if not unsaid:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_PUT_OFF, {"deals": [deal.pk for deal in unsaid]})
        counts = dict(cursor.fetchall())
    return found | {deal.pk: Postponements(counts.get(deal.pk, 0), _seen_since(deal)) for deal in unsaid}


def _seen_since(deal: Deal) -> date | None:
    """The day on which an older deal was first read; None where it has been in sight for the whole of its life."""
    seen = timezone.localdate(deal.recorded_at)
    return None if deal.created_on is not None and deal.created_on >= seen else seen
