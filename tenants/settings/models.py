"""How one company works: its name, its year, its money and who sees what."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.settings.choices import (
    AmountUnit,
    MonthNamedBy,
    RolloutStage,
    TargetApproval,
    Visibility,
    WeekRule,
    YearNameStyle,
)


class CompanySettings(models.Model):
    """The one row of settings of this company; calendar rules with dates live in kpis."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("company name"), max_length=200)
    start_date = models.DateField(_("start date"), help_text=_("Misses of earlier periods are recorded, not asked."))
    fiscal_start_month = models.PositiveSmallIntegerField(
        _("fiscal year starts in month"), default=4, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    closing_day = models.PositiveSmallIntegerField(
        _("closing day"),
        default=31,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_("31 = the last day of the month."),
    )
    month_named_by = models.CharField(
        _("a month is named by"), max_length=10, choices=MonthNamedBy.choices, default=MonthNamedBy.LAST_DAY
    )
    year_name_style = models.CharField(
        _("year names"), max_length=12, choices=YearNameStyle.choices, default=YearNameStyle.FISCAL_YEAR
    )
    first_term_year = models.PositiveSmallIntegerField(_("fiscal year of the first term"), null=True, blank=True)
    week_rule = models.CharField(_("weeks"), max_length=12, choices=WeekRule.choices, default=WeekRule.CUT_AT_MONTH)
    week_starts_on = models.PositiveSmallIntegerField(
        _("first day of the week"),
        default=0,
        validators=[MaxValueValidator(6)],
        help_text=_("0 = Monday, 6 = Sunday."),
    )
    currency = models.CharField(_("currency"), max_length=3, default="JPY")
    amount_unit = models.PositiveIntegerField(
        _("amounts are shown in"), choices=AmountUnit.choices, default=AmountUnit.ONE
    )
    provisional_business_day = models.PositiveSmallIntegerField(
        _("provisional on business day"), default=3, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    closing_business_day = models.PositiveSmallIntegerField(
        _("to be closed by business day"), default=5, validators=[MinValueValidator(1), MaxValueValidator(25)]
    )
    visibility = models.CharField(
        _("results of a person are visible to"),
        max_length=8,
        choices=Visibility.choices,
        default=Visibility.PERSON,
    )
    target_approval = models.CharField(
        _("changes of targets are approved by"),
        max_length=7,
        choices=TargetApproval.choices,
        default=TargetApproval.BY_SIZE,
        help_text=_("By size: up to 10 people nobody, up to 50 one step, above that two."),
    )
    rollout_stage = models.CharField(
        _("rollout stage"), max_length=12, choices=RolloutStage.choices, default=RolloutStage.SETTING
    )
    language = models.CharField(_("language"), max_length=5, default="ja")
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("company settings")
        verbose_name_plural = _("company settings")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="company_settings_one_row"),
            models.CheckConstraint(
                condition=Q(fiscal_start_month__range=(1, 12)), name="company_settings_fiscal_start_month"
            ),
            models.CheckConstraint(condition=Q(closing_day__range=(1, 31)), name="company_settings_closing_day"),
        ]

    def __str__(self) -> str:
        return self.name
