"""A client's sheet is read as it is meant; what it does not say is not guessed, what cannot be read is named."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.cross_tab import Context, CrossTabError, Month, Reading, Verdict, plain, read_cross_tab
from tests.kpis.engine.sheets import FISCAL, SHEETS, Sheet, grid

YEAR = Context(2026)


def said(reading: Reading) -> dict[tuple[str, str, str, int, int], Decimal | None]:
    return {
        (line.kpi, line.segment, line.kind.value, *cell.month): cell.value
        for line in reading.lines
        for cell in line.cells
    }


def refusal(cells: list[list[str]], context: Context = YEAR) -> tuple[str, str]:
    with pytest.raises(CrossTabError) as caught:
        read_cross_tab(cells, context)
    return caught.value.issue.code, caught.value.issue.field


class TestSheets:
    @pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
    def test_says_what_people_read_in_it(self, sheet: Sheet) -> None:
        context = Context(2026, names=frozenset(map(plain, sheet.names)))
        reading = read_cross_tab(sheet.cells, context)
        found = said(reading)
        expected = {key: None if value is None else Decimal(value) for key, value in sheet.says.items()}
        assert {key: found.get(key, "absent") for key in expected} == expected
        assert len(reading.lines) == sheet.lines
        by_cell = {check.address: check.verdict for check in reading.checks}
        assert [cell for cell in sheet.agree if by_cell.get(cell) is not Verdict.AGREES] == []
        assert [cell for cell, verdict in by_cell.items() if verdict is Verdict.DIFFERS] == list(sheet.differ)
        assert [remark.field for remark in reading.remarks] == list(sheet.remarks)
        units = {line.kpi: (line.unit.unit, line.unit.scale) for line in reading.lines}
        assert {kpi: units[kpi] for kpi in sheet.units} == sheet.units


class TestHeadings:
    @pytest.mark.parametrize(
        ("first", "second", "month"),
        [
            ("2025年4月", "2025年5月", (2025, 4)),
            ("２０２５年４月度", "２０２５年５月度", (2025, 4)),
            ("2025年度4月", "2025年度1月", (2025, 4)),
            ("25年4月", "25年5月", (2025, 4)),
            ("'25年4月", "'25年5月", (2025, 4)),
            ("2025/04", "2025/05", (2025, 4)),
            ("2025-04-01", "2025-05-01", (2025, 4)),
            ("2025/4/1", "2025/5/1", (2025, 4)),
            ("Apr-25", "May-25", (2025, 4)),
            ("April 2025", "May 2025", (2025, 4)),
            ("R7.4", "R7.5", (2025, 4)),
            ("令和7年4月", "令和7年5月", (2025, 4)),
            ("平成31年4月", "令和元年5月", (2019, 4)),
            ("FY25/4月", "FY25/5月", (2025, 4)),
            ("4月実績", "5月実績", (2026, 4)),
            ("4月", "5月", (2026, 4)),
        ],
    )
    def test_every_common_form(self, first: str, second: str, month: tuple[int, int]) -> None:
        reading = read_cross_tab([["", first, second], ["訪問数", "1", "2"]], YEAR)
        assert reading.lines[0].cells[0].month == Month(*month)

    def test_the_months_of_a_year_that_starts_in_april_reach_into_the_next(self) -> None:
        reading = read_cross_tab(grid(f"| {FISCAL}\n訪問数 | 1"), YEAR)
        assert (reading.months[0], reading.months[-1]) == (Month(2026, 4), Month(2027, 3))

    def test_a_term_needs_to_be_known(self) -> None:
        cells = grid("第15期 | 4月 | 5月\n訪問数 | 1 | 2")
        assert refusal(cells)[0] == "unknown_term"
        reading = read_cross_tab(cells, Context(2026, first_term_year=2012))
        assert reading.months[0] == Month(2026, 4)

    def test_a_year_written_once_holds_for_the_months_after_it(self) -> None:
        reading = read_cross_tab(grid("| 2025年11月 | 12月 | 1月\n訪問数 | 1 | 2 | 3"), YEAR)
        assert reading.months == (Month(2025, 11), Month(2025, 12), Month(2026, 1))


class TestValues:
    def test_a_rate_written_in_plain_numbers_is_percent_where_it_can_be_nothing_else(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月\n受注率(%) | 18.5 | 0.9\n解約率(%) | 0.015 | 0.02"), YEAR)
        assert [cell.value for line in reading.lines for cell in line.cells] == [
            Decimal("0.185"),
            Decimal("0.009"),
            Decimal("0.015"),
            Decimal("0.02"),
        ]

    def test_a_rate_that_could_be_both_is_not_guessed(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月\nNRR(%) | 1.05 | 104%\n訪問数 | 1 | 2"), YEAR)
        assert [cell.value for cell in reading.lines[0].cells] == [None, Decimal("1.04")]
        assert [(remark.field, remark.code) for remark in reading.remarks] == [("B2", "percent_or_fraction")]

    def test_a_blank_is_no_zero(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月 | 6月\n訪問数 | 0 |  | －"), YEAR)
        assert [cell.value for cell in reading.lines[0].cells] == [Decimal(0), None, None]

    def test_a_cell_that_is_no_number_is_named(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月\n訪問数 | 約20 | 3"), YEAR)
        assert [(remark.field, remark.code) for remark in reading.remarks] == [("B2", "not_a_number")]

    def test_the_same_cell_said_twice_keeps_the_first_and_says_so(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月\n訪問数 | 1 | 2\n訪問数 | 1 | 3"), YEAR)
        assert said(reading)["訪問数", "", "actual", 2026, 5] == 2
        assert [(remark.field, remark.code) for remark in reading.remarks] == [("C3", "said_twice")]

    def test_amounts_in_thousands_may_be_off_by_what_rounding_hides(self) -> None:
        reading = read_cross_tab(grid("| 4月 | 5月 | 合計\n受注額(千円) | 100 | 100 | 201\n訪問数 | 1 | 1 | 3"), YEAR)
        assert [check.verdict for check in reading.checks] == [Verdict.ROUNDED, Verdict.DIFFERS]


class TestRefusals:
    @pytest.mark.parametrize(
        ("cells", "code", "at"),
        [
            ([], "empty", ""),
            ([["", " "], ["　"]], "empty", ""),
            ([["受注額", "100"], ["訪問数", "20"]], "no_months", ""),
            ([["月", "受注額"], ["4月", "1"], ["5月", "2"], ["6月", "3"]], "months_down", "A1"),
            ([["", "4月", "5月"], ["", "5月", "6月"], ["訪問数", "1", "2"]], "heads_disagree", "B2"),
            ([["", "2025/4", "2025/5"], ["", "2026/4", "2026/5"], ["訪問数", "1", "2"]], "heads_disagree", "B2"),
            ([["", "4月", "5月"], ["訪問数", "", ""]], "no_numbers", ""),
            ([["", "4月", "4月"], ["訪問数", "1", "2"]], "month_twice", "C1"),
            ([["", "4月", "5月", *["x"] * 298], ["訪問数", "1", "2"]], "too_large", ""),
            ([["", "4月", "5月"], *[["訪問数", "1", "2"]] * 2_001], "too_large", ""),
            ([["", "4月", "5月"], *[[f"訪問数{n}", "1", "2"] for n in range(61)]], "too_many", ""),
            ([["担当", "KPI", "4月", "5月"], *[[f"人{n}", "訪問数", "1", "2"] for n in range(301)]], "too_many", ""),
            ([["担当", "KPI", "4月", "5月"], *[[f"人{n}", "訪問数", "1", "2"] for n in range(601)]], "too_many", ""),
        ],
    )
    def test_says_what_to_change(self, cells: list[list[str]], code: str, at: str) -> None:
        assert refusal(cells) == (code, at)

    @given(st.lists(st.lists(st.text(max_size=8), max_size=6), max_size=8))
    def test_whatever_is_pasted_is_read_or_refused(self, cells: list[list[str]]) -> None:
        try:
            read_cross_tab(cells, YEAR)
        except CrossTabError as refused:
            assert refused.issue.message


KPIS = {"受注額（千円）": ("受注額", 1000), "新規リード数": ("新規リード数", 1), "訪問件数": ("訪問件数", 1)}
PEOPLE = ("佐藤", "鈴木 花子", "田中")
KINDS = {"目標": "target", "実績": "actual", "前年実績": "previous_year"}
NUMBERS = st.none() | st.integers(-10_000, 10_000_000)
MONTHS = [(4 + index - 1) % 12 + 1 for index in range(12)]
STYLES = (
    lambda year, month: f"{year}年{month}月",
    lambda year, month: f"{month}月",
    lambda year, month: f"{year}/{month:02d}",
    lambda year, month: f"'{year % 100}年{month}月",
)


def written(number: int | None, style: int) -> str:
    if number is None:
        return ""
    if style == 0:
        return f"{number:,}"
    return (
        f"△{abs(number)}" if number < 0 else str(number).translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    )


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[list[str]], dict[tuple[str, str, str, int, int], Decimal | None]]:
    """A cross-tab written from a random plan, with or without people, merged labels, and a total."""
    months = draw(st.integers(2, 12))
    heading, number = draw(st.sampled_from(STYLES)), draw(st.integers(0, 1))
    people = draw(st.sampled_from([(), PEOPLE]))
    is_merged, has_total = draw(st.booleans()), draw(st.booleans())
    dated = [(2026 + (month < 4), month) for month in MONTHS[:months]]
    head = ["KPI", *(["担当者"] if people else []), "区分", *(heading(*each) for each in dated)]
    rows, plan = [["営業KPI"], head + (["合計"] if has_total else [])], {}
    for label in draw(st.lists(st.sampled_from(list(KPIS)), min_size=1, unique=True)):
        name, scale = KPIS[label]
        before: tuple[str, str] = ("", "")
        for person in people or ("",):
            for kind in draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, unique=True)):
                numbers = draw(st.lists(NUMBERS, min_size=months, max_size=months).filter(any))
                shown = (label, person)
                if is_merged and before[0] == label:
                    shown = ("", "" if before[1] == person else person)
                before = (label, person)
                total = [written(sum(each or 0 for each in numbers), number)] if has_total else []
                labels = [shown[0], *([shown[1]] if people else []), kind]
                rows.append([*labels, *(written(each, number) for each in numbers), *total])
                for month, each in zip(dated, numbers, strict=True):
                    plan[name, person, KINDS[kind], *month] = None if each is None else Decimal(each * scale)
    return rows, plan


class TestRoundTrip:
    @given(plans())
    def test_what_was_written_is_read_back(self, made: tuple[list[list[str]], dict]) -> None:
        cells, plan = made
        reading = read_cross_tab(cells, YEAR)
        assert said(reading) == plan
        assert not reading.remarks
        assert {check.verdict for check in reading.checks} <= {Verdict.AGREES}
