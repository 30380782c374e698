"""What the consultancy sees of its clients: one summary row each, never their numbers in full."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _


class SyncState(models.TextChoices):
    NONE = "none", _("No connection")
    HEALTHY = "healthy", _("Up to date")
    LATE = "late", _("Late")
    FAILING = "failing", _("Failing")


class CompanyHealth(models.Model):
    """The state of one client company, written by that company's own tasks."""

    company_id = models.UUIDField(_("company"), primary_key=True)
    name = models.CharField(_("company name"), max_length=200)
    rollout_stage = models.CharField(_("rollout stage"), max_length=12, blank=True)
    checklist_done_count = models.PositiveSmallIntegerField(_("checklist items done"), default=0)
    checklist_item_count = models.PositiveSmallIntegerField(_("checklist items"), default=0)
    sync_state = models.CharField(
        _("data connections"), max_length=8, choices=SyncState.choices, default=SyncState.NONE
    )
    last_synced_at = models.DateTimeField(_("last synced at"), null=True, blank=True)
    unanswered_miss_count = models.PositiveIntegerField(_("unanswered misses"), default=0)
    last_meeting_at = models.DateTimeField(_("last meeting"), null=True, blank=True)
    next_meeting_at = models.DateTimeField(_("next meeting"), null=True, blank=True)
    kgi_name = models.CharField(_("KGI"), max_length=200, blank=True)
    kgi_achievement = models.DecimalField(_("KGI achievement"), max_digits=12, decimal_places=6, null=True, blank=True)
    template_id = models.UUIDField(_("template"), null=True, blank=True)
    template_name = models.CharField(_("template name"), max_length=200, blank=True)
    template_version = models.PositiveIntegerField(_("template version"), null=True, blank=True)
    template_deviation_count = models.PositiveIntegerField(_("own changes to the template"), default=0)
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("state of a client company")
        verbose_name_plural = _("state of the client companies")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def kgi_achievement_percent(self) -> Decimal | None:
        return None if self.kgi_achievement is None else self.kgi_achievement * 100


class CompanyRequest(models.Model):
    """What a client company was asked to be: read by provisioning, kept as the record of the order."""

    company_id = models.UUIDField(_("company"), primary_key=True)
    name = models.CharField(_("company name"), max_length=200)
    fiscal_start_month = models.PositiveSmallIntegerField(_("fiscal year starts in month"))
    closing_day = models.PositiveSmallIntegerField(_("closing day"))
    currency = models.CharField(_("currency"), max_length=3)
    template = models.CharField(_("template"), max_length=30, blank=True)
    template_values = models.JSONField(_("answers for the template"), default=dict, blank=True)
    requested_at = models.DateTimeField(_("requested at"))

    class Meta:
        verbose_name = _("request for a company")
        verbose_name_plural = _("requests for companies")
        ordering = ["-requested_at"]

    def __str__(self) -> str:
        return self.name
