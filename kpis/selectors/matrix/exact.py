"""What does not add up over months: of longer periods it is computed from the events when it is read."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from django.db import connection

from kpis.engine import specs
from kpis.engine.cells import EXACT, block_group
from kpis.engine.specs import Simple, Term
from kpis.selectors.event_cells import BASE_GRAINS, PATHS, EventCells
from kpis.selectors.kept import read_kept


def is_stored(term: Term, grain: str) -> bool:
    """Whether blocks tell a term at this grain; windows and what adds up always are."""
    return not isinstance(term, Simple) or specs.is_additive(term) or grain in BASE_GRAINS


def read_exact(
    terms: Sequence[Simple], grain: str, starts: Sequence[date], dimension: str
) -> Iterator[tuple[str, date, str, int | None, Decimal]]:
    """(block group, start of the period, measure key, member, number), of every member that has one.

    A query or three for each group of terms; the same until the values are computed again.
    """
    groups: dict[str, dict[str, Simple]] = {}
    for term in terms:
        groups.setdefault(block_group(term), {})[specs.measure_key(term)] = term
    for group, of_group in groups.items():
        kind, credit = group.removesuffix(EXACT).rsplit(":", 1)
        with connection.cursor() as cursor:
            events = EventCells(cursor, kind, credit, of_group, {grain: starts})
        for _grain, start, _dimension, member, *numbers in read_kept(
            f"{PATHS} SELECT * FROM {events.exact([dimension], [grain])} AS cells", events.params
        ):
            for key, number in zip(events.keys, numbers, strict=True):
                if number is not None:
                    yield group, start, key, member, Decimal(number)
