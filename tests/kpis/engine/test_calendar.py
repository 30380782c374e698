"""The fiscal calendar: every rule tiles time, and periods carry the names that people use."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.calendar import (
    GRAINS,
    CalendarRule,
    CalendarRuleError,
    FiscalYearSpan,
    Naming,
    calendar_days,
    fiscal_years,
    label,
    periods,
)

LONG_AGO = date(2000, 1, 1)
PLAIN = CalendarRule(LONG_AGO)
TWENTIETH = CalendarRule(LONG_AGO, start_month=4, closing_day=20)

rules = st.builds(
    CalendarRule,
    effective_from=st.dates(date(2020, 1, 1), date(2028, 1, 1)),
    start_month=st.integers(1, 12),
    closing_day=st.one_of(st.integers(1, 28), st.just(31)),
    named_by=st.sampled_from(["last", "first"]),
    weeks=st.sampled_from(["cut", "whole"]),
    week_start=st.integers(0, 6),
)


def year_of(rule: CalendarRule, day: date) -> FiscalYearSpan:
    (year,) = fiscal_years([rule], day, day)
    return year


class TestTiling:
    @given(st.lists(rules, min_size=1, max_size=3, unique_by=lambda rule: rule.effective_from))
    def test_periods_cover_time_without_gap_or_overlap(self, several: list[CalendarRule]) -> None:
        first, last = date(2019, 6, 1), date(2029, 6, 1)
        years = fiscal_years(several, first, last)
        assert years[0].start_date <= first
        assert years[-1].end_date > last
        for left, right in pairwise(years):
            assert left.end_date == right.start_date
        for year in years:
            for grain in GRAINS:
                spans = periods(year, grain)
                assert spans[0].start_date == year.start_date
                assert spans[-1].end_date == year.end_date
                assert all(span.start_date < span.end_date for span in spans)
                assert all(a.end_date == b.start_date for a, b in pairwise(spans))

    @given(rules)
    def test_days_agree_with_periods(self, rule: CalendarRule) -> None:
        year = year_of(rule, date(2026, 5, 5))
        days = calendar_days(year, lambda day: None, {})
        assert [row.day for row in days] == [
            year.start_date + timedelta(days=n) for n in range((year.end_date - year.start_date).days)
        ]
        for grain in GRAINS:
            starts = list(dict.fromkeys(getattr(row, grain) for row in days))
            assert starts == [span.start_date for span in periods(year, grain)]


class TestFiscalYears:
    def test_closing_on_the_20th(self) -> None:
        year = year_of(TWENTIETH, date(2027, 3, 20))
        assert (year.start_year, year.start_date, year.end_date) == (2026, date(2026, 3, 21), date(2027, 3, 21))
        assert year_of(TWENTIETH, date(2027, 3, 21)).start_year == 2027

    def test_named_by_the_first_day(self) -> None:
        year = year_of(CalendarRule(LONG_AGO, 4, 20, named_by="first"), date(2026, 4, 21))
        april = periods(year, "month")[0]
        assert (april.start_date, april.end_date, april.named_month) == (date(2026, 4, 21), date(2026, 5, 21), 4)

    def test_january_closing_on_the_20th_is_named_by_its_first_month(self) -> None:
        year = year_of(CalendarRule(LONG_AGO, 1, 20), date(2025, 12, 25))
        assert (year.start_year, year.start_date) == (2026, date(2025, 12, 21))

    def test_a_changed_start_gives_one_short_year(self) -> None:
        years = fiscal_years([PLAIN, CalendarRule(date(2026, 1, 1), 1)], date(2025, 4, 1), date(2026, 12, 31))
        assert [(y.start_year, y.start_date, y.end_date) for y in years] == [
            (2025, date(2025, 4, 1), date(2026, 1, 1)),
            (2026, date(2026, 1, 1), date(2027, 1, 1)),
        ]
        assert [len(periods(years[0], grain)) for grain in ("month", "quarter", "half")] == [9, 3, 2]

    def test_a_changed_closing_day_cuts_the_last_month(self) -> None:
        years = fiscal_years([PLAIN, CalendarRule(date(2026, 3, 21), 4, 20)], date(2026, 3, 1), date(2026, 4, 1))
        last, first = periods(years[0], "month")[-1], periods(years[1], "month")[0]
        assert (last.start_date, last.end_date) == (date(2026, 3, 1), date(2026, 3, 21))
        assert (first.start_date, first.end_date) == (date(2026, 3, 21), date(2026, 4, 21))

    def test_february_closes_on_the_28th(self) -> None:
        months = periods(year_of(CalendarRule(LONG_AGO, 1, 28), date(2028, 2, 1)), "month")
        assert (months[1].end_date, months[2].start_date) == (date(2028, 2, 29), date(2028, 2, 29))

    @pytest.mark.parametrize("fault", [{"start_month": 13}, {"closing_day": 30}, {"closing_day": 0}, {"week_start": 7}])
    def test_refuses_an_impossible_rule(self, fault: dict[str, int]) -> None:
        with pytest.raises(CalendarRuleError, match="Write"):
            CalendarRule(LONG_AGO, **fault)  # type: ignore[arg-type]

    def test_needs_a_rule(self) -> None:
        with pytest.raises(CalendarRuleError):
            fiscal_years([], date(2026, 1, 1), date(2026, 1, 1))


class TestWeeks:
    def test_cut_weeks_add_up_to_the_month(self) -> None:
        weeks = [w for w in periods(year_of(PLAIN, date(2026, 11, 1)), "week") if w.named_month == 11]
        assert [(w.ordinal, w.start_date.day, w.end_date.day) for w in weeks] == [
            (1, 1, 2),
            (2, 2, 9),
            (3, 9, 16),
            (4, 16, 23),
            (5, 23, 30),
            (6, 30, 1),
        ]

    def test_whole_weeks_belong_to_the_month_in_which_they_start(self) -> None:
        rule = CalendarRule(LONG_AGO, weeks="whole", week_start=6)
        weeks = [w for w in periods(year_of(rule, date(2026, 11, 1)), "week") if w.named_month == 11]
        assert [w.start_date for w in weeks] == [date(2026, 11, day) for day in (1, 8, 15, 22, 29)]
        assert weeks[-1].end_date == date(2026, 12, 6)


class TestDays:
    def test_counts_business_days_within_the_month(self) -> None:
        holidays = {date(2026, 11, 3): "文化の日", date(2026, 11, 23): "勤労感謝の日"}
        exceptions = {date(2026, 11, 7): ("Stocktaking", True), date(2026, 11, 9): ("Foundation day", False)}
        days = {row.day: row for row in calendar_days(year_of(PLAIN, date(2026, 11, 1)), holidays.get, exceptions)}
        assert (days[date(2026, 11, 1)].business_day_number, days[date(2026, 11, 2)].business_day_number) == (0, 1)
        assert (days[date(2026, 11, 3)].is_business_day, days[date(2026, 11, 3)].holiday) == (False, "文化の日")
        assert (days[date(2026, 11, 7)].is_business_day, days[date(2026, 11, 7)].business_day_number) == (True, 5)
        assert not days[date(2026, 11, 9)].is_business_day
        assert days[date(2026, 11, 30)].business_day_number == 19


class TestLabel:
    @pytest.mark.parametrize(
        ("grain", "index", "japanese", "english"),
        [
            ("month", 7, "2026年11月度", "Nov 2026"),
            ("quarter", 2, "2026年度 第3四半期", "FY2026 Q3"),
            ("half", 0, "2026年度 上期", "FY2026 H1"),
            ("half", 1, "2026年度 下期", "FY2026 H2"),
            ("year", 0, "2026年度", "FY2026"),
            ("week", 0, "2026年4月度 第1週", "Apr 2026 W1"),
        ],
    )
    def test_names_periods(self, grain: str, index: int, japanese: str, english: str) -> None:
        period = periods(year_of(TWENTIETH, date(2026, 11, 1)), grain)[index]
        naming = Naming(closing_day=20)
        assert (label(period, "ja", naming), label(period, "en", naming)) == (japanese, english)

    def test_a_calendar_month_is_a_plain_month(self) -> None:
        assert label(periods(year_of(PLAIN, date(2026, 11, 1)), "month")[7], "ja") == "2026年11月"

    def test_years_by_term(self) -> None:
        period = periods(year_of(PLAIN, date(2026, 11, 1)), "quarter")[2]
        assert label(period, "ja", Naming(year_style="term", first_term_year=2012)) == "第15期 第3四半期"
