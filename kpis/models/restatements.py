"""Closed numbers that would be others today: which wait for a decision, and what people decided."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, RestatementVerdict
from kpis.models.calendar import Period
from kpis.models.definitions import KpiNode
from kpis.models.dimensions import DimensionMember


def _number(label: str) -> models.DecimalField:
    return models.DecimalField(label, max_digits=34, decimal_places=14, null=True)


class RestatementDecision(models.Model):
    """One locked cell, what it said and what it would say, and what was decided: who, when, why. Append-only.

    Approved: the new number was locked in place of the old one, which stays here. Refused: the old one stands, and the
    difference is settled for as long as the live number is the refused one.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="restatements", verbose_name=_("Node"))
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices)
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20)
    member = models.ForeignKey(DimensionMember, models.PROTECT, null=True, related_name="+", verbose_name=_("Member"))
    verdict = models.CharField(_("Decision"), max_length=8, choices=RestatementVerdict.choices)
    old_value = _number(_("Locked value"))
    old_numerator = _number(_("Numerator"))
    old_denominator = _number(_("Denominator"))
    old_absence = models.CharField(_("Absence"), max_length=20, blank=True, default="")
    old_locked_at = models.DateTimeField(_("Locked at"))
    new_value = _number(_("Live value"))
    new_numerator = _number(_("Numerator"))
    new_denominator = _number(_("Denominator"))
    new_absence = models.CharField(_("Absence"), max_length=20, blank=True, default="")
    reason = models.TextField(_("Reason"))
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    decided_at = models.DateTimeField(_("Decided at"))

    class Meta:
        verbose_name = _("Restatement")
        verbose_name_plural = _("Restatements")
        ordering = ["-decided_at", "-id"]
        indexes = [models.Index(fields=["grain", "period_start", "node"], name="restatement_cell")]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}: {self.verdict}"


class PeriodToCompare(models.Model):
    """A closed period whose locked numbers are to be compared with the live ones: something in it was computed again.

    Rows are only added, so that whoever computes waits for nobody; of one period there may be several.
    """

    period = models.ForeignKey(Period, models.CASCADE, related_name="+", verbose_name=_("Period"))

    class Meta:
        verbose_name = _("Closed period to compare")
        verbose_name_plural = _("Closed periods to compare")

    def __str__(self) -> str:
        return f"{self.period}"


class OpenRestatement(models.Model):
    """One locked cell that would say something else, as it was last compared, and on which nobody has decided.

    `value` and `absence` are what is live. Written by comparing, removed by deciding, opening again and closing; the
    page of the period's closing compares anew.
    """

    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="open_restatements", verbose_name=_("Node"))
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices)
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20)
    member = models.ForeignKey(DimensionMember, models.CASCADE, null=True, related_name="+", verbose_name=_("Member"))
    value = _number(_("Live value"))
    absence = models.CharField(_("Absence"), max_length=20, blank=True, default="")

    class Meta:
        verbose_name = _("Restatement to decide on")
        verbose_name_plural = _("Restatements to decide on")
        constraints = [
            models.UniqueConstraint(
                fields=["grain", "period_start", "node", "dimension", "member"],
                name="openrestatement_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"
