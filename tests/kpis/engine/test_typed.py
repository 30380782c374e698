"""What people type and paste is read as they meant it, or refused with a reason; never read as something else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.typed import TypedNumberError, read_number

FULL_WIDTH = str.maketrans("0123456789,.", "０１２３４５６７８９，．")


class TestReadNumber:
    @pytest.mark.parametrize(
        ("text", "unit", "expected"),
        [
            ("1,234", "count", "1234"),
            (" １２３ ", "count", "123"),
            ("△５００", "amount", "-500"),
            ("▲5", "amount", "-5"),
            ("−5", "score", "-5"),
            ("(1,000)", "amount", "-1000"),
            ("¥1,200", "amount", "1200"),
            ("1,200千円", "amount", "1200000"),
            ("1.5 百万円", "amount", "1500000"),
            ("2億円", "amount", "200000000"),
            ("12.5％", "percent", "0.125"),
            ("120%", "percent", "1.2"),
            ("0.3", "percent", "0.3"),
            ("12件", "count", "12"),
        ],
    )
    def test_reads(self, text: str, unit: str, expected: str) -> None:
        assert read_number(text, unit) == Decimal(expected)

    def test_a_blank_is_no_number(self) -> None:
        assert read_number("　", "amount") is None

    def test_the_scale_of_the_page_holds_for_amounts_that_name_none(self) -> None:
        assert read_number("12", "amount", scale=1000) == 12000
        assert read_number("12百万円", "amount", scale=1000) == 12_000_000
        assert read_number("12", "count", scale=1000) == 12

    @pytest.mark.parametrize(
        ("text", "unit", "code"),
        [
            ("五十万円", "amount", "not_a_number"),
            ("1,23", "amount", "not_a_number"),
            ("(5", "amount", "not_a_number"),
            ("-", "amount", "not_a_number"),
            ("=SUM(A1)", "amount", "not_a_number"),
            ("12.5%", "amount", "percent"),
            ("25", "percent", "percent_or_fraction"),
            ("9" * 20, "amount", "too_large"),
            ("NaN", "amount", "not_a_number"),
            ("1e5", "amount", "not_a_number"),
        ],
    )
    def test_refuses(self, text: str, unit: str, code: str) -> None:
        with pytest.raises(TypedNumberError) as error:
            read_number(text, unit)
        assert error.value.code == code

    @given(st.integers(-(10**15), 10**15))
    def test_reads_back_what_a_japanese_table_shows(self, value: int) -> None:
        shown = f"{'△' if value < 0 else ''}{abs(value):,}"
        assert read_number(shown, "amount") == read_number(shown.translate(FULL_WIDTH), "amount") == value
