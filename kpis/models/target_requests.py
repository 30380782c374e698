"""Changes of targets that somebody has to agree to first (目標変更の申請). What is in force stays until then."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import RequestStatus, RequestVerdict, TargetLine
from kpis.engine.proration import Proration, stored_proration
from kpis.models.definitions import KpiNode, KpiTree
from kpis.models.dimensions import DimensionMember


class TargetRequest(models.Model):
    """One proposal of several targets of a tree; `steps` is how many approvals it needs, fixed when proposed."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tree = models.ForeignKey(KpiTree, models.CASCADE, related_name="target_requests", verbose_name=_("KPI tree"))
    status = models.CharField(
        _("Status"), max_length=9, choices=RequestStatus.choices, default=RequestStatus.WAITING, db_index=True
    )
    steps = models.PositiveSmallIntegerField(_("Steps of approval"))
    reason = models.TextField(_("Reason"))
    proposer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Proposed by")
    )
    proposed_at = models.DateTimeField(_("Proposed at"))
    answers = models.OneToOneField(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="answered_by",
        verbose_name=_("Answers the returned request"),
    )

    class Meta:
        verbose_name = _("Target change request")
        verbose_name_plural = _("Target change requests")
        ordering = ["-proposed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.tree} {self.proposed_at:%Y-%m-%d}"

    @property
    def is_waiting(self) -> bool:
        return self.status == RequestStatus.WAITING


class TargetRequestCell(models.Model):
    """One target of a request: as it stood when proposed (null = not set), and as it is to be (null = removed)."""

    request = models.ForeignKey(
        TargetRequest, models.CASCADE, related_name="cells", verbose_name=_("Target change request")
    )
    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="+", verbose_name=_("Node"))
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20, default="company")
    member = models.ForeignKey(
        DimensionMember, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("Member")
    )
    line = models.CharField(_("Target line"), max_length=7, choices=TargetLine.choices)
    seen_value = models.DecimalField(_("Target when proposed"), max_digits=26, decimal_places=8, null=True)
    seen_upper = models.DecimalField(_("Upper bound when proposed"), max_digits=26, decimal_places=8, null=True)
    value = models.DecimalField(_("Proposed target"), max_digits=26, decimal_places=8, null=True)
    upper = models.DecimalField(_("Proposed upper bound"), max_digits=26, decimal_places=8, null=True)
    prorated = models.JSONField(_("Prorated"), null=True, editable=False)

    class Meta:
        verbose_name = _("Proposed target")
        verbose_name_plural = _("Proposed targets")
        ordering = ["request", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "node", "period_start", "dimension", "member", "line"],
                name="targetrequestcell_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"

    @property
    def proration(self) -> Proration | None:
        """How the proposed target is prorated; None where it is not."""
        return stored_proration(self.prorated)


class TargetRequestDecision(models.Model):
    """What one person said about a request at one step; a return carries its comment."""

    request = models.ForeignKey(
        TargetRequest, models.CASCADE, related_name="decisions", verbose_name=_("Target change request")
    )
    step = models.PositiveSmallIntegerField(_("Step"))
    verdict = models.CharField(_("Decision"), max_length=8, choices=RequestVerdict.choices)
    comment = models.TextField(_("Comment"), blank=True, default="")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Decision on targets")
        verbose_name_plural = _("Decisions on targets")
        ordering = ["request", "step"]
        constraints = [models.UniqueConstraint(fields=["request", "step"], name="targetrequestdecision_step")]

    def __str__(self) -> str:
        return f"{self.request} {self.step}"
