"""What a sheet of targets would change: read against the tree, cell by cell, before anything is stored."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext, override

from kpis.choices import DimensionCode, Direction, PeriodState, TargetLine
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.typed import SCALES, TypedNumberError, read_number
from kpis.models import DimensionMember, KpiNode, KpiTree, Period, Target
from kpis.selectors.calendar import period_namer
from kpis.selectors.target_grid import grid_nodes

LANGUAGES = ("ja", "en")
HEADINGS = {
    "code": gettext_noop("KPI code"),
    "name": gettext_noop("KPI"),
    "dimension": gettext_noop("Dimension"),
    "member": gettext_noop("Member code"),
    "member_name": gettext_noop("Member name"),
    "line": gettext_noop("Target line"),
    "unit": gettext_noop("Unit"),
}
NO_TARGET = gettext_noop("No target")
BETWEEN = re.compile("[〜～~]")
MayWrite = Callable[[KpiNode, str, DimensionMember | None], bool]


@dataclass(frozen=True)
class ImportChange:
    """One target that would be set; `old` is None where none is set yet, `new` where it would be removed."""

    node: KpiNode
    dimension: str
    member: DimensionMember | None
    line: str
    period_start: date
    period_label: str
    old: Decimal | None
    new: Decimal | None
    upper: Decimal | None = None


@dataclass(frozen=True)
class RefusedCell:
    """What cannot be taken: the row as the file counts it, the column's heading ("" = the whole row), and why."""

    row: int
    column: str
    issue: Issue


@dataclass(frozen=True)
class _Place:
    """What a row of the sheet is about; `scale` is what its amounts count in."""

    node: KpiNode
    dimension: str
    member: DimensionMember | None
    line: str
    scale: int

    def key(self, start: date) -> tuple[int, int | None, str, date]:
        return self.node.pk, self.member.pk if self.member else None, self.line, start


@dataclass(frozen=True)
class ImportPlan:
    """What a sheet would do; it may be carried out only where nothing is refused."""

    changes: tuple[ImportChange, ...]
    refused: tuple[RefusedCell, ...]
    unchanged: int

    @property
    def is_sound(self) -> bool:
        return bool(self.changes) and not self.refused


def plan_import(sheet: Sequence[Sequence[str]], *, tree: KpiTree, line: str, may_write: MayWrite) -> ImportPlan:
    """Compare a sheet with the targets of a tree; `line` is meant where the sheet names none. Seven queries.

    Blank cells leave their target as it is; the words “No target” (目標なし) remove it. A closed period is refused only
    where its target would change. Amounts count in the unit that the row names (千円 …), else in the currency itself.
    """
    return _Importer(tree, line, may_write).plan(sheet)


