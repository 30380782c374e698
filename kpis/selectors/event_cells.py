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
    `starts` limits the cells to these periods; None = all that have events. Statements go with `params`. `signed`: of
    `changed_event`, a table of events with a sign, by how much what came is more than what went; only where events are
    whole and by what adds up.
    """

    def __init__(
        self,
        cursor: CursorWrapper,
        kind: str,
        credit: str,
        terms: Mapping[str, Simple],
        starts: Starts | None,
        *,
        signed: bool = False,
    ) -> None:
        self.is_whole = are_whole(cursor, kind, credit)
        self._table = "changed_event" if signed else "kpis_kpievent"
        self._measures = {key: measure(term, whole=self.is_whole, signed=signed) for key, term in terms.items()}
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

    def additive(self, dimensions: Iterable[str], *, events: str = "kpis_kpievent", beside: Sequence[str] = ()) -> str:
        """One statement for months and weeks of all dimensions; `beside`: columns of `events` to group by as well."""
        columns = {each: f"e.{each}_id" for each in dimensions if each != DimensionCode.COMPANY}
        ways = [*([""] if DimensionCode.COMPANY in dimensions else []), *columns.values()]
        sets = ", ".join(f"({', '.join(filter(None, [f'd.{grain}', way]))})" for grain in BASE_GRAINS for way in ways)
        named = " ".join(f"WHEN GROUPING({column}) = 0 THEN '{each}'" for each, column in columns.items())
        grains = " ".join(f"WHEN GROUPING(d.{grain}) = 0 THEN '{grain}'" for grain in BASE_GRAINS)
        return f"""
            SELECT CASE {grains} END AS grain,
                   coalesce({", ".join(f"d.{grain}" for grain in BASE_GRAINS)}) AS period_start,
                   {f"CASE {named} ELSE 'company' END" if columns else "'company'"} AS dimension,
                   {f"coalesce({', '.join(columns.values())})" if columns else "NULL::bigint"} AS member_id,
                   {self._values}
            FROM {self._table} e JOIN kpis_calendarday d ON d.day = e.date {self._joins}
            WHERE {self._limits} GROUP BY GROUPING SETS ({sets}) HAVING {self._having}
        """

    def exact(self, dimensions: Sequence[str], grains: Sequence[str]) -> str:
        """These dimensions, by the table `path`: for each ancestor a fact counts once, whatever its credits and lines.

        Whole events are read once for all. Each grain by itself: to tell a week, only that week is sorted.
        """
        of_dimension = {each: f"e.{each}_id" for each in dimensions if each != DimensionCode.COMPANY}
        if self.is_whole:
            sources = {"whole": self._facts([f"{column} AS {each}" for each, column in of_dimension.items()], grains)}
        else:
            sources = {
                each: self._facts(
                    [f"path.ancestor_id AS {each}"] if each in of_dimension else [],
                    grains,
                    f"JOIN path ON path.id = {of_dimension[each]}" if each in of_dimension else "",
                    f"GROUP BY {'path.ancestor_id, ' if each in of_dimension else ''}d.day, e.fact_id",
                )
                for each in dimensions
            }
        cells = " UNION ALL ".join(self._told(each, grain) for each in dimensions for grain in grains)
        gathered = ", ".join(f"of_{name} AS MATERIALIZED ({source})" for name, source in sources.items())
        return f"(WITH {gathered} {cells})"

    def _facts(self, members: Sequence[str], grains: Sequence[str], join: str = "", group_by: str = "") -> str:
        """Facts that count, with their periods, their members and what is measured of each."""
        counts = " OR ".join(dict.fromkeys(each.where for each in self._measures.values()))
        of_fact = [f'{value} AS "{name}"' for each in self._measures.values() for name, value in each.of_fact.items()]
        return f"""
            SELECT {", ".join([*(f"d.{grain}" for grain in grains), *members, *of_fact])}
            FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date {join} {self._joins}
            WHERE {self._limits} AND ({counts}) {group_by}
        """

    def _told(self, dimension: str, grain: str) -> str:
        is_company = dimension == DimensionCode.COMPANY
        source = "of_whole" if self.is_whole else f"of_{dimension}"
        member = "NULL::bigint" if is_company else "path.ancestor_id" if self.is_whole else f"e.{dimension}"
        is_of_all = is_company or not self.is_whole
        return f"""
            SELECT '{grain}' AS grain, e.{grain} AS period_start, '{dimension}' AS dimension, {member} AS member_id,
                   {self._values}
            FROM {source} e {"" if is_of_all else f"JOIN path ON path.id = e.{dimension}"}
            WHERE {f"e.{grain} = ANY(%(starts_{grain})s)" if self._is_dated else "true"} GROUP BY 2, 4
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
