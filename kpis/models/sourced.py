"""What every record from outside has in common, and what is remembered about where it came from."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Sourced(models.Model):
    """A record of an outside system, addressed by source and external id; deleted ones stay as tombstones.

    `refs` keeps every reference as it was sent ({"owner": ["crm", "123"]}) beside the resolved foreign key, so that
    a dangling one is resolved when its target arrives.
    """

    source = models.CharField(_("Source"), max_length=60)
    external_id = models.CharField(_("External id"), max_length=200)
    content_hash = models.CharField(max_length=32, editable=False, default="")
    refs = models.JSONField(_("References as sent"), default=dict, blank=True)
    attributes = models.JSONField(_("Custom fields"), default=dict, blank=True)
    source_url = models.URLField(_("Link"), max_length=1000, blank=True, default="")
    source_updated_at = models.DateTimeField(_("Changed at the source"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("First seen"))
    changed_at = models.DateTimeField(_("Last change"))
    deleted_at = models.DateTimeField(_("Deleted"), null=True, blank=True)

    class Meta:
        abstract = True

    @staticmethod
    def constraints(name: str) -> list[models.BaseConstraint]:
        return [models.UniqueConstraint(fields=["source", "external_id"], name=f"{name}_once")]


class ExternalIdentity(models.Model):
    """A further name under which an outside system knows one of our rows: an alias, or the id of a merged record.

    The row's own source and external id stand on the row itself.
    """

    entity = models.CharField(_("Entity"), max_length=30)
    source = models.CharField(_("Source"), max_length=60)
    external_id = models.CharField(_("External id"), max_length=200)
    row_id = models.BigIntegerField(_("Row"))

    class Meta:
        verbose_name = _("External identity")
        verbose_name_plural = _("External identities")
        constraints = [
            models.UniqueConstraint(fields=["entity", "source", "external_id"], name="externalidentity_once")
        ]
        indexes = [models.Index(fields=["entity", "row_id"])]

    def __str__(self) -> str:
        return f"{self.entity} {self.source}:{self.external_id}"


class UnresolvedReference(models.Model):
    """A reference of one of our rows to a record that has not arrived yet; gone as soon as it is resolved."""

    fact = models.CharField(_("Resource"), max_length=30)
    fact_id = models.BigIntegerField(_("Row"))
    field = models.CharField(_("Field"), max_length=30)
    entity = models.CharField(_("Refers to"), max_length=30)
    source = models.CharField(_("Source"), max_length=60)
    external_id = models.CharField(_("External id"), max_length=200)

    class Meta:
        verbose_name = _("Unresolved reference")
        verbose_name_plural = _("Unresolved references")
        indexes = [
            models.Index(fields=["entity", "source", "external_id"], name="unresolvedreference_target"),
            models.Index(fields=["fact", "fact_id"], name="unresolvedreference_fact"),
        ]

    def __str__(self) -> str:
        return f"{self.fact}.{self.field} → {self.entity} {self.source}:{self.external_id}"


class FactChange(models.Model):
    """One change of one fact: which fields went from what to what. Append-only; explains what was different when."""

    fact = models.CharField(_("Resource"), max_length=30)
    fact_id = models.BigIntegerField(_("Row"))
    external_id = models.CharField(_("External id"), max_length=200)
    action = models.CharField(
        _("Action"),
        max_length=8,
        choices=[
            ("updated", pgettext_lazy("what happened to a fact", "Changed")),
            ("deleted", _("Deleted")),
            ("restored", _("Restored")),
        ],
    )
    changes = models.JSONField(_("Changes"), default=dict, help_text=_("Field → [old, new]"))
    run = models.BigIntegerField(_("Sync run"), null=True)
    is_remapped = models.BooleanField(
        _("Mapped again"),
        default=False,
        db_default=False,
        help_text=_("What the source says is understood in another way; the source itself has not changed."),
    )
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Fact change")
        verbose_name_plural = _("Fact changes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["fact", "fact_id"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.fact} {self.external_id} {self.action}"


class FactStream(models.Model):
    """What one source has delivered of one kind of fact: freshness and "missing or zero" read only this."""

    source = models.CharField(_("Source"), max_length=60)
    fact = models.CharField(_("Resource"), max_length=30)
    covered_from = models.DateField(_("Covered from"), null=True, help_text=_("Date of the earliest record"))
    last_success_at = models.DateTimeField(_("Last success"), null=True)
    expected_every = models.DurationField(_("Expected every"), null=True)

    class Meta:
        verbose_name = _("Fact stream")
        verbose_name_plural = _("Fact streams")
        constraints = [models.UniqueConstraint(fields=["source", "fact"], name="factstream_once")]

    def __str__(self) -> str:
        return f"{self.source}: {self.fact}"
