"""The fiscal calendar: rules and company holidays are typed, the rest follows from them."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.models import CalendarDay, CalendarRule, CompanyHoliday, FiscalYear, Period, PeriodTransition
from kpis.services.calendar import remove_holiday, set_holiday, set_rule


class RuleForm(ServiceForm):
    """How periods are cut from a date on."""

    class Meta:
        model = CalendarRule
        fields = ("effective_from", "start_month", "closing_day", "named_by", "weeks", "week_start")

    def write(self) -> CalendarRule:
        """Let the rule hold and cut the calendar anew."""
        return set_rule(**self.whole(), actor=self.actor, now=timezone.now())


class HolidayForm(ServiceForm):
    """A day that differs from the national calendar."""

    class Meta:
        model = CompanyHoliday
        fields = ("day", "name", "is_business_day")

    def write(self) -> CompanyHoliday:
        """Set the day."""
        return set_holiday(**self.whole(), actor=self.actor, now=timezone.now())


@admin.register(CalendarRule)
class CalendarRuleAdmin(ServiceAdmin):
    """Rules of the calendar. The date of a rule stays; another date is another rule."""

    form = RuleForm
    list_display = ("effective_from", "start_month", "closing_day", "named_by", "weeks", "week_start")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["effective_from"] if obj else []


@admin.register(CompanyHoliday)
class CompanyHolidayAdmin(ServiceAdmin):
    """Holidays of the company and working Saturdays."""

    form = HolidayForm
    list_display = ("day", "name", "is_business_day")
    list_filter = ("is_business_day",)
    search_fields = ("name",)
    date_hierarchy = "day"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["day"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: CompanyHoliday) -> None:
        """Let the day follow the national calendar again."""
        remove_holiday(day=obj.day, actor=request.user, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CompanyHoliday]) -> None:
        """Let several days follow the national calendar again."""
        for holiday in queryset:
            self.delete_model(request, holiday)


@admin.register(FiscalYear)
class FiscalYearAdmin(ReadOnlyAdmin):
    """Fiscal years."""

    list_display = ("start_year", "start_date", "end_date")
    date_hierarchy = "start_date"


@admin.register(Period)
class PeriodAdmin(ReadOnlyAdmin):
    """Periods and their states."""

    list_display = ("grain", "start_date", "end_date", "fiscal_year", "ordinal", "state")
    list_select_related = ("fiscal_year",)
    list_filter = ("grain", "state", "fiscal_year")
    date_hierarchy = "start_date"


@admin.register(PeriodTransition)
class PeriodTransitionAdmin(ReadOnlyAdmin):
    """Who changed the state of a period, when and why."""

    list_display = ("period", "state", "actor", "reason", "at")
    list_select_related = ("period", "actor")
    list_filter = ("state",)
    search_fields = ("reason",)
    date_hierarchy = "at"


@admin.register(CalendarDay)
class CalendarDayAdmin(ReadOnlyAdmin):
    """Days with their periods and business-day numbers."""

    list_display = ("day", "month", "week", "is_business_day", "business_day_number", "holiday")
    list_filter = ("is_business_day",)
    search_fields = ("holiday",)
    date_hierarchy = "day"
