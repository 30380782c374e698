"""Exchanging blocks: one measure group at a time, in the periods whose events have changed.

A block holds the additive measures of one group (event kind and credit) in one period, for people or for the company
and all other dimensions. What does not add up (median, distinct) lives in the group's ":exact" twin, computed from
facts at every grain and for every ancestor. A dimension in which everything is unassigned is left out: it would repeat
the company.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import DIMENSIONS, DimensionCode
from kpis.engine.cells import EXACT, WINDOW
from kpis.engine.specs import Simple, Term, Window
from kpis.models import DimensionMember
from kpis.selectors.measures import Measure, are_whole, measure
from kpis.services import dependents
from kpis.services.windows import WINDOW_GRAINS, window_cells

BASE_GRAINS = ("month", "week")
ALL_GRAINS = ("month", "week", "quarter", "half", "year")
_OF_PEOPLE = (DimensionCode.TEAM, DimensionCode.PERSON)
Starts = Mapping[str, Sequence[date]]

# Every member with those that its numbers go to: itself and what it lies below.
_PATH = """
    CREATE TEMPORARY TABLE path ON COMMIT DROP AS WITH RECURSIVE path (id, ancestor_id) AS (
        SELECT id, id FROM kpis_dimensionmember
        UNION SELECT path.id, m.parent_id FROM path JOIN kpis_dimensionmember m ON m.id = path.ancestor_id
        WHERE m.parent_id IS NOT NULL
    ) SELECT * FROM path
