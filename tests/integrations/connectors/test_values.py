"""Cells of real exports become values, or are refused; nothing is guessed."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from integrations.connectors.errors import BadValueError
from integrations.connectors.values import parse_bool, parse_date, parse_integer, parse_moment, parse_number, text_of

TOKYO = ZoneInfo("Asia/Tokyo")


class TestParseDate:
    @pytest.mark.parametrize(
        "cell",
        [
            "2026-11-24",
            "2026/11/24",
            "2026.11.24",
            "2026年11月24日",
            "２０２６年１１月２４日",
            "2026年11月24日(火)",
            "20261124",
            20261124,
            "令和8年11月24日",
            "R8.11.24",
            46350,
            46350.75,
            "46350",
            "2026/11/24 9:30",
            "2026-11-24T09:30:00+09:00",
            date(2026, 11, 24),
            datetime(2026, 11, 24, 18, 0),  # noqa: DTZ001 - as a workbook gives it
        ],
    )
    def test_reads_the_same_day_however_it_is_written(self, cell):
        assert parse_date(cell, zone=TOKYO) == date(2026, 11, 24)

    def test_counts_a_moment_with_an_offset_in_the_company_zone(self):
        assert parse_date("2026-11-23T20:00:00Z", zone=TOKYO) == date(2026, 11, 24)

    def test_reads_the_first_year_of_an_era(self):
        assert parse_date("令和元年5月1日", zone=TOKYO) == date(2019, 5, 1)

    def test_leaves_a_blank_cell_without_a_date(self):
        assert parse_date("　 ", zone=TOKYO) is None

    @pytest.mark.parametrize("cell", ["24/11/2026", "11/24/26", "2026/13/01", "2026/2/30", "来週", 12, "1e5", True])
    def test_refuses_what_could_mean_something_else(self, cell):
        with pytest.raises(BadValueError) as caught:
            parse_date(cell, zone=TOKYO)
        assert caught.value.code == "bad_date"

    def test_reads_other_formats_only_where_the_mapping_names_them(self):
        assert parse_date("24/11/2026", formats=("%d/%m/%Y",), zone=TOKYO) == date(2026, 11, 24)


class TestParseMoment:
    def test_is_local_without_an_offset(self):
        assert parse_moment("2026/11/24 18:00", zone=TOKYO) == datetime(2026, 11, 24, 18, tzinfo=TOKYO)


class TestParseNumber:
    @pytest.mark.parametrize(
        ("cell", "number"),
        [
            ("1,234,567", "1234567"),
            ("￥１，２３４", "1234"),
            ("¥-500", "-500"),
            ("△1,200", "-1200"),
            ("▲5", "-5"),
            ("-0.5", "-0.5"),
            ("(300)", "-300"),
            ("12.5%", "0.125"),
            ("1,000円", "1000"),
            ("$1,054.50", "1054.50"),
            (3.25, "3.25"),
            (0, "0"),
        ],
    )
    def test_reads_japanese_and_western_notation(self, cell, number):
        assert parse_number(cell) == Decimal(number)

    @pytest.mark.parametrize("cell", ["1,23", "12万", "abc", "1.2.3", "#N/A", "--5", "NaN", "1e9", True])
    def test_refuses_what_is_not_plainly_a_number(self, cell):
        with pytest.raises(BadValueError) as caught:
            parse_number(cell)
        assert caught.value.code == "bad_number"

    def test_refuses_to_round_a_count(self):
        with pytest.raises(BadValueError) as caught:
            parse_integer("3.5")
        assert caught.value.code == "bad_integer"


class TestParseBool:
    def test_knows_japanese_marks(self):
        assert [parse_bool(word) for word in ("○", "はい", "TRUE", "×", "なし", 0, "")] == [
            True,
            True,
            True,
            False,
            False,
            False,
            None,
        ]

    def test_refuses_anything_else(self):
        with pytest.raises(BadValueError):
            parse_bool("たぶん")


class TestTextOf:
    def test_shows_a_whole_number_of_a_workbook_without_its_point(self):
        assert text_of(1001.0) == "1001"

    def test_keeps_full_width_text_as_it_is(self):
        assert text_of(" ＡＢＣ　商事 ") == "ＡＢＣ　商事"
