"""Where data comes from, and how a source's fields become ours."""

import uuid
from datetime import timedelta
from decimal import Decimal

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.choices import KEEP_AT_MOST_DAYS, KEEP_DAYS, Carries, ConnectionKind, Tax
from integrations.connectors.catalogue import ORDER
from integrations.connectors.mapping import FieldRule, StreamMapping


class Connection(models.Model):
    """One outside system, or one regular delivery of files from it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("Name"), max_length=120, unique=True)
    kind = models.CharField(_("Kind"), max_length=12, choices=ConnectionKind.choices, default=ConnectionKind.FILE)
    carries = models.CharField(
        _("System"), max_length=5, choices=Carries.choices, help_text=_("Which system the data stands for")
    )
    source = models.SlugField(
        _("Source code"), max_length=60, help_text=_("External ids are unique within a source; it cannot be changed")
    )
    preset = models.CharField(_("Preset"), max_length=40, blank=True, default="")
    description = models.JSONField(
        _("Description"), default=dict, blank=True, help_text=_("Where the source is and how it is read; no secrets")
    )
    sealed = models.TextField(default="", blank=True, editable=False)
    every = models.DurationField(
        _("Frequency"), null=True, blank=True, help_text=_("How often new data is due; empty = only by hand")
    )
    stream_every = models.JSONField(
        _("Frequency of single streams"),
        default=dict,
        blank=True,
        help_text=_("Stream → minutes, for streams that are due at a rhythm of their own"),
    )
    read_every = models.DurationField(
        null=True, editable=False, help_text=_("The shortest rhythm among what is mapped; empty = only by hand")
    )
    keep_days = models.PositiveSmallIntegerField(
        _("Kept as received, days"),
        default=KEEP_DAYS,
        validators=[MaxValueValidator(KEEP_AT_MOST_DAYS)],
        help_text=_(
            "A changed mapping is applied to what is kept without asking the source again; 0 = nothing is kept"
        ),
    )
    is_paused = models.BooleanField(_("Paused"), default=False)
    last_run_at = models.DateTimeField(_("Last run"), null=True, editable=False)
    last_success_at = models.DateTimeField(_("Last success"), null=True, editable=False)
    stopped_by = models.CharField(
        _("Stopped by"),
        max_length=40,
        blank=True,
        default="",
        editable=False,
        help_text=_("The problem that a person has to mend before it is read again"),
    )
    stopped_at = models.DateTimeField(
        _("Stopped since"), null=True, editable=False, help_text=_("Until a run brings something again")
    )
    failure_count = models.PositiveIntegerField(_("Failures in a row"), default=0, editable=False)
    quota = models.JSONField(
        default=dict, blank=True, editable=False, help_text=_("What the source said last about its limit of calls")
    )
    seen_fields = models.JSONField(
        default=dict, blank=True, editable=False, help_text=_("The mapped fields as the source described them last")
    )
    drift = models.JSONField(
        default=list, blank=True, editable=False, help_text=_("How the source differs from what was mapped")
    )
    created_at = models.DateTimeField(_("Created"))

    class Meta:
        verbose_name = _("Connection")
        verbose_name_plural = _("Connections")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def promised_every(self) -> timedelta | None:
        """How often something of it is due; None = only by hand."""
        # Streams are named here only while they are mapped: one that is read by hand leaves nothing to what is not.
        is_all_by_hand = self.read_every is None and None in self.stream_every.values()
        return None if is_all_by_hand else self.read_every or self.every

    def rhythm_of(self, stream: str) -> timedelta | None:
        """How often a stream of the source is due: at its own rhythm or the connection's; None = only by hand."""
        if stream not in self.stream_every:
            return self.every
        own = self.stream_every[stream]
        return None if own is None else timedelta(minutes=own)


