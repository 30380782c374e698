"""A typed metric and the automatic one that is to take its place."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import ParallelOutcome
from kpis.models.definitions import Metric


class ParallelCheck(models.Model):
    """One parallel check: which metric, beside which automatic one, and how it ended, by whom and why.

    `candidate` measures the same thing from data; a switch makes its definition the metric's, from a month on.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    metric = models.ForeignKey(Metric, models.CASCADE, related_name="parallel_checks", verbose_name=_("Metric"))
    candidate = models.ForeignKey(Metric, models.PROTECT, related_name="+", verbose_name=_("Automatic metric"))
    tolerance = models.DecimalField(_("Tolerance"), max_digits=26, decimal_places=8, default=0)
    months_needed = models.PositiveSmallIntegerField(_("Equal months needed"), default=3)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Started by")
    )
    started_at = models.DateTimeField(_("Started at"))
    outcome = models.CharField(
        _("Outcome"), max_length=8, choices=ParallelOutcome.choices, default=ParallelOutcome.RUNNING
    )
    effective_from = models.DateField(_("Automatic from"), null=True, blank=True)
    equal_months = models.PositiveSmallIntegerField(_("Equal months at the end"), null=True, blank=True)
    reason = models.TextField(_("Reason"), blank=True, default="")
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Ended by")
    )
    ended_at = models.DateTimeField(_("Ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("Parallel check")
        verbose_name_plural = _("Parallel checks")
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["metric"],
                condition=models.Q(outcome=ParallelOutcome.RUNNING),
                name="parallelcheck_one_running",
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} / {self.candidate}"

    @property
    def is_running(self) -> bool:
        return self.outcome == ParallelOutcome.RUNNING
