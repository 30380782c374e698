"""A target that was not reached, and how it was answered."""

import datetime
import uuid
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, PeriodState
from kpis.models import DimensionMember, KpiNode
from reviews.choices import DecisionKind, MissStatus


class MissQuerySet(models.QuerySet["Miss"]):
    """Misses by where they stand."""

    def standing(self) -> Self:
        """Without those that turned out to be met when their period was closed."""
        return self.filter(withdrawn_at__isnull=True)

    def awaiting_answer(self) -> Self:
        """Asked and not answered: somebody owes a response."""
        return self.standing().filter(asked=True, status=MissStatus.OPEN)

    def by_amount_at_stake(self) -> Self:
        """Largest shortfall of money first; numbers without money after them, the furthest from target first."""
        return self.order_by(
            models.F("amount_at_stake").desc(nulls_last=True),
            models.F("achievement").asc(nulls_last=True),
            "-period_start",
            "pk",
        )


class Miss(models.Model):
    """A 速報 or 確定 period of one node and segment below its target, with the numbers of that moment."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    node = models.ForeignKey(KpiNode, models.PROTECT, related_name="misses", verbose_name=_("KPI"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices)
    period_start = models.DateField(_("Period"))
    target = models.DecimalField(_("Target"), max_digits=34, decimal_places=14)
    value = models.DecimalField(_("Actual"), max_digits=34, decimal_places=14)
    numerator = models.DecimalField(_("Numerator"), max_digits=34, decimal_places=14, null=True, blank=True)
    denominator = models.DecimalField(_("Denominator"), max_digits=34, decimal_places=14, null=True, blank=True)
    achievement = models.DecimalField(_("Achievement rate"), max_digits=34, decimal_places=14, null=True, blank=True)
    amount_at_stake = models.DecimalField(
        _("Amount at stake"),
        max_digits=34,
        decimal_places=14,
        null=True,
        blank=True,
        help_text=_("What is missing to the target, where the number is money"),
    )
    provisional_value = models.DecimalField(
        _("Actual when provisional"), max_digits=34, decimal_places=14, null=True, blank=True
    )
    asked = models.BooleanField(_("Response asked for"), default=True)
    case = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="later_misses",
        verbose_name=_("First miss of the case"),
        help_text=_("Consecutive periods of one KPI and segment are one case"),
    )
    opened_at = models.DateTimeField(_("Opened"))
    confirmed_at = models.DateTimeField(_("Confirmed"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(
        _("Withdrawn"), null=True, blank=True, help_text=_("The period was met when it was closed")
    )
    status = models.CharField(_("Status"), max_length=8, choices=MissStatus.choices, default=MissStatus.OPEN)
    end = models.CharField(_("Answer"), max_length=18, choices=DecisionKind.choices, blank=True, default="")
    end_reason = models.TextField(_("Reason"), blank=True, default="")
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("By")
    )
    answered_at = models.DateTimeField(_("Answered at"), null=True, blank=True)

    objects = MissQuerySet.as_manager()

    period_label: str
    is_stale: bool
    as_of: datetime.datetime | None

    class Meta:
        verbose_name = _("Miss")
        verbose_name_plural = _("Miss response")
        ordering = ["-period_start", "node", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "grain", "period_start", "dimension", "member"],
                name="miss_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(status=MissStatus.OPEN, end="", answered_at__isnull=True)
                | (models.Q(status=MissStatus.ANSWERED, answered_at__isnull=False) & ~models.Q(end="")),
                name="miss_answered_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=["status", "asked"], name="miss_open")]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"

    @property
    def variance(self) -> Decimal:
        return self.value - self.target

    @property
    def period_state(self) -> str:
        """The state in which the numbers were frozen."""
        return PeriodState.CLOSED if self.confirmed_at else PeriodState.PROVISIONAL

    @property
    def is_changed_at_closing(self) -> bool:
        """Whether closing brought another value than the provisional one."""
        return bool(self.confirmed_at) and self.provisional_value not in (None, self.value)
