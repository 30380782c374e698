"""What is measured and where it stands in a tree."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import (
    Accumulation,
    AchievementFormula,
    Direction,
    EnteredFor,
    Grain,
    Level,
    Link,
    Style,
    TargetLine,
    TreeStatus,
    Unit,
)
from kpis.engine.inputs import LATEST_DUE_DAY
from kpis.models.organisation import Person


class Metric(models.Model):
    """One measurable number, company-wide; trees place it, versions define it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField(_("Code"), max_length=60, unique=True)
    name = models.CharField(_("Name"), max_length=200)
    unit = models.CharField(_("Unit"), max_length=7, choices=Unit.choices)
    direction = models.CharField(_("Direction"), max_length=5, choices=Direction.choices, default=Direction.UP)
    accumulation = models.CharField(_("Accumulation"), max_length=7, choices=Accumulation.choices)
    achievement_formula = models.CharField(
        _("Achievement where lower is better"),
        max_length=10,
        choices=AchievementFormula.choices,
        default=AchievementFormula.DIFFERENCE,
        help_text=_("Where higher is better it is actual ÷ target."),
    )
    created_at = models.DateTimeField(_("Created"), auto_now_add=True)

    class Meta:
        verbose_name = _("Metric")
        verbose_name_plural = _("Metrics")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class MetricVersion(models.Model):
    """One definition of a metric, in force from the start of a period (none = from the beginning)."""

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="versions", verbose_name=_("Metric"))
    number = models.PositiveIntegerField(_("Version"))
    spec = models.JSONField(_("Definition"))
    effective_from = models.DateField(_("Effective from"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    created_at = models.DateTimeField(_("Created"), auto_now_add=True)
    reason = models.TextField(
        _("Reason"), blank=True, default="", help_text=_("Why typed values were replaced without a parallel check")
    )

    class Meta:
        verbose_name = _("Metric version")
        verbose_name_plural = _("Metric versions")
        ordering = ["metric", "number"]
        constraints = [
            models.UniqueConstraint(fields=["metric", "number"], name="metricversion_number"),
            models.UniqueConstraint(
                fields=["metric", "effective_from"], name="metricversion_effective", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} v{self.number}"


class KpiTree(models.Model):
    """One KPI tree of one fiscal year."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("Name"), max_length=200)
    fiscal_year = models.IntegerField(_("Fiscal year"), help_text=_("The calendar year in which it starts"))
    style = models.CharField(_("Sales style"), max_length=12, choices=Style.choices, null=True, blank=True)
    official_line = models.CharField(
        _("Official target line"), max_length=7, choices=TargetLine.choices, default=TargetLine.TARGET
    )
    status = models.CharField(_("Status"), max_length=7, choices=TreeStatus.choices, default=TreeStatus.DRAFT)
    created_at = models.DateTimeField(_("Created"), auto_now_add=True)

    class Meta:
        verbose_name = _("KPI tree")
        verbose_name_plural = _("KPI trees")
        ordering = ["-fiscal_year", "name"]

    def __str__(self) -> str:
        return self.name


class KpiNode(models.Model):
    """A place in a tree: which metric stands where, who answers for it, and how it is joined to its parent."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tree = models.ForeignKey(KpiTree, models.CASCADE, related_name="nodes", verbose_name=_("KPI tree"))
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children", verbose_name=_("Parent")
    )
    level = models.CharField(_("Level"), max_length=3, choices=Level.choices)
    code = models.SlugField(_("Code"), max_length=60)
    name = models.CharField(_("Name"), max_length=200)
    metric = models.ForeignKey(
        Metric, models.PROTECT, null=True, blank=True, related_name="nodes", verbose_name=_("Metric")
    )
    responsible = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="nodes", verbose_name=_("KPI owner")
    )
    responsible_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("KPI owner (login)"),
    )
    frequency = models.CharField(
        _("Frequency"),
        max_length=5,
        default=Grain.MONTH,
        choices=[(Grain.MONTH.value, Grain.MONTH.label), (Grain.WEEK.value, Grain.WEEK.label)],
    )
    entered_for = models.CharField(
        _("Typed for"),
        max_length=7,
        choices=EnteredFor.choices,
        default=EnteredFor.COMPANY,
        help_text=_("Of a KPI whose values are typed. The KPI owner types those of the company."),
    )
    due_business_day = models.PositiveSmallIntegerField(
        _("Typed by business day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LATEST_DUE_DAY)],
        help_text=_("After the end of the period. Empty: by the day on which it becomes provisional."),
    )
    deputy = models.ForeignKey(
        Person,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Deputy"),
        help_text=_("Types the values when the KPI owner is away or late."),
    )
    link = models.CharField(_("Link to the parent"), max_length=9, choices=Link.choices, default=Link.INFLUENCE)
    position = models.PositiveSmallIntegerField(_("Position"), default=0)
    controllable_by = models.JSONField(_("Controllable by"), default=dict, blank=True)
    reason = models.TextField(_("Reason"), blank=True, default="")
    status_rules = models.JSONField(
        _("Status rules"), default=list, blank=True, help_text=_("In order, the first that applies decides")
    )

    class Meta:
        verbose_name = _("KPI node")
        verbose_name_plural = _("KPI nodes")
        ordering = ["tree", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tree", "code"], name="kpinode_code_once"),
            models.CheckConstraint(
                condition=models.Q(level=Level.KSF, metric__isnull=True) | ~models.Q(level=Level.KSF),
                name="kpinode_ksf_has_no_metric",
            ),
        ]

    def __str__(self) -> str:
        return self.name