"""


def dimensions_in_use() -> tuple[str, ...]:
    """The dimensions that have a member of their own, in their order."""
    used = set(DimensionMember.objects.filter(is_unassigned=False).values_list("dimension__code", flat=True))
    return tuple(dimension for dimension in DIMENSIONS if dimension in used)


def rebuild(
    cursor: CursorWrapper, touched: Mapping[str, set[date] | None], terms: Mapping[str, Mapping[str, Term]]
) -> None:
    """Exchange the blocks of these groups in the periods that hold their dates (None = all periods)."""
    cursor.execute("DROP TABLE IF EXISTS path")
    cursor.execute(_PATH)
    cursor.execute("ANALYZE path")
    unassigned = list(DimensionMember.objects.filter(is_unassigned=True).values_list("id", flat=True))
    used = dimensions_in_use()
    for name in sorted(touched):
        _Group(cursor, name, used, unassigned).rebuild(touched[name], terms.get(name, {}))


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
        return WINDOW_GRAINS if WINDOW in self.name else ALL_GRAINS if self.is_exact else BASE_GRAINS

    def rebuild(self, dates: set[date] | None, terms: Mapping[str, Term]) -> None:
        starts = self._clear(dates)
        for window in terms.values():
            if isinstance(window, Window):
                self._store(*window_cells(window, starts))
        counted = {key: term for key, term in terms.items() if isinstance(term, Simple)}
        if not counted:
            return
        kind, credit = self.name.removesuffix(EXACT).rsplit(":", 1)
        whole = are_whole(self.cursor, kind, credit)
        measures = {key: measure(term, whole=whole) for key, term in counted.items()}
        events = _Events(kind, credit, measures, whole, *_within(self.cursor, starts))
        # Everybody else's credit beside the revenue is a matter of people: a company's sum of it would say nothing.
        dimensions = [each for each in DIMENSIONS if each in self.used] if credit == "revenue" else _OF_PEOPLE
        ways = [DimensionCode.COMPANY, *dimensions] if credit == "revenue" else list(dimensions)
        if self.is_exact:
            for are_people in (False, True):
                some = [each for each in ways if (each == DimensionCode.PERSON) is are_people]
                if some:
                    cells = " UNION ALL ".join(map(events.exact_cells, some))
                    self._store(cells, events.keys, events.params)
        else:
            self._store(events.additive_cells(ways), events.keys, events.params)

    def _clear(self, dates: set[date] | None) -> Starts | None:
        """Delete what is to be exchanged; the starts of those periods by grain, None for all."""
        if dates is None:
            self.cursor.execute('DELETE FROM kpis_measureblock WHERE "group" = %s', [self.name])
            return None
        columns = ", ".join(f"array_agg(DISTINCT {grain})" for grain in self.grains)
        self.cursor.execute(f"SELECT {columns} FROM kpis_calendarday WHERE day = ANY(%s)", [list(dates)])
        starts = {grain: days or [] for grain, days in zip(self.grains, self.cursor.fetchone(), strict=True)}
        for grain, days in starts.items():
            self.cursor.execute(
                'DELETE FROM kpis_measureblock WHERE "group" = %s AND grain = %s AND period_start = ANY(%s)',
                [self.name, grain, days],
            )
        return starts

    def _store(self, cells: str, keys: Sequence[str], params: Mapping[str, Any]) -> None:
        """Store the rows of `cells` (grain, period_start, dimension, member_id, v0, v1, … one for each key)."""
        columns = [f"v{n}" for n in range(len(keys))]
        ordered = "ORDER BY member_id NULLS FIRST"
        lines = ", ".join(f"string_agg(coalesce({column}::numeric::text, ''), ',' {ordered})" for column in columns)
        self.cursor.execute(
            f"""
            INSERT INTO kpis_measureblock ("group", grain, is_of_people, period_start, measures, member_ids, numbers)
            SELECT %(group)s, grain, dimension = 'person', period_start, %(keys)s, array_agg(member_id {ordered}),
                   ARRAY[{lines}]
            FROM (
                SELECT *, count(*) OVER (PARTITION BY grain, period_start, dimension) AS members
                FROM ({cells}) AS cells WHERE num_nonnulls({", ".join(columns)}) > 0
            ) AS told
            WHERE dimension = 'company' OR members > 1 OR NOT member_id = ANY(%(unassigned)s)
            GROUP BY grain, dimension = 'person', period_start
            """,
            {**params, "group": self.name, "keys": list(keys), "unassigned": self._repeating},
        )

    @property
    def _repeating(self) -> list[int]:
        """The members that alone in their dimension say what the company says."""
        return list(self.unassigned) if ":revenue" in self.name or WINDOW in self.name else []


class _Events:
    """The SQL that groups the events of one kind and credit."""

    def __init__(
        self,
        kind: str,
        credit: str,
        measures: Mapping[str, Measure],
        whole: bool,
        limits: str,
        having: str,
        dated: dict[str, Any],
    ) -> None:
        self._measures = measures
        self._by_fact = "" if whole else "GROUP BY 1, e.date, e.fact_id"
        self._limits = f"e.kind = %(kind)s AND e.credit = %(credit)s AND {limits}"
        self._having = having
        self._is_dated = bool(dated)
        self.keys = [f"{key}{suffix}" for key, each in measures.items() for suffix in each.columns]
        values = (expression for each in measures.values() for expression in each.columns.values())
        self._values = ", ".join(f"{expression} AS v{n}" for n, expression in enumerate(values))
        joins = dict.fromkeys(each.join for each in measures.values())
        if any(each.needs_fact for each in measures.values()):
            joins[f"JOIN {dependents.FACT_TABLES[kind.split('.', 1)[0]]} f ON f.id = e.fact_id"] = None
        self._joins = " ".join(joins)
        named = {name: value for each in measures.values() for name, value in each.params.items()}
        self.params = {"kind": kind, "credit": credit, **dated, **named}

    def additive_cells(self, dimensions: Iterable[str]) -> str:
        """One statement for all dimensions."""
        columns = {each: f"e.{each}_id" for each in dimensions if each != DimensionCode.COMPANY}
        ways = [*([""] if DimensionCode.COMPANY in dimensions else []), *columns.values()]
        sets = ", ".join(f"({', '.join(filter(None, [f'd.{grain}', way]))})" for grain in BASE_GRAINS for way in ways)
        named = " ".join(f"WHEN GROUPING({column}) = 0 THEN '{each}'" for each, column in columns.items())
        return f"""
            SELECT CASE {_grain_case(BASE_GRAINS)} END AS grain, coalesce({_columns(BASE_GRAINS)}) AS period_start,
                   {f"CASE {named} ELSE 'company' END" if columns else "'company'"} AS dimension,
                   {f"coalesce({', '.join(columns.values())})" if columns else "NULL::bigint"} AS member_id,
                   {self._values}
            FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date {self._joins}
            WHERE {self._limits} GROUP BY GROUPING SETS ({sets}) HAVING {self._having}
        """

    def exact_cells(self, dimension: str) -> str:
        """One dimension: a fact counts once for each ancestor, however many credits and lines it has.

        Each grain by itself: to tell a week, only that week is sorted, though its year is looked at too.
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
        grains = " UNION ALL ".join(
            of_grain.format(
                grain=grain,
                dimension=dimension,
                values=self._values,
                asked=f"d.{grain} = ANY(%(starts_{grain})s)" if self._is_dated else "true",
            )
            for grain in ALL_GRAINS
        )
        return f"""
            (WITH of_{dimension} AS MATERIALIZED (
                SELECT {"NULL::bigint" if is_company else "path.ancestor_id"} AS member_id, e.date, {of_fact}
                FROM kpis_kpievent e JOIN kpis_calendarday d ON d.day = e.date
                {"" if is_company else f"JOIN path ON path.id = e.{dimension}_id"} {self._joins}
                WHERE {self._limits} AND ({counts}) {self._by_fact}
            ) {grains})
        """


def _grain_case(grains: Iterable[str]) -> str:
    return " ".join(f"WHEN GROUPING(d.{grain}) = 0 THEN '{grain}'" for grain in grains)


def _columns(grains: Iterable[str]) -> str:
    return ", ".join(f"d.{grain}" for grain in grains)


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
