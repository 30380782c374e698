"""What was sent to people about values that they still have to type."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain
from kpis.models.definitions import Metric
from kpis.models.dimensions import DimensionMember


class InputReminder(models.Model):
    """One reminder of one value that was still open: to whom and when; the one after the last is to the manager."""

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="reminders", verbose_name=_("Metric"))
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices, default=Grain.MONTH)
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    number = models.PositiveSmallIntegerField(_("Reminder"))
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Recipient")
    )
    sent_at = models.DateTimeField(_("Sent at"))

    class Meta:
        verbose_name = _("Input reminder")
        verbose_name_plural = _("Input reminders")
        ordering = ["-sent_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "grain", "period_start", "dimension", "member", "number"],
                name="inputreminder_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.period_start} ({self.number})"
