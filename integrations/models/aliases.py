"""Records that a source has merged: who was taken over by whom."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.connections import Connection


class MergedRecord(models.Model):
    """One record of a resource that its source merged into another one: an alias that outlives the run that saw it."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="merged", verbose_name=_("Connection"))
    resource = models.CharField(_("Resource"), max_length=30)
    loser = models.CharField(_("Merged record"), max_length=200)
    winner = models.CharField(_("Merged into"), max_length=200)
    noted_at = models.DateTimeField(_("Noted"))
    applied_at = models.DateTimeField(
        _("Applied"), null=True, help_text=_("Empty while the record it was merged into has not arrived")
    )
    moved_count = models.PositiveIntegerField(_("References moved"), default=0)

    class Meta:
        verbose_name = _("Merged record")
        verbose_name_plural = _("Merged records")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "resource", "loser"], name="mergedrecord_once"),
            models.CheckConstraint(condition=~models.Q(loser=models.F("winner")), name="mergedrecord_other"),
        ]

    def __str__(self) -> str:
        return f"{self.loser} → {self.winner}"
