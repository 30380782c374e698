"""The company's fiscal calendar as rows, so that SQL joins a date to its period instead of computing it."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, PeriodState


class CalendarRule(models.Model):
    """How periods are cut from a date on; the first rule holds for all time before the second."""

    effective_from = models.DateField(_("Effective from"), unique=True)
    start_month = models.PositiveSmallIntegerField(
        _("First month of the fiscal year"), default=4, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    closing_day = models.PositiveSmallIntegerField(
        _("Closing day"), default=31, help_text=_("1-28, or 31 for the end of the month")
    )
    named_by = models.CharField(
        _("Month is named by"),
        max_length=5,
        default="last",
        choices=[("last", _("Last day")), ("first", _("First day"))],
    )
    weeks = models.CharField(
        _("Weeks"), max_length=5, default="cut", choices=[("cut", _("Cut at the month")), ("whole", _("Whole weeks"))]
    )
    week_start = models.PositiveSmallIntegerField(_("First day of the week (0 = Monday)"), default=0)

    class Meta:
        verbose_name = _("Calendar rule")
        verbose_name_plural = _("Calendar rules")
        ordering = ["effective_from"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(closing_day__range=(1, 28)) | models.Q(closing_day=31),
                name="calendarrule_closing_day",
            )
        ]

    def __str__(self) -> str:
        return f"{self.effective_from}: {self.start_month}/{self.closing_day}"


class FiscalYear(models.Model):
    """One fiscal year, named by the calendar year in which it starts; a short one may share its name with the next."""

    start_year = models.IntegerField(_("Fiscal year"), db_index=True)
    start_date = models.DateField(_("Start"), unique=True)
    end_date = models.DateField(_("End (exclusive)"))

    class Meta:
        verbose_name = _("Fiscal year")
        verbose_name_plural = _("Fiscal years")
        ordering = ["start_date"]

    def __str__(self) -> str:
        return str(self.start_year)


class Period(models.Model):
    """One period of one grain. Months and weeks carry the state; longer periods take it from their months."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices)
    start_date = models.DateField(_("Start"))
    end_date = models.DateField(_("End (exclusive)"))
    fiscal_year = models.ForeignKey(FiscalYear, models.CASCADE, related_name="periods", verbose_name=_("Fiscal year"))
    ordinal = models.PositiveSmallIntegerField(_("Number within the year"))
    named_year = models.IntegerField(_("Year it is named by"))
    named_month = models.PositiveSmallIntegerField(_("Month it is named by"))
    state = models.CharField(_("State"), max_length=11, choices=PeriodState.choices, default=PeriodState.OPEN)

    class Meta:
        verbose_name = _("Period")
        verbose_name_plural = _("Periods")
        ordering = ["grain", "start_date"]
        constraints = [
            models.UniqueConstraint(fields=["grain", "start_date"], name="period_once"),
            models.CheckConstraint(condition=models.Q(end_date__gt=models.F("start_date")), name="period_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.grain} {self.start_date}"


class PeriodTransition(models.Model):
    """One change of a period's state: who, when, why."""

    period = models.ForeignKey(Period, models.CASCADE, related_name="transitions", verbose_name=_("Period"))
    state = models.CharField(_("State"), max_length=11, choices=PeriodState.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    reason = models.TextField(_("Reason"), blank=True)
    at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Period transition")
        verbose_name_plural = _("Period transitions")
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.period}: {self.state}"


class CalendarDay(models.Model):
    """One day: the start dates of its periods, and its place among the business days of its month."""

    day = models.DateField(_("Day"), primary_key=True)
    week = models.DateField(_("Week"))
    month = models.DateField(_("Month"))
    quarter = models.DateField(_("Quarter"))
    half = models.DateField(_("Half year"))
    year = models.DateField(_("Year"))
    is_business_day = models.BooleanField(_("Business day"))
    business_day_number = models.PositiveSmallIntegerField(
        _("Business days of the month so far"), help_text=_("Counts this day if it is one")
    )
    holiday = models.CharField(_("Holiday"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("Calendar day")
        verbose_name_plural = _("Calendar days")
        ordering = ["day"]
        indexes = [models.Index(fields=["month"])]

    def __str__(self) -> str:
        return str(self.day)


class CompanyHoliday(models.Model):
    """A day that differs from the national calendar: a holiday of the company, or a working Saturday."""

    day = models.DateField(_("Day"), unique=True)
    name = models.CharField(_("Name"), max_length=80)
    is_business_day = models.BooleanField(_("Business day"), default=False)

    class Meta:
        verbose_name = _("Company holiday")
        verbose_name_plural = _("Company holidays")
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"
