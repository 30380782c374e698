"""The outbox: what happened in a company and still has to be worked through. Ids only, in the public schema."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.models import Company


class EventState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    DEAD = "dead", _("Given up")


OPEN_STATES = (EventState.WAITING, EventState.SENT, EventState.RUNNING)


class Event(models.Model):
    """One event for one handler; it is done when that handler has finished."""

    topic = models.CharField(_("topic"), max_length=60)
    handler = models.CharField(_("handler"), max_length=200)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="events", verbose_name=_("company"))
    object_id = models.CharField(_("object"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=EventState.choices, default=EventState.WAITING)
    due_at = models.DateTimeField(_("due at"))
    sent_count = models.PositiveSmallIntegerField(_("times sent"), default=0)
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=OPEN_STATES), name="outbox_open_due_at"),
            models.Index(fields=["finished_at"], condition=Q(state=EventState.DONE), name="outbox_done_finished_at"),
            models.Index(fields=["company", "state"], name="outbox_company_state"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} → {self.handler}"
