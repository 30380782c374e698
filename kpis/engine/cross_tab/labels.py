"""The labels left of the numbers: which KPI, which person or team, which kind of numbers a row is."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kpis.engine.cross_tab.header import Grid, Section
from kpis.engine.cross_tab.months import YearName, read_year
from kpis.engine.cross_tab.shapes import Kind
from kpis.engine.cross_tab.words import (
    ROLES,
    is_total,
    kind_of,
    likely_unit,
    plain,
    split_kind,
    split_unit,
    stated_unit,
    tidy,
    total_of,
    unit_of,
)

Unit = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Label:
    """What the labels of one row say. `kind` is None where they say nothing; `year` where a row is of a year.

    `kind_word` is the word that said the kind; `is_subtotal`: the row adds up a part of the company (東京支店計).
    """

    row: int
    kpi: str
    segment: str = ""
    kind: Kind | None = None
    kind_word: str = ""
    year: YearName | None = None
    unit: Unit | None = None
    is_total: bool = False
    is_subtotal: bool = False


@dataclass(slots=True)
class _Row:
    """One row before its neighbours are looked at: `head` is the heading above it, `own` its free label."""

    row: int
    head: str = ""
    own: str = ""
    segment: str = ""
    kind: Kind | None = None
    kind_word: str = ""
    year: YearName | None = None
    unit: Unit | None = None
    is_total: bool = False
    is_subtotal: bool = False
    has_label: bool = False
    written: list[str] = field(default_factory=list)


def read_labels(grid: Grid, section: Section, names: Collection[str], title: str) -> tuple[Label, ...]:
    """The label of every row below a head that has something in it; a row whose KPI nothing names has an empty one."""
    return _Labels(grid, section, names, title).read()


class _Labels:
    def __init__(self, grid: Grid, section: Section, names: Collection[str], title: str) -> None:
        self.grid, self.section, self.names, self.title = grid, section, names, title
        self.rows = range(section.bottom + 1, section.end)
        self.texts = {row: [self._text(row, column) for column in range(section.first)] for row in self.rows}
        self.roles = self._roles()

    def read(self) -> tuple[Label, ...]:
        rows = self._with_sure_kinds(list(self._rows()))
        return tuple(self._resolved(rows))

    def _text(self, row: int, column: int) -> str:
        cells = self.grid[row]
        return tidy(cells[column]) if column < len(cells) else ""

    def _has_data(self, row: int) -> bool:
        return any(cell.strip() for cell in self.grid[row][self.section.first :])

    # --- which column says what ---

    def _roles(self) -> list[str]:
        roles = [
            ROLES.get(plain(corner)) or self._role_by_content(index) for index, corner in enumerate(self.section.corner)
        ]
        free = [index for index, role in enumerate(roles) if role == "free"]
        if free and "kpi" not in roles:
            likely = max(
                free, key=lambda index: (self._share(index, lambda text: likely_unit(text) is not None), -index)
            )
            corner = self.section.corner[likely]
            is_of_corner = likely_unit(corner) is not None and not self._share(
                likely, lambda text: likely_unit(text) is not None
            )
            roles[likely] = "segment" if is_of_corner else "kpi"
            free.remove(likely)
        for index in free:
            roles[index] = "segment" if "segment" not in roles else "kpi"
        return roles

    def _role_by_content(self, column: int) -> str:
        texts = [texts[column] for texts in self.texts.values() if texts[column]]
        if not texts or all(text.isdecimal() for text in texts):
            return "ignored"
        if self._share(column, lambda text: bool(kind_of(text) or _year_kind(text))) > 0.9:
            return "kind"
        if self._share(column, lambda text: unit_of(text) is not None) > 0.5:
            return "unit"
        is_name = self._share(column, lambda text: plain(text) in self.names or is_total(text))
        return "segment" if is_name > 0.5 and self.section.first > 1 else "free"

    def _share(self, column: int, holds: Callable[[str], bool]) -> float:
        texts = [texts[column] for texts in self.texts.values() if texts[column]]
        return sum(map(holds, texts)) / len(texts) if texts else 0.0

    # --- one row after the other, merged labels carried down ---

    def _rows(self) -> Iterator[_Row]:
        carried: dict[int, str] = {}
        units: dict[int, Unit | None] = {}
        head = ""
        for number in self.rows:
            texts = self.texts[number]
            if not any(texts) and not self._has_data(number):
                continue
            row = _Row(number, has_label=any(texts), written=[text for text in texts if text])
            if not self._has_data(number):
                if stated_unit(" ".join(texts)) is None and (label := self._heading(texts)):
                    head = label
                    carried.clear()
                continue
            row.head = head
            self._fill(row, texts, carried, units)
            yield row

    def _heading(self, texts: Sequence[str]) -> str:
        labels = [text for text, role in zip(texts, self.roles, strict=True) if text and role in {"kpi", "segment"}]
        return labels[0] if len(labels) == 1 and not kind_of(labels[0]) and not read_year(labels[0]) else ""

    def _fill(self, row: _Row, texts: Sequence[str], carried: dict[int, str], units: dict[int, Unit | None]) -> None:
        parts: dict[str, list[str]] = defaultdict(list)
        for column, (text, role) in enumerate(zip(texts, self.roles, strict=True)):
            if role == "kind":
                self._say_kind(row, text)
            elif role == "unit":
                if text:
                    units[column] = unit_of(text) or stated_unit(text)
                row.unit = units.get(column)
            elif role in {"kpi", "segment"}:
                if text and (kind_of(text) or _year_kind(text)):
                    self._say_kind(row, text)
                elif text:
                    carried[column] = text
                    for later in [each for each in carried if each > column]:
                        del carried[later]
                    units.clear()
                if carried.get(column):
                    parts[role].append(carried[column])
        row.own = " ".join(name for name in parts["kpi"] if not is_total(name))
        row.segment = next((name for name in reversed(parts["segment"]) if not is_total(name)), "")
        says_total = any(is_total(name) for names in parts.values() for name in names)
        row.is_subtotal = says_total and bool(row.segment)
        row.is_total = says_total and not row.segment
        row.own, unit = split_unit(row.own) if row.own else ("", None)
        row.unit = unit or row.unit

    def _say_kind(self, row: _Row, text: str) -> None:
        if kind := kind_of(text):
            row.kind, row.kind_word = kind, plain(text)
        elif said := _year_kind(text):
            row.year, row.kind = said
            row.kind_word = plain(text)

    def _with_sure_kinds(self, rows: list[_Row]) -> list[_Row]:
        """Take the kind out of 受注額（目標）; of 売上目標 only where another row bears it out."""
        split = {row.row: found for row in rows if row.kind is None and (found := split_kind(row.own))}
        stems = Counter(plain(split_unit(name)[0]) for name, _kind, _sure in split.values())
        stems.update({plain(row.own) for row in rows if row.row not in split})
        for row in rows:
            if row.row not in split:
                continue
            name, kind, is_sure = split[row.row]
            if is_sure or stems[plain(split_unit(name)[0])] > 1:
                row.own, unit = split_unit(name)
                row.kind, row.kind_word, row.unit = kind, plain(kind.value), unit or row.unit
                row.kind_word = "達成率" if kind is Kind.DERIVED and "達成率" in "".join(row.written) else row.kind_word
        return rows

    # --- what a free label is: a KPI, or a part of the KPI above ---

    def _resolved(self, rows: Sequence[_Row]) -> Iterator[Label]:
        groups: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            groups[row.head].append(row)
        labels = Counter(plain(own) for group in groups.values() for own in {row.own for row in group if row.own})
        for row in rows:
            head, unit = split_unit(row.head) if row.head else ("", None)
            group = groups[row.head]
            if self._is_team(group, head):
                yield self._of_team(
                    row, head, is_first_total=row is next((each for each in group if each.is_total), None)
                )
            else:
                yield self._label(row, head, unit, are_parts=self._are_parts(group, head, labels))

    def _is_team(self, group: Sequence[_Row], head: str) -> bool:
        """Whether a heading names a team whose people stand below it, in a sheet about the one KPI of its corner."""
        if not head or likely_unit(head) or not self._only_kpi():
            return False
        people = [row.own or row.segment for row in group]
        return any(people) and not any(likely_unit(row.own) or (row.own and row.segment) for row in group)

    def _only_kpi(self) -> str:
        """The KPI that the corner of the table names, or a title that is a name with its unit."""
        corner = next((text for text in self.section.corner if text and plain(text) not in ROLES), "")
        if likely_unit(split_unit(corner)[0]):
            return corner
        return self.title if not corner and split_unit(self.title)[1] else ""

    def _of_team(self, row: _Row, team: str, *, is_first_total: bool) -> Label:
        """A row below the heading of a team: a person, the team's total, or, once that was there, the company's."""
        kpi, unit = split_unit(self._only_kpi())
        is_subtotal = row.is_total and is_first_total
        segment = team if is_subtotal else row.own or row.segment
        return Label(
            row.row,
            kpi,
            segment,
            row.kind,
            row.kind_word,
            row.year,
            row.unit or unit,
            is_total=row.is_total and not is_subtotal,
            is_subtotal=is_subtotal,
        )

    def _are_parts(self, group: Sequence[_Row], head: str, labels: Mapping[str, int]) -> bool:
        """Whether the free labels below a heading (or below none) name people or teams rather than KPIs."""
        if "segment" in self.roles or plain(head) in self.names:
            return False
        owns = [row.own for row in group if row.own]
        if any(row.is_total for row in group) and owns:
            return True
        if any(likely_unit(own) for own in owns) or not owns:
            return False
        if head:
            return likely_unit(head) is not None or any(labels[plain(own)] > 1 for own in owns)
        return all(plain(own) in self.names for own in owns)

    def _label(self, row: _Row, head: str, unit: Unit | None, *, are_parts: bool) -> Label:
        kpi, segment = row.own, row.segment
        if not segment and kpi and (are_parts or plain(kpi) in self.names):
            kpi, segment = "", kpi
        if head and plain(head) in self.names and not segment and kpi:
            segment, head = head, ""
        subtotal = total_of(segment)
        if subtotal is not None:
            segment = subtotal
        said = kpi or head or self._common_name() if row.has_label else ""
        name, common_unit = split_unit(said) if said else ("", None)
        return Label(
            row.row,
            name,
            segment,
            row.kind,
            row.kind_word,
            row.year,
            row.unit or (unit if not kpi else None) or common_unit,
            is_total=row.is_total and not segment,
            is_subtotal=row.is_subtotal or subtotal is not None,
        )

    def _common_name(self) -> str:
        """The KPI of a sheet that is about one only: the corner of the table, else its title."""
        corner = next((text for text in self.section.corner if text and plain(text) not in ROLES), "")
        return corner or self.title


def _year_kind(text: str) -> tuple[YearName, Kind | None] | None:
    """The year of a row that is labelled by it, and the kind that stands with it: 2024年度, 2024年度実績."""
    if year := read_year(text):
        return year, None
    found = split_kind(text)
    year = read_year(found[0]) if found else None
    return (year, found[1]) if found and year else None


def of_title(grid: Grid, top: int) -> str:
    """The first text above a head that is neither a unit nor a year; "" where there is none."""
    texts = (tidy(cell) for row in grid[:top] for cell in row)
    return next((text for text in texts if text and not stated_unit(text) and not read_year(text)), "")