@dataclass
class _Importer:
    tree: KpiTree
    line: str
    may_write: MayWrite
    changes: list[ImportChange] = field(default_factory=list)
    refused: list[RefusedCell] = field(default_factory=list)
    unchanged: int = 0

    def __post_init__(self) -> None:
        nodes = grid_nodes(self.tree)
        self.nodes = {_plain(node.code): node for node in nodes} | _unique(nodes, lambda node: node.name)
        members = list(DimensionMember.objects.select_related("dimension").filter(dimension__is_active=True))
        self.members: dict[str, Mapping[str, DimensionMember]] = {}
        for dimension in {row.dimension.code for row in members}:
            own = [row for row in members if row.dimension.code == dimension]
            self.members[dimension] = _unique(own, lambda row: row.name) | {_plain(row.code): row for row in own}
        rows = Target.objects.filter(node__tree=self.tree)
        self.targets = {(row.node_id, row.member_id, row.line, row.period_start): row for row in rows}
        self.periods = self._read_periods()
        self.no_target = _in_all_languages(NO_TARGET)
        self.seen: set[tuple[int, int | None, str, date]] = set()

    def _read_periods(self) -> dict[tuple[str, str], Period]:
        """(grain, heading as people write it) → period."""
        rows = list(
            Period.objects.select_related("fiscal_year").filter(
                fiscal_year__start_year=self.tree.fiscal_year, grain__in=("month", "week")
            )
        )
        found = {(row.grain, row.start_date.isoformat()): row for row in rows}
        for namer in [period_namer(language, short=short) for language in LANGUAGES for short in (False, True)]:
            found |= {(row.grain, _plain(namer(row))): row for row in rows}
        return found

    def plan(self, sheet: Sequence[Sequence[str]]) -> ImportPlan:
        head = next((number for number, row in enumerate(sheet) if self._columns(row).keys() & {"code", "name"}), None)
        if head is None:
            self._refuse(1, "", "no_heading", gettext_noop("No row names the columns: one has to be called KPI code."))
            return self._done()
        columns = self._columns(sheet[head])
        for number, row in enumerate(sheet[head + 1 :], head + 2):
            if any(cell.strip() for cell in row):
                self._row(number, row, columns, sheet[head])
        return self._done()

    def _done(self) -> ImportPlan:
        return ImportPlan(tuple(self.changes), tuple(self.refused), self.unchanged)

    def _columns(self, heading: Sequence[str]) -> dict[str, int]:
        known: dict[str, str] = {}
        for language in LANGUAGES:
            with override(language):
                known |= {_plain(gettext(word)): key for key, word in HEADINGS.items()}
        return {known[_plain(cell)]: index for index, cell in enumerate(heading) if _plain(cell) in known}

    def _row(self, number: int, row: Sequence[str], columns: Mapping[str, int], heading: Sequence[str]) -> None:
        def text(key: str) -> str:
            index = columns.get(key)
            return row[index].strip().removeprefix("'") if index is not None and index < len(row) else ""

        place = self._place(number, text)
        if place is None:
            return
        for index, cell in enumerate(row[: len(heading)]):
            period = self.periods.get((place.node.frequency, _plain(heading[index])))
            if period is not None and index not in columns.values() and cell.strip():
                self._cell(number, heading[index], cell, place, period)

    def _place(self, number: int, text: Callable[[str], str]) -> _Place | None:
        """The row's KPI, member and line; None where the row is refused."""
        named = text("member") or text("member_name")
        node = self.nodes.get(_plain(text("code") or text("name")))
        line = _choice(text("line"), TargetLine) if text("line") else self.line
        dimension = _choice(text("dimension"), DimensionCode) if text("dimension") else DimensionCode.COMPANY.value
        member = self.members.get(dimension or "", {}).get(_plain(named)) if named else None
        if node is None:
            name = text("code") or text("name")
            self._refuse(number, "", "unknown_kpi", gettext_noop("The tree has no KPI “%(name)s”."), name=name)
        elif line is None:
            name = text("line")
            self._refuse(number, "", "unknown_line", gettext_noop("There is no target line “%(name)s”."), name=name)
        elif dimension is None or (dimension == DimensionCode.COMPANY) != (not named):
            template = gettext_noop("Name the dimension and the member, or neither for the whole company.")
            self._refuse(number, "", "invalid_member", template)
        elif named and member is None:
            self._refuse(number, "", "unknown_member", gettext_noop("There is no member “%(name)s” here."), name=named)
        else:
            scale = SCALES.get(unicodedata.normalize("NFKC", text("unit")), 1)
            return _Place(node, dimension, member, line, scale)
        return None

    def _cell(self, number: int, column: str, text: str, place: _Place, period: Period) -> None:
        metric = place.node.metric
        unit = metric.unit if metric else ""
        is_removal = _plain(text) in self.no_target
        text = "" if is_removal else text
        try:
            parts = BETWEEN.split(text) if metric and metric.direction == Direction.RANGE else [text]
            new, upper = [*(read_number(part, unit, scale=place.scale) for part in parts[:2]), None][:2]
        except TypedNumberError as error:
            self._refuse(number, column, error.code, error.template, **error.params)
            return
        target = self.targets.get(place.key(period.start_date))
        old, old_upper = (target.value, target.upper) if target else (None, None)
        if (new is None and not is_removal) or (old, old_upper) == (new, upper):
            self.unchanged += 1
        elif fault := self._fault(place, period):
            self._refuse(number, column, *fault)
        else:
            self.seen.add(place.key(period.start_date))
            self.changes.append(
                ImportChange(
                    place.node, place.dimension, place.member, place.line, period.start_date, column, old, new, upper
                )
            )

    def _fault(self, place: _Place, period: Period) -> tuple[str, str] | None:
        """Why a target is not to be changed by this reader, with its code."""
        if place.key(period.start_date) in self.seen:
            return "duplicate", gettext_noop("This target is in the list twice.")
        if period.state == PeriodState.CLOSED:
            return "locked", gettext_noop("This period is closed. Reopen it with a reason to change its target.")
        if not self.may_write(place.node, place.dimension, place.member):
            return "not_yours", gettext_noop("This is not yours to write: your role reaches your own people and KPIs.")
        return None

    def _refuse(self, row: int, column: str, code: str, template: str, **params: object) -> None:
        self.refused.append(RefusedCell(row, column, Issue(column, code, template, tuple(params.items()))))


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _in_all_languages(word: str) -> set[str]:
    found = set()
    for language in LANGUAGES:
        with override(language):
            found.add(_plain(gettext(word)))
    return found


def _unique(rows: Sequence[Any], name_of: Callable[[Any], str]) -> dict[str, Any]:
    """Rows by a name that only one of them has."""
    names = [_plain(name_of(row)) for row in rows]
    return {name: row for name, row in zip(names, rows, strict=True) if names.count(name) == 1}


def _choice(text: str, choices: Any) -> str | None:
    """A code of a closed list by itself or by its name in either language."""
    for language in LANGUAGES:
        with override(language):
            for value, label in choices.choices:
                if _plain(text) in {_plain(value), _plain(str(label))}:
                    return str(value)
    return None
