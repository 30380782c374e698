"""Where periods will end: what ranks weigh, what managers call, and what was measured each day."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, SnapshotMeasure
from kpis.models.definitions import KpiNode, Metric
from kpis.models.dimensions import DimensionMember


class ConfidenceRank(models.Model):
    """A rank (ヨミ) that deals carry: its place and its weight. Without a weight the measured win rate stands in."""

    code = models.CharField(_("Code"), max_length=40, unique=True, help_text=_("As the deals carry it"))
    name = models.CharField(_("Name"), max_length=80)
    position = models.PositiveSmallIntegerField(_("Position"), default=0, help_text=_("The surest rank first"))
    weight = models.DecimalField(
        _("Weight"), max_digits=5, decimal_places=4, null=True, blank=True, help_text=_("0 to 1")
    )

    class Meta:
        verbose_name = _("Confidence rank")
        verbose_name_plural = _("Confidence ranks")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weight__isnull=True) | models.Q(weight__range=(0, 1)),
                name="confidencerank_weight",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ForecastCall(models.Model):
    """What a manager said on a day about where a period will end. Never changed: a new opinion is a new row."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="calls", verbose_name=_("Node"))
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices, default=Grain.MONTH)
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    value = models.DecimalField(_("Value"), max_digits=26, decimal_places=8)
    note = models.TextField(_("Note"), blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Manager's call")
        verbose_name_plural = _("Managers' calls")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["node", "period_start"], name="forecastcall_period")]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"


class MetricSnapshot(models.Model):
    """What a measure was on one day for one member (none = the company). Append-only: the past is not computed again.

    A stock, such as the open pipeline, speaks of the day alone; a landing also of the period that it foretells.
    `metric` is the one that a landing or coverage is of. Without a value, `absence` says why.
    """

    measure = models.CharField(_("Measure"), max_length=20, choices=SnapshotMeasure.choices)
    metric = models.ForeignKey(Metric, models.CASCADE, null=True, related_name="snapshots", verbose_name=_("Metric"))
    date = models.DateField(_("Day"))
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices, blank=True, default="")
    period_start = models.DateField(_("Period"), null=True)
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(DimensionMember, models.CASCADE, null=True, related_name="+", verbose_name=_("Member"))
    value = models.DecimalField(_("Value"), max_digits=34, decimal_places=14, null=True)
    numerator = models.DecimalField(_("Numerator"), max_digits=34, decimal_places=14, null=True)
    denominator = models.DecimalField(_("Denominator"), max_digits=34, decimal_places=14, null=True)
    absence = models.CharField(_("Absence"), max_length=20, blank=True, default="")
    taken_at = models.DateTimeField(_("Taken at"))

    class Meta:
        verbose_name = _("Daily snapshot")
        verbose_name_plural = _("Daily snapshots")
        ordering = ["-date", "measure"]
        constraints = [
            models.UniqueConstraint(
                fields=["dimension", "measure", "period_start", "grain", "date", "metric", "member"],
                name="metricsnapshot_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.date}"
