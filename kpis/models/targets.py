"""What people typed: targets with their revisions, and values that no system delivers. Never touched by recompute."""

import uuid
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kpis.choices import BackCalculationScenario, EntryAbsence, Grain, RequestStatus, RequestVerdict, TargetLine
from kpis.engine.proration import Proration, stored_proration
from kpis.models.definitions import KpiNode, KpiTree, Metric
from kpis.models.dimensions import DimensionMember


class StandingTargets(models.Manager["Target"]):
    """The targets that are set. One that was removed keeps its row for its history and is no target to any reader."""

    def get_queryset(self) -> models.QuerySet["Target"]:
        return super().get_queryset().exclude(value=None)


class Target(models.Model):
    """The target of a node for one period of its own frequency: as first set (当初) and as it stands (現行).

    `value` is None once it was removed. Only what writes targets or shows their history reads `with_removed`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="targets", verbose_name=_("Node"))
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    line = models.CharField(_("Target line"), max_length=7, choices=TargetLine.choices, default=TargetLine.TARGET)
    initial_value = models.DecimalField(_("Initial target"), max_digits=26, decimal_places=8, null=True)
    initial_upper = models.DecimalField(_("Initial upper bound"), max_digits=26, decimal_places=8, null=True)
    value = models.DecimalField(_("Current target"), max_digits=26, decimal_places=8, null=True, blank=True)
    upper = models.DecimalField(_("Upper bound"), max_digits=26, decimal_places=8, null=True, blank=True)
    prorated = models.JSONField(
        _("Prorated"), null=True, editable=False, help_text=_("From which target, where a person joins or leaves.")
    )

    objects = StandingTargets()
    with_removed = models.Manager()

    class Meta:
        verbose_name = _("Target")
        verbose_name_plural = _("Targets")
        ordering = ["node", "period_start"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "period_start", "dimension", "member", "line"],
                name="target_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"

    @property
    def standing(self) -> Decimal:
        """The value of a target that is set, as `objects` gives it."""
        assert self.value is not None
        return self.value

    @property
    def proration(self) -> Proration | None:
        """How it was prorated; None where it was not, or was set to something else since."""
        return stored_proration(self.prorated)


class TargetRevision(models.Model):
    """One setting of a target: what (None = removed), by whom, why; who approved it stands in its request, if any."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="revisions", verbose_name=_("Target"))
    number = models.PositiveIntegerField(_("Revision"))
    value = models.DecimalField(_("Value"), max_digits=26, decimal_places=8, null=True)
    upper = models.DecimalField(_("Upper bound"), max_digits=26, decimal_places=8, null=True)
    reason = models.TextField(_("Reason"), blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    at = models.DateTimeField(_("At"))
    request = models.ForeignKey(
        "kpis.TargetRequest",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="revisions",
        verbose_name=_("Target change request"),
    )
    confirmed_at = models.DateTimeField(
        _("Confirmed at"), null=True, blank=True, help_text=_("When the person whose target it is has confirmed it.")
    )

    class Meta:
        verbose_name = _("Target revision")
        verbose_name_plural = _("Target revisions")
        ordering = ["target", "number"]
        constraints = [models.UniqueConstraint(fields=["target", "number"], name="targetrevision_number")]

    def __str__(self) -> str:
        return f"{self.target} r{self.number}"

    @property
    def approvers(self) -> list[object]:
        """Who approved it, in order; load `request__decisions__actor` with it."""
        decisions = self.request.decisions.all() if self.request else ()
        return [each.actor for each in decisions if each.actor is not None and each.verdict == RequestVerdict.APPROVED]


class BackCalculationQuerySet(models.QuerySet["BackCalculation"]):
    """Rows of BackCalculation."""

    def applied(self) -> Self:
        """Those whose targets were set: at once, or by the approval of their request."""
        return self.filter(Q(request=None) | Q(request__status=RequestStatus.APPROVED))


class BackCalculation(models.Model):
    """One back-calculation that was applied as targets: what was asked, what came out, by whom. Never changed later.

    With a request its targets are proposed: they hold once that is approved.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tree = models.ForeignKey(KpiTree, models.CASCADE, related_name="back_calculations", verbose_name=_("KPI tree"))
    goal_metric = models.CharField(_("Goal"), max_length=60)
    goal_value = models.DecimalField(_("Goal value"), max_digits=26, decimal_places=8)
    grain = models.CharField(_("Length of the period"), max_length=7, choices=Grain.choices)
    period_start = models.DateField(_("Period"))
    scenario = models.CharField(_("Scenario"), max_length=9, choices=BackCalculationScenario.choices)
    input = models.JSONField(_("Input"))
    result = models.JSONField(_("Result"))
    target_count = models.PositiveIntegerField(_("Targets written"))
    reason = models.TextField(_("Reason"), blank=True, default="")
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    applied_at = models.DateTimeField(_("At"))
    request = models.ForeignKey(
        "kpis.TargetRequest",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="back_calculations",
        verbose_name=_("Target change request"),
    )

    objects = BackCalculationQuerySet.as_manager()

    class Meta:
        verbose_name = _("Back-calculation")
        verbose_name_plural = _("Back-calculations")
        ordering = ["-applied_at", "-id"]

    def __str__(self) -> str:
        return f"{self.tree} {self.period_start}"


class ManualEntry(models.Model):
    """The value of a manual metric for one month or week, typed by a person, or that there is none, with the reason."""

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="entries", verbose_name=_("Metric"))
    grain = models.CharField(_("Grain"), max_length=7, default="month")
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    value = models.DecimalField(_("Value"), max_digits=26, decimal_places=8, null=True, blank=True)
    absence = models.CharField(
        _("No value because"), max_length=14, choices=EntryAbsence.choices, blank=True, default=""
    )
    note = models.TextField(_("Note"), blank=True, default="")
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    entered_at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Manual entry")
        verbose_name_plural = _("Manual entries")
        ordering = ["metric", "-period_start"]
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "grain", "period_start", "dimension", "member"],
                name="manualentry_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(value__isnull=False, absence="") | models.Q(value=None) & ~models.Q(absence=""),
                name="manualentry_value_or_absence",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.period_start}"
