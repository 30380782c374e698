"""Exchanging blocks: one measure group at a time, in the periods whose events have changed.

A block holds the additive measures of one group (event kind and credit) in one month or week, for people or for the
company and all other dimensions. What does not add up (median, distinct) lives in the group's ":exact" twin, computed
from facts for every ancestor; of longer periods it is computed when it is read. A dimension in which everything is
unassigned is left out: it would repeat the company.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import DIMENSIONS, Credit, DimensionCode
from kpis.engine.cells import EXACT, WINDOW
from kpis.engine.specs import Simple, Term, Window
from kpis.models import DimensionMember
from kpis.selectors.event_cells import BASE_GRAINS, PATHS, EventCells, Starts
from kpis.services.differences import Differences, starts_of
from kpis.services.windows import WINDOW_GRAINS, window_cells

_OF_PEOPLE = (DimensionCode.TEAM, DimensionCode.PERSON)


def dimensions_in_use() -> tuple[str, ...]:
    """The dimensions that have a member of their own, in their order."""
    used = set(DimensionMember.objects.filter(is_unassigned=False).values_list("dimension__code", flat=True))
    return tuple(dimension for dimension in DIMENSIONS if dimension in used)


def rebuild(
    cursor: CursorWrapper,
    touched: Mapping[str, set[date] | None],
    terms: Mapping[str, Mapping[str, Term]],
    by_difference: Collection[str],
) -> None:
    """Bring the blocks of these groups up to date in the periods that hold their dates (None = all periods).

    `by_difference`: the groups that changed by nothing but the events in `changed_event`.
    """
    cursor.execute("DROP TABLE IF EXISTS path")
    cursor.execute(f"CREATE TEMPORARY TABLE path ON COMMIT DROP AS {PATHS} SELECT * FROM path")
    cursor.execute("ANALYZE path")
    unassigned = list(DimensionMember.objects.filter(is_unassigned=True).values_list("id", flat=True))
    used = dimensions_in_use()
    for name in sorted(touched):
        group, dates, of_group = _Group(cursor, name, used, unassigned), touched[name], terms.get(name, {})
        if dates and of_group and name in by_difference:
            dates = group.move(dates, of_group)
        if dates is None or (dates and of_group):  # where nothing is measured any more all of it is dirty
            group.rebuild(dates, of_group)


@dataclass(frozen=True)
class _Group:
    """One measure group; `used` and `unassigned` are the dimensions in use and the unassigned members of all."""

    cursor: CursorWrapper
    name: str
    used: Collection[str]
    unassigned: Sequence[int]

    @property
    def is_exact(self) -> bool:
        return self.name.endswith(EXACT)

    @property
    def grains(self) -> tuple[str, ...]:
        return WINDOW_GRAINS if WINDOW in self.name else BASE_GRAINS

    @property
    def ways(self) -> list[str]:
        """The dimensions by which the group is told.

        Everybody else's credit beside the revenue is a matter of people: a company's sum of it would say nothing.
        """
        if not self.name.removesuffix(EXACT).endswith(f":{Credit.REVENUE}"):
            return list(_OF_PEOPLE)
        return [DimensionCode.COMPANY, *(each for each in DIMENSIONS if each in self.used)]

    def move(self, dates: set[date], terms: Mapping[str, Term]) -> set[date]:
        """Bring the blocks up to date by what changed; the days whose periods have to be rebuilt all the same."""
        counted = {key: term for key, term in terms.items() if isinstance(term, Simple)}
        return Differences(self.cursor, self.name, counted, self.ways, self._repeating).add(dates)

    def rebuild(self, dates: set[date] | None, terms: Mapping[str, Term]) -> None:
        starts = self._clear(dates)
        for window in terms.values():
            if isinstance(window, Window):
                self._store(*window_cells(window, starts))
        counted = {key: term for key, term in terms.items() if isinstance(term, Simple)}
        if not counted:
            return
        kind, credit = self.name.removesuffix(EXACT).rsplit(":", 1)
        events = EventCells(self.cursor, kind, credit, counted, starts)
        cells = events.exact(self.ways, BASE_GRAINS) if self.is_exact else events.additive(self.ways)
        self._store(cells, events.keys, events.params)

    def _clear(self, dates: set[date] | None) -> Starts | None:
        """Delete what is to be exchanged; the starts of those periods by grain, None for all."""
        if dates is None:
            self.cursor.execute('DELETE FROM kpis_measureblock WHERE "group" = %s', [self.name])
            return None
        starts = starts_of(self.cursor, dates, self.grains)
        for grain, days in starts.items():
            self.cursor.execute(
                'DELETE FROM kpis_measureblock WHERE "group" = %s AND grain = %s AND period_start = ANY(%s)',
                [self.name, grain, list(days)],
            )
        return starts

    def _store(self, cells: str, keys: Sequence[str], params: Mapping[str, Any]) -> None:
        """Store the rows of `cells` (grain, period_start, dimension, member_id, v0, v1, … one for each key)."""
        columns = [f"v{n}" for n in range(len(keys))]
        ordered = "ORDER BY member_id NULLS FIRST"
        lines = ", ".join(f"string_agg(coalesce({column}::numeric::text, ''), ',' {ordered})" for column in columns)
        told = "FROM unnest(%(keys)s::text[], lines) WITH ORDINALITY AS line (key, text, nth) WHERE text ~ '[^,]'"
        self.cursor.execute(
            f"""
            INSERT INTO kpis_measureblock ("group", grain, is_of_people, period_start, measures, member_ids, numbers)
            SELECT %(group)s, grain, is_of_people, period_start, ARRAY(SELECT key {told} ORDER BY nth), member_ids,
                   ARRAY(SELECT text {told} ORDER BY nth)
            FROM (
                SELECT grain, dimension = 'person' AS is_of_people, period_start,
                       array_agg(member_id {ordered}) AS member_ids, ARRAY[{lines}] AS lines
                FROM (
                    SELECT *, count(*) OVER (PARTITION BY grain, period_start, dimension) AS members
                    FROM ({cells}) AS cells WHERE num_nonnulls({", ".join(columns)}) > 0
                ) AS told
                WHERE dimension = 'company' OR members > 1 OR NOT member_id = ANY(%(unassigned)s)
                GROUP BY 1, 2, 3
            ) AS block
            ORDER BY grain, is_of_people, period_start -- as the index has them, which fills its pages
            """,
            {**params, "group": self.name, "keys": list(keys), "unassigned": self._repeating},
        )

    @property
    def _repeating(self) -> list[int]:
        """The members that alone in their dimension say what the company says."""
        return list(self.unassigned) if ":revenue" in self.name or WINDOW in self.name else []
