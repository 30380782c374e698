"""What sources call us about: the address of each connection, and the notifications that came to it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.choices import EventState
from integrations.models.connections import Connection


class InboundHook(models.Model):
    """The address at which a source may call us. The secret that proves its calls lies with the credentials."""

    connection = models.OneToOneField(
        Connection, models.CASCADE, related_name="hook", verbose_name=_("Connection"), primary_key=True
    )
    token = models.CharField(max_length=64, unique=True, editable=False)
    opened_at = models.DateTimeField(_("Open since"))
    received_count = models.PositiveIntegerField(_("Notifications received"), default=0)
    repeated_count = models.PositiveIntegerField(_("Received again"), default=0)
    refused_count = models.PositiveIntegerField(_("Calls refused"), default=0)
    last_received_at = models.DateTimeField(_("Last notification"), null=True)
    last_refused_at = models.DateTimeField(_("Last refusal"), null=True)
    refused_by = models.CharField(_("Refused because of"), max_length=40, blank=True, default="")

    class Meta:
        verbose_name = _("Notification address")
        verbose_name_plural = _("Notification addresses")

    def __str__(self) -> str:
        return str(self.connection)


class InboundEvent(models.Model):
    """One record that a source called us about, once for each of its events. What the event says is never kept."""

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="inbound_events", verbose_name=_("Connection")
    )
    event_id = models.CharField(_("Event"), max_length=200)
    stream = models.CharField(_("Stream"), max_length=60)
    external_id = models.CharField(_("External id"), max_length=200)
    received_at = models.DateTimeField(_("Received"), db_index=True)
    state = models.CharField(_("State"), max_length=7, choices=EventState.choices, default=EventState.WAITING)
    attempts = models.PositiveSmallIntegerField(_("Attempts"), default=0)
    done_at = models.DateTimeField(_("Done"), null=True)
    source_updated_at = models.DateTimeField(
        _("Changed at the source"), null=True, help_text=_("As the record said that was fetched for it")
    )

    class Meta:
        verbose_name = _("Notification")
        verbose_name_plural = _("Notifications")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["connection", "event_id"], name="inboundevent_once")]
        indexes = [
            models.Index(
                fields=["connection"], condition=models.Q(state=EventState.WAITING), name="inboundevent_waiting"
            ),
            models.Index(fields=["connection", "stream", "external_id"], name="inboundevent_record"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.external_id}"
