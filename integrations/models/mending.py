"""Who was asked to mend a connection."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.connections import Connection


class MendRequest(models.Model):
    """One letter to one person about one connection that needs a person; a stop with one reason asks each once."""

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="mend_requests", verbose_name=_("Connection")
    )
    problem = models.CharField(
        _("Stopped by"), max_length=40, blank=True, default="", help_text=_("Empty = it is late, and is tried again")
    )
    since = models.DateTimeField(_("Since"))
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Recipient")
    )
    sent_at = models.DateTimeField(_("Sent at"))

    class Meta:
        verbose_name = _("Request to mend")
        verbose_name_plural = _("Requests to mend")
        ordering = ["-sent_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "problem", "since", "recipient"], name="mendrequest_once")
        ]

    def __str__(self) -> str:
        return f"{self.connection}: {self.recipient}"
