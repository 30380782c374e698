"""What a named person does about a number, by when, expecting which effect."""

import datetime
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.models import DimensionMember, KpiNode, Metric, Person
from reviews.choices import OPEN_ACTIONS, ActionStatus, Verdict
from reviews.models.misses import Miss


class ActionQuerySet(models.QuerySet["Action"]):
    """Actions by where they stand."""

    def unfinished(self) -> Self:
        return self.filter(status__in=OPEN_ACTIONS)

    def overdue(self, today: datetime.date) -> Self:
        return self.unfinished().filter(due_on__lt=today)


class Action(models.Model):
    """One improvement action."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    miss = models.ForeignKey(
        Miss, models.PROTECT, null=True, blank=True, related_name="actions", verbose_name=_("Miss")
    )
    node = models.ForeignKey(KpiNode, models.PROTECT, related_name="actions", verbose_name=_("KPI"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    cause = models.TextField(_("Cause"))
    action = models.TextField(_("Improvement action"))
    owner = models.ForeignKey(
        Person,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="actions",
        verbose_name=_("Person in charge"),
    )
    owner_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Person in charge (login)"),
    )
    due_on = models.DateField(_("Due date"))
    effect_metric = models.ForeignKey(
        Metric,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Expected effect on"),
    )
    effect_amount = models.DecimalField(_("Expected effect"), max_digits=26, decimal_places=8, null=True, blank=True)
    effect_lag_days = models.PositiveIntegerField(_("Days until it shows"), null=True, blank=True)
    status = models.CharField(_("Status"), max_length=11, choices=ActionStatus.choices, default=ActionStatus.PLANNED)
    baseline = models.JSONField(
        _("Baseline"), null=True, blank=True, help_text=_("The number as it was when the action was logged")
    )
    verdict = models.CharField(_("Effect check"), max_length=13, choices=Verdict.choices, null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("By")
    )
    created_at = models.DateTimeField(_("Logged at"))
    finished_at = models.DateTimeField(_("Finished at"), null=True, blank=True)

    objects = ActionQuerySet.as_manager()

    class Meta:
        verbose_name = _("Improvement action")
        verbose_name_plural = _("Improvement actions")
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=OPEN_ACTIONS, finished_at__isnull=True)
                | (~models.Q(status__in=OPEN_ACTIONS) & models.Q(finished_at__isnull=False)),
                name="action_finished_has_a_time",
            )
        ]
        indexes = [models.Index(fields=["status", "due_on"], name="action_due")]

    def __str__(self) -> str:
        return self.action

    @property
    def is_unfinished(self) -> bool:
        return self.status in OPEN_ACTIONS


class ActionChange(models.Model):
    """One change of an action: which fields went from what to what. Append-only."""

    parent = models.ForeignKey(Action, models.CASCADE, related_name="history", verbose_name=_("Improvement action"))
    changes = models.JSONField(_("Changes"), default=dict, help_text=_("Field → [old, new]"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("By")
    )
    at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Change of an improvement action")
        verbose_name_plural = _("Changes of improvement actions")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.parent} {self.at:%Y-%m-%d}"
