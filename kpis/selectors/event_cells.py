"""Events grouped into cells as SQL: what blocks store, and what is computed when it is read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import DimensionCode
from kpis.engine.specs import Simple
from kpis.models.resources import MODELS
from kpis.selectors.measures import are_whole, measure

BASE_GRAINS = ("month", "week")
Starts = Mapping[str, Sequence[date]]  # grain → starts of its periods

# Every member with those that its numbers go to: itself and what it lies below.
PATHS = """
    WITH RECURSIVE path (id, ancestor_id) AS (
        SELECT id, id FROM kpis_dimensionmember
        UNION SELECT path.id, m.parent_id FROM path JOIN kpis_dimensionmember m ON m.id = path.ancestor_id
        WHERE m.parent_id IS NOT NULL
    )
"""


class EventCells:
    """SQL of the cells of one kind and credit: rows (grain, period_start, dimension, member_id, v0, v1, …).

    There is one v for each of `keys`, the measures of `terms` with their suffixes; member_id is null for the company.
    `starts` limits the cells to these periods; None = all that have events. Statements go with `params`.
    """

    def __init__(
        self, cursor: CursorWrapper, kind: str, credit: str, terms: Mapping[str, Simple], starts: Starts | None
    ) -> None:
        self.is_whole = are_whole(cursor, kind, credit)
        self._measures = {key: measure(term, whole=self.is_whole) for key, term in terms.items()}
        limits, self._having, dated = _within(cursor, starts)
        self._limits = f"e.kind = %(kind)s AND e.credit = %(credit)s AND {limits}"
        self._is_dated = bool(dated)
        self.keys = [f"{key}{suffix}" for key, each in self._measures.items() for suffix in each.columns]
        values = (expression for each in self._measures.values() for expression in each.columns.values())
        self._values = ", ".join(f"{expression} AS v{n}" for n, expression in enumerate(values))
        joins = dict.fromkeys(each.join for each in self._measures.values())
        if any(each.needs_fact for each in self._measures.values()):
            joins[f"JOIN {MODELS[kind.split('.', 1)[0]]._meta.db_table} f ON f.id = e.fact_id"] = None
        self._joins = " ".join(joins)
        named = {name: value for each in self._measures.values() for name, value in each.params.items()}
        self.params = {"kind": kind, "credit": credit, **dated, **named}

    def differences(self, dimensions: Iterable[str]) -> str:
        """The same of `changed_event`, a table of events with a sign: by how much what came is more than what went.

        Only where the events of either side are whole, so that all numbers add up; 0 where both are the same.
        """
        sums = ", ".join(f"coalesce(sum(sign * v{n}), 0) AS v{n}" for n in range(len(self.keys)))
        return f"""
            SELECT grain, period_start, dimension, member_id, {sums}
            FROM ({self.additive(dimensions, events="changed_event", beside=("sign",))}) AS cells GROUP BY 1, 2, 3, 4
        """

    def additive(self, dimensions: Iterable[str], *, events: str = "kpis_kpievent", beside: Sequence[str] = ()) -> str:
        """One statement for months and weeks of all dimensions; `beside`: columns of `events` to group by as well."""
        columns = {each: f"e.{each}_id" for each in dimensions if each != DimensionCode.COMPANY}
        ways = [*([""] if DimensionCode.COMPANY in dimensions else []), *columns.values()]
        apart = [f"e.{column}" for column in beside]
        sets = ", ".join(
            f"({', '.join(filter(None, [*apart, f'd.{grain}', way]))})" for grain in BASE_GRAINS for way in ways
        )
        named = " ".join(f"WHEN GROUPING({column}) = 0 THEN '{each}'" for each, column in columns.items())
        grains = " ".join(f"WHEN GROUPING(d.{grain}) = 0 THEN '{grain}'" for grain in BASE_GRAINS)
        return f"""
            SELECT CASE {grains} END AS grain,
                   coalesce({", ".join(f"d.{grain}" for grain in BASE_GRAINS)}) AS period_start,
                   {f"CASE {named} ELSE 'company' END" if columns else "'company'"} AS dimension,
                   {f"coalesce({', '.join(columns.values())})" if columns else "NULL::bigint"} AS member_id,
                   {", ".join([*apart, self._values])}
            FROM {events} e JOIN kpis_calendarday d ON d.day = e.date {self._joins}
            WHERE {self._limits} GROUP BY GROUPING SETS ({sets}) HAVING {self._having}
        """

    def exact(self, dimension: str, grains: Iterable[str]) -> str:
        """One dimension, by the table `path`: a fact counts once for each ancestor, whatever credits and lines it has.

        Each grain by itself: to tell a week, only that week is sorted, though its month is looked at too.
        """
        is_company = dimension == DimensionCode.COMPANY
        counts = " OR ".join(dict.fromkeys(each.where for each in self._measures.values()))
        of_fact = ", ".join(
            f'{value} AS "{name}"' for each in self._measures.values() for name, value in each.of_fact.items()
        )
        of_grain = """
            SELECT '{grain}' AS grain, d.{grain} AS period_start, '{dimension}' AS dimension, e.member_id, {values}
            FROM of_{dimension} e JOIN kpis_calendarday d ON d.day = e.date
            WHERE {asked} GROUP BY d.{grain}, e.member_id
        """
        cells = " UNION ALL ".join(
            of_grain.format(
                grain=grain,
                dimension=dimension,
                values=self._values,
                asked=f"d.{grain} = ANY(%(starts_{grain})s)" if self._is_dated else "true",
            )
            for grain in grains
        )
        return f"""
            (WITH of_{dimension} AS MATERIALIZED (
                SELECT {"NULL::bigint" if is_company else "path.ancestor_id"} AS member_id, e.date, {of_fact}
                FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date
                {"" if is_company else f"JOIN path ON path.id = e.{dimension}_id"} {self._joins}
                WHERE {self._limits} AND ({counts}) {"" if self.is_whole else "GROUP BY 1, e.date, e.fact_id"}
            ) {cells})
        """


def _within(cursor: CursorWrapper, starts: Starts | None) -> tuple[str, str, dict[str, Any]]:
    """SQL that limits events to those periods, SQL that keeps only groups of those periods, and their parameters."""
    if starts is None:
        return "true", "true", {}
    params: dict[str, Any] = {f"starts_{grain}": list(days) for grain, days in starts.items()}
    inside = " OR ".join(f"d.{grain} = ANY(%(starts_{grain})s)" for grain in starts)
    having = " OR ".join(f"(GROUPING(d.{grain}) = 0 AND d.{grain} = ANY(%(starts_{grain})s))" for grain in starts)
    cursor.execute(f"SELECT min(day), max(day) FROM kpis_calendarday d WHERE {inside}", params)
    params["first"], params["last"] = cursor.fetchone()
    # The plain days beside them: how many events the periods hold the planner cannot know.
    return f"e.date BETWEEN %(first)s AND %(last)s AND ({inside})", having, params
