"""The calendar as rows: provisioned with the company, extended, re-cut and corrected."""

from datetime import date

import pytest
from django.utils import timezone

from kpis.choices import Grain, PeriodState
from kpis.models import CalendarDay, FiscalYear, Period
from kpis.selectors.calendar import business_day, find_period, months_of_year, period_namer
from kpis.services.calendar import (
    CalendarError,
    ensure_calendar,
    ensure_fiscal_year,
    remove_holiday,
    set_holiday,
    set_rule,
)
from tenants.settings.models import CompanySettings

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()


def days_without_hole() -> bool:
    days = list(CalendarDay.objects.order_by("day").values_list("day", flat=True))
    return (days[-1] - days[0]).days == len(days) - 1


class TestEnsureCalendar:
    def test_a_new_company_has_its_calendar(self) -> None:
        today = timezone.localdate(NOW)
        assert find_period(Grain.MONTH, today) is not None
        assert CalendarDay.objects.filter(day=today).exists()

    def test_extends_to_old_facts_without_a_hole(self) -> None:
        assert ensure_calendar(first_day=date(2016, 10, 20), last_day=date(2016, 10, 20))
        assert find_period(Grain.QUARTER, date(2016, 10, 20)).start_date == date(2016, 10, 1)
        assert days_without_hole()

    def test_a_second_time_changes_nothing(self) -> None:
        ensure_calendar(first_day=date(2018, 1, 1), last_day=date(2018, 1, 1))
        assert not ensure_calendar(first_day=date(2018, 1, 1), last_day=date(2018, 1, 1))

    def test_keeps_the_state_of_known_periods(self) -> None:
        Period.objects.filter(grain=Grain.MONTH).update(state=PeriodState.CLOSED)
        ensure_calendar(first_day=date(2018, 1, 1), last_day=date(2018, 1, 1))
        assert find_period(Grain.MONTH, timezone.localdate(NOW)).state == PeriodState.CLOSED

    @pytest.mark.parametrize("day", [date(216, 10, 20), date(3016, 10, 20)])
    def test_refuses_dates_that_must_be_typing_errors(self, day: date) -> None:
        with pytest.raises(CalendarError, match="1950"):
            ensure_calendar(first_day=day, last_day=day)

    def test_covers_a_fiscal_year_by_its_number(self) -> None:
        ensure_fiscal_year(start_year=2031)
        months = months_of_year(2031)
        assert (months[0].start_date, months[-1].end_date) == (date(2031, 4, 1), date(2032, 4, 1))


class TestSetRule:
    def test_a_new_rule_ends_the_year_early(self, dave) -> None:
        ensure_calendar(first_day=date(2027, 4, 1), last_day=date(2028, 12, 31))
        set_rule(effective_from=date(2028, 1, 1), start_month=1, closing_day=31, actor=dave, now=NOW)
        spans = FiscalYear.objects.filter(start_date__gte=date(2027, 4, 1)).values_list("start_date", "end_date")
        assert list(spans)[:2] == [(date(2027, 4, 1), date(2028, 1, 1)), (date(2028, 1, 1), date(2029, 1, 1))]
        assert days_without_hole()
        assert Period.objects.filter(grain=Grain.MONTH, fiscal_year__start_date=date(2027, 4, 1)).count() == 9

    def test_refuses_a_date_that_starts_no_year(self, dave) -> None:
        with pytest.raises(CalendarError, match="2028-01-01"):
            set_rule(effective_from=date(2027, 6, 1), start_month=1, closing_day=31, actor=dave, now=NOW)

    def test_refuses_an_impossible_rule(self, dave) -> None:
        with pytest.raises(CalendarError, match="13"):
            set_rule(effective_from=date(2027, 1, 1), start_month=13, closing_day=31, actor=dave, now=NOW)

    def test_refuses_to_cut_a_closed_period_anew(self, dave) -> None:
        ensure_calendar(first_day=date(2027, 4, 1), last_day=date(2028, 12, 31))
        Period.objects.filter(grain=Grain.MONTH, start_date=date(2028, 3, 1)).update(state=PeriodState.CLOSED)
        with pytest.raises(CalendarError, match="2028-03-01"):
            set_rule(effective_from=date(2028, 3, 21), start_month=4, closing_day=20, actor=dave, now=NOW)


class TestHolidays:
    def test_national_and_own_holidays_count(self, dave) -> None:
        ensure_calendar(first_day=date(2026, 11, 1), last_day=date(2026, 11, 30))
        assert CalendarDay.objects.get(day=date(2026, 11, 23)).holiday == "勤労感謝の日"
        before = CalendarDay.objects.get(day=date(2026, 11, 30)).business_day_number
        set_holiday(day=date(2026, 11, 24), name="創立記念日", actor=dave, now=NOW)
        after = CalendarDay.objects.get(day=date(2026, 11, 30))
        assert after.business_day_number == before - 1
        assert not CalendarDay.objects.get(day=date(2026, 11, 24)).is_business_day
        remove_holiday(day=date(2026, 11, 24), actor=dave, now=NOW)
        assert CalendarDay.objects.get(day=date(2026, 11, 30)).business_day_number == before

    def test_a_working_saturday(self, dave) -> None:
        ensure_calendar(first_day=date(2026, 11, 1), last_day=date(2026, 11, 30))
        set_holiday(day=date(2026, 11, 7), name="棚卸", is_business_day=True, actor=dave, now=NOW)
        assert CalendarDay.objects.get(day=date(2026, 11, 7)).is_business_day

    def test_finds_the_third_business_day(self) -> None:
        ensure_calendar(first_day=date(2026, 11, 1), last_day=date(2026, 11, 30))
        assert business_day(date(2026, 11, 1), 3) == date(2026, 11, 5)

    def test_a_company_in_dollars_has_no_japanese_holidays(self) -> None:
        CompanySettings.objects.update(currency="USD")
        ensure_calendar(first_day=date(2035, 11, 3), last_day=date(2035, 11, 3))
        assert CalendarDay.objects.get(day=date(2035, 11, 23)).holiday == ""


class TestNames:
    def test_names_follow_the_rule_and_the_language(self, dave, django_assert_num_queries) -> None:
        ensure_fiscal_year(start_year=2030)
        set_rule(effective_from=date(2030, 3, 21), start_month=4, closing_day=20, actor=dave, now=NOW)
        november = months_of_year(2030)[7]
        assert (november.start_date, november.end_date) == (date(2030, 10, 21), date(2030, 11, 21))
        assert period_namer("ja")(november) == "2030年11月度"
        with django_assert_num_queries(2):
            name = period_namer("en")
            assert {name(month) for month in [november] * 5} == {"Nov 2030"}
        assert period_namer("ja")(find_period(Grain.MONTH, date(2026, 11, 1))) == "2026年11月"
