"""How marketing and sales data are joined: the company's rules, links of deals, leads kept out of the count."""

from datetime import time

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kpis.choices import ExclusionReason, ExclusionVerdict, LinkRule
from kpis.engine.joining import LINK_RULES, LONGEST_SCAN
from kpis.models.facts import Deal, Lead


def usual_order() -> list[str]:
    return list(LINK_RULES)


class LeadRules(models.Model):
    """The one row of rules by which leads and deals of this company are joined; without it the defaults hold."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    link_order = models.JSONField(
        _("Rules that link deals to leads"),
        default=usual_order,
        blank=True,
        help_text=_("In the order in which they are tried; one that is left out is not used."),
    )
    joins_same_email = models.BooleanField(_("Leads with the same e-mail address are one lead"), default=True)
    scan_count = models.PositiveSmallIntegerField(
        _("Leads that make a card scan"),
        default=20,
        help_text=_(
            "So many leads of one lead source in a short time wait to be confirmed. Where the source tells no time: so "
            "many on one day, and more than 5 times the daily average of the four weeks before and after. 0 = never."
        ),
    )
    scan_minutes = models.PositiveSmallIntegerField(
        _("Minutes of a card scan"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_SCAN)],
    )
    opens_at = models.TimeField(_("Office opens"), default=time(9))
    closes_at = models.TimeField(_("Office closes"), default=time(18))

    class Meta:
        verbose_name = _("Rules for leads")
        verbose_name_plural = _("Rules for leads")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="leadrules_one_row"),
            models.CheckConstraint(condition=Q(scan_minutes__range=(1, LONGEST_SCAN)), name="leadrules_minutes"),
            models.CheckConstraint(condition=Q(closes_at__gt=models.F("opens_at")), name="leadrules_hours"),
        ]

    def __str__(self) -> str:
        return str(_("Rules for leads"))


class LeadLink(models.Model):
    """Which lead a deal came from where its source does not say, and by which rule.

    Without a lead the rule finds several (`candidates`) and a person has to say which. What a person took off stays,
    so that no rule brings it back.
    """

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="lead_links", verbose_name=_("Deal"))
    lead = models.ForeignKey(Lead, models.CASCADE, null=True, related_name="deal_links", verbose_name=_("Lead"))
    rule = models.CharField(_("Rule"), max_length=11, choices=LinkRule.choices)
    candidates = models.JSONField(_("Candidates"), default=list, blank=True)
    decided_at = models.DateTimeField(_("At"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    undone_at = models.DateTimeField(_("Taken off at"), null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Taken off by")
    )

    class Meta:
        verbose_name = _("Link of a deal to a lead")
        verbose_name_plural = _("Links of deals to leads")
        ordering = ["-decided_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["deal"], condition=Q(undone_at__isnull=True), name="leadlink_one_in_force")
        ]
        indexes = [models.Index(fields=["deal"], condition=Q(lead__isnull=True), name="leadlink_ambiguous")]

    def __str__(self) -> str:
        return f"{self.deal} → {self.lead or '?'}"


class LeadExclusion(models.Model):
    """Why one lead is kept out of the count, or was until somebody worked on it or confirmed it.

    A duplicate points to the lead that is counted for it. A card scan waits until it is confirmed; `is_worked` says
    that sales or marketing have dealt with the lead since. A verdict is a person's and stays.
    """

    lead = models.ForeignKey(Lead, models.CASCADE, related_name="exclusions", verbose_name=_("Lead"))
    reason = models.CharField(_("Reason"), max_length=9, choices=ExclusionReason.choices)
    same_as = models.ForeignKey(
        Lead, models.CASCADE, null=True, related_name="duplicates", verbose_name=_("Same lead as")
    )
    created_at = models.DateTimeField(_("Lead created at"), null=True)
    is_worked = models.BooleanField(_("Somebody worked on it"), default=False)
    is_out = models.BooleanField(_("Kept out of the count"))
    decided_at = models.DateTimeField(_("At"))
    verdict = models.CharField(_("Verdict"), max_length=8, choices=ExclusionVerdict.choices, blank=True, default="")
    verdict_at = models.DateTimeField(_("Verdict at"), null=True)
    verdict_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Verdict by")
    )

    class Meta:
        verbose_name = _("Lead kept out of the count")
        verbose_name_plural = _("Leads kept out of the count")
        ordering = ["-decided_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["lead", "reason"], name="leadexclusion_once"),
            models.CheckConstraint(
                condition=Q(reason="duplicate", same_as__isnull=False) | Q(reason="scan", same_as__isnull=True),
                name="leadexclusion_points_to_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead}: {self.get_reason_display()}"
