"""What the KPI tags write into a page."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.template import Context, Template
from django.utils import translation


def render(source: str, **context: object) -> str:
    return Template("{% load kpi %}" + source).render(Context(context))


class TestNumber:
    def test_writes_yen_in_thousands_by_default(self):
        assert render("{% number value 'amount' %}", value=Decimal(12_400_000)) == (
            '<span class="num">12,400<span class="unit">千円</span></span>'
        )

    def test_follows_the_readers_switch(self):
        shell = SimpleNamespace(amount_scale="million")
        assert "12.4<" in render("{% number value 'amount' %}", value=Decimal(12_400_000), shell=shell)

    def test_negative_amounts_carry_a_triangle_in_japanese(self):
        assert "△880" in render("{% number value 'amount' %}", value=-880_000)
        with translation.override("en"):
            assert "−880" in render("{% number value 'amount' %}", value=-880_000)

    def test_other_currencies_are_written_out(self):
        written = render("{% number value 'amount' 'USD' %}", value=Decimal("2345678"))
        assert written == '<span class="num">2,345,678<span class="unit">USD</span></span>'

    def test_a_missing_value_is_a_word(self):
        assert render("{% number value 'count' absence='no_denominator' %}", value=None) == (
            '<span class="absent">対象件数なし</span>'
        )

    def test_zero_is_a_number(self):
        assert "0" in render("{% number value 'count' %}", value=0)

    def test_plain_text_for_sentences(self):
        assert render("{% plain_number value 'percent' %}", value=Decimal("0.75")) == "75.0%"
        with translation.override("en"):
            assert render("{% plain_number value 'days' %}", value=47.85) == "47.9 days"


class TestDifference:
    def test_less_is_better_where_the_direction_is_down(self):
        assert "diff-better" in render("{% difference value 'days' 'down' %}", value=-3)
        assert "diff-worse" in render("{% difference value 'days' 'up' %}", value=-3)

    def test_rates_differ_in_points(self):
        assert '+2.1<span class="unit">pt<' in render("{% difference value 'percent' %}", value=Decimal("0.021"))


class TestStatusBadge:
    @pytest.mark.parametrize(
        ("status", "word"),
        [("on_track", "順調"), ("at_risk", "注意"), ("behind", "遅れ"), ("met", "達成"), ("missed", "未達")],
    )
    def test_has_a_word_and_a_shape(self, status, word):
        written = render("{% status_badge status %}", status=status)
        assert word in written
        assert "<svg" in written

    def test_a_closed_verdict_wears_a_ring(self):
        assert 'r="7.2"' in render("{% status_badge 'met' 'closed' %}")
        assert 'r="7.2"' not in render("{% status_badge 'met' 'provisional' %}")

    def test_no_verdict_says_why(self):
        assert "件数不足" in render("{% status_badge 'none' 'open' 'too_few' %}")
        assert "目標なし" in render("{% status_badge 'none' has_target=False %}")


class TestAchievementBar:
    def test_is_cut_at_the_full_width_and_still_says_the_number(self):
        written = render("{% achievement_bar fraction 'met' %}", fraction=Decimal("1.204"))
        assert 'width="100.0"' in written
        assert "120.4%" in written

    def test_is_absent_without_a_fraction(self):
        assert render("{% achievement_bar fraction %}", fraction=None).strip() == ""


class TestDates:
    def test_as_of_is_in_company_time(self):
        moment = datetime(2026, 11, 23, 23, 50, tzinfo=UTC)
        assert "11/24 8:50 時点" in render("{% as_of moment %}", moment=moment)

    def test_dates_carry_their_weekday(self):
        assert render("{{ day|date_text }}", day=date(2026, 11, 24)) == "2026/11/24(火)"
        assert render("{{ day|short_date }}", day=None) == ""


class TestSparkline:
    def test_skips_gaps(self):
        assert render("{% sparkline values %}", values=[0, None, 10]).count(",") == 2
