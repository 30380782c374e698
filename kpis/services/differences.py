"""Blocks brought up to date by what changed: what came is added, what went is taken away.

So the cost follows the change, not all that its months hold. What the difference cannot tell is computed from all
events of its period: a member that comes or goes, a share of a deal, what is read of the record behind an event.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

from django.db.backends.utils import CursorWrapper

from kpis.choices import Credit, DimensionCode
from kpis.engine.cells import COUNT
from kpis.engine.specs import Simple
from kpis.models import DimensionMember
from kpis.selectors.event_cells import BASE_GRAINS, EventCells, Starts
from kpis.selectors.measures import measure

# So many times as many events as have changed are in the periods, or computing from all of them is as quick.
WORTH = 2
_AS_POSTGRESQL = Context(prec=1000)

Place = tuple[str, date, bool]  # grain, start of the period, of people


@dataclass(slots=True)
class _Block:
    """A stored block, taken apart: measure → the text of each member's number."""

    id: int
    members: Sequence[int | None]
    at: Mapping[int | None, int]
    lines: dict[str, list[str]]

    def is_told_of_all(self) -> bool:
        """Whether every member still has a number; one that has none must be left out."""
        return all(map(any, zip(*self.lines.values(), strict=True)))


@dataclass(frozen=True)
class Differences:
    """What changed of one measure group's events; `unassigned`: members that alone in their dimension are left out."""

    cursor: CursorWrapper
    name: str
    terms: Mapping[str, Simple]
    ways: Sequence[str]
    unassigned: Collection[int]

    def add(self, dates: set[date]) -> set[date]:
        """Bring the blocks that hold these dates up to date; days whose periods have to be computed from all events."""
        kind, credit = self.name.rsplit(":", 1)
        is_told_by_events = not any(measure(term).reads_record for term in self.terms.values())
        if credit != Credit.REVENUE or not is_told_by_events:
            return dates
        events = EventCells(self.cursor, kind, credit, self.terms, None, signed=True)
        if not events.is_whole or not self._is_worth_it(kind, credit, dates):
            return dates
        blocks = self._load(starts_of(self.cursor, dates, BASE_GRAINS), events.keys)
        left = {place for place, block in blocks.items() if block.lines.keys() > set(events.keys)}
        self.cursor.execute(events.additive(self.ways), events.params)
        for grain, start, dimension, member, *numbers in self.cursor.fetchall():
            if any(numbers):
                place = (grain, start, dimension == DimensionCode.PERSON)
                block = blocks.get(place)
                if block is not None and member in block.at:
                    _move(block, block.at[member], events.keys, numbers)
                elif block is None or member not in self.unassigned or _tells_of(block, dimension):
                    left.add(place)
        left |= {place for place, block in blocks.items() if not block.is_told_of_all()}
        self._save(block for place, block in blocks.items() if place not in left)
        return {start for _grain, start, _is_of_people in left}

    def _is_worth_it(self, kind: str, credit: str, dates: set[date]) -> bool:
        """Whether few enough events changed, all of them whole."""
        self.cursor.execute(
            "SELECT count(*), coalesce(bool_and(weight = 1), true) FROM changed_event WHERE kind = %s AND credit = %s",
            [kind, credit],
        )
        changed, are_whole = self.cursor.fetchone()
        if not are_whole:
            return False
        least = changed * WORTH
        self.cursor.execute(
            "SELECT count(*) FROM (SELECT FROM kpis_kpievent WHERE kind = %s AND date BETWEEN %s AND %s LIMIT %s) e",
            [kind, min(dates), max(dates), least],
        )
        return bool(self.cursor.fetchone()[0] >= least)

    def _load(self, starts: Starts, keys: Sequence[str]) -> dict[Place, _Block]:
        inside = " OR ".join(f"(grain = '{grain}' AND period_start = ANY(%({grain})s))" for grain in starts)
        self.cursor.execute(
            "SELECT id, grain, period_start, is_of_people, measures, member_ids, numbers FROM kpis_measureblock"
            f' WHERE "group" = %(group)s AND ({inside})',
            {"group": self.name, **{grain: list(days) for grain, days in starts.items()}},
        )
        return {
            (grain, start, is_of_people): _Block(
                pk,
                members,
                {member: n for n, member in enumerate(members)},
                {key: [""] * len(members) for key in keys}
                | {key: line.split(",") for key, line in zip(measures, numbers, strict=True)},
            )
            for pk, grain, start, is_of_people, measures, members, numbers in self.cursor.fetchall()
        }

    def _save(self, blocks: Iterator[_Block]) -> None:
        told = ((each.id, {key: line for key, line in each.lines.items() if any(line)}) for each in blocks)
        self.cursor.executemany(
            "UPDATE kpis_measureblock SET measures = %s, numbers = %s WHERE id = %s",
            [(list(lines), list(map(",".join, lines.values())), pk) for pk, lines in told],
        )


def starts_of(cursor: CursorWrapper, dates: set[date], grains: Sequence[str]) -> Starts:
    """Grain → the starts of the periods that hold these dates."""
    columns = ", ".join(f"array_agg(DISTINCT {grain})" for grain in grains)
    cursor.execute(f"SELECT {columns} FROM kpis_calendarday WHERE day = ANY(%s)", [list(dates)])
    return {grain: days or [] for grain, days in zip(grains, cursor.fetchone(), strict=True)}


def _tells_of(block: _Block, dimension: str) -> bool:
    """Whether a block has members of a dimension; where all is unassigned it has none."""
    told = [member for member in block.at if member is not None]
    return DimensionMember.objects.filter(dimension__code=dimension, pk__in=told).exists()


def _move(block: _Block, at: int, keys: Sequence[str], numbers: Sequence[Decimal | None]) -> None:
    """Add a difference to the numbers of one member."""
    for key, number in zip(keys, numbers, strict=True):
        if number:
            line = block.lines[key]
            moved = _AS_POSTGRESQL.add(Decimal(line[at] or 0), number)
            line[at] = f"{_AS_POSTGRESQL.normalize(moved):f}" if moved or key + COUNT in block.lines else ""
    for key in keys:
        if key + COUNT in block.lines:
            # a sum is there where anything was added up, though it be 0
            line = block.lines[key]
            line[at] = (line[at] or "0") if block.lines[key + COUNT][at] else ""