class FieldMapping(models.Model):
    """One version of how one stream of a connection is read. Versions are never changed, only succeeded."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="mappings", verbose_name=_("Connection"))
    stream = models.SlugField(_("Stream"), max_length=60)
    version = models.PositiveIntegerField(_("Version"), default=1)
    is_current = models.BooleanField(_("In force"), default=True)
    resource = models.CharField(_("Resource"), max_length=30, choices=[(slug, slug) for slug in ORDER])
    position = models.PositiveSmallIntegerField(_("Position"), help_text=_("Streams are read in this order"))
    reads = models.CharField(
        _("Reads"), max_length=200, help_text=_("A file name pattern (* stands for any characters), or a stream's name")
    )
    each = models.CharField(
        _("Row for each of"), max_length=100, blank=True, default="", help_text=_("A list inside a record; empty = one")
    )
    sheet = models.CharField(_("Sheet"), max_length=100, blank=True, default="")
    encoding = models.CharField(
        _("Encoding"),
        max_length=10,
        blank=True,
        default="",
        choices=[("utf-8", "UTF-8"), ("cp932", "Shift_JIS (CP932)")],
    )
    rules = models.JSONField(_("Fields"), help_text=_("Field, its column, template or constant, and its value map"))
    date_formats = models.JSONField(_("Date formats"), default=list, blank=True)
    skip_blank = models.JSONField(_("Skip rows where empty"), default=list, blank=True)
    tax = models.CharField(_("Amounts"), max_length=8, choices=Tax.choices, blank=True, default=Tax.UNKNOWN)
    tax_rate = models.DecimalField(_("Tax rate"), max_digits=5, decimal_places=4, null=True, blank=True)
    headings = models.JSONField(
        _("Headings"), default=list, blank=True, help_text=_("Known by these, whatever a file is called")
    )
    preset = models.CharField(_("Preset"), max_length=40, blank=True, default="")
    effective_from = models.DateTimeField(_("In force since"))

    class Meta:
        verbose_name = _("Field mapping")
        verbose_name_plural = _("Field mappings")
        ordering = ["connection", "position", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "stream", "version"], name="fieldmapping_version"),
            models.UniqueConstraint(
                fields=["connection", "stream"], condition=models.Q(is_current=True), name="fieldmapping_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream} v{self.version}"

    @property
    def definition(self) -> StreamMapping:
        """The mapping as the connectors read it."""
        return StreamMapping(
            stream=self.stream,
            resource=self.resource,
            position=self.position,
            reads=self.reads,
            each=self.each,
            sheet=self.sheet,
            encoding=self.encoding,
            rules=tuple(FieldRule(**rule) for rule in self.rules),
            date_formats=tuple(self.date_formats),
            skip_blank=tuple(self.skip_blank),
            tax=self.tax,
            tax_rate=None if self.tax_rate is None else Decimal(self.tax_rate),
            headings=tuple(self.headings),
        )


class Checkpoint(models.Model):
    """How far a stream has been read; saved in the transaction that stored the records before it."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="checkpoints", verbose_name=_("Connection"))
    stream = models.SlugField(_("Stream"), max_length=60)
    cursor = models.JSONField(_("Cursor"), default=dict)
    saved_at = models.DateTimeField(_("Saved"))
    read_at = models.DateTimeField(
        _("Read"), null=True, help_text=_("When the last import that asked for it came to its end")
    )

    class Meta:
        verbose_name = _("Checkpoint")
        verbose_name_plural = _("Checkpoints")
        constraints = [models.UniqueConstraint(fields=["connection", "stream"], name="checkpoint_once")]

    def __str__(self) -> str:
        return f"{self.stream}: {self.cursor}"


class RawRecord(models.Model):
    """What the source said last about one record, as it said it; the id stays when that is too old to be kept.

    Written by COPY, many at a time: it has the one index that finds a record, and one that finds what is old. That its
    connection exists is not checked for each record again; with the connection its records go.
    """

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="+",
        verbose_name=_("Connection"),
        db_index=False,
        db_constraint=False,
    )
    stream = models.SlugField(_("Stream"), max_length=60, db_index=False)
    external_id = models.CharField(_("External id"), max_length=200)
    payload = models.JSONField(
        _("As received"), null=True, encoder=DjangoJSONEncoder, help_text=_("Empty once it is too old to be kept")
    )
    digest = models.CharField(max_length=32, editable=False, default="")
    is_gone = models.BooleanField(
        _("Deleted"), default=False, help_text=_("The source has deleted it or merged it away")
    )
    received_at = models.DateTimeField(_("Received"))

    class Meta:
        verbose_name = _("Raw record")
        verbose_name_plural = _("Raw records")
        constraints = [models.UniqueConstraint(fields=["connection", "stream", "external_id"], name="rawrecord_once")]
        indexes = [
            models.Index(fields=["received_at"], condition=models.Q(payload__isnull=False), name="rawrecord_received")
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.external_id}"
