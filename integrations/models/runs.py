"""Deliveries and what became of them."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.choices import RunKind, RunState, Trigger, describe_problem, describe_row_problem
from integrations.models.connections import Connection
from tenants.context import current_company


def stored_name(file: "SourceFile", _name: str) -> str:
    """Where a file is kept: by company and content, never under a name that somebody typed."""
    return f"{current_company().schema_name}/files/{file.upload.public_id}/{file.sha256}"


class Upload(models.Model):
    """Files that arrived together."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="uploads", verbose_name=_("Connection"))
    trigger = models.CharField(_("Received by"), max_length=8, choices=Trigger.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    received_at = models.DateTimeField(_("Received"))

    class Meta:
        verbose_name = _("Upload")
        verbose_name_plural = _("Uploads")
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.public_id)


class SourceFile(models.Model):
    """One file as it was received."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="files", verbose_name=_("Upload"))
    name = models.CharField(_("File name"), max_length=255)
    file = models.FileField(_("File"), upload_to=stored_name, max_length=300)
    sha256 = models.CharField("SHA-256", max_length=64)
    size = models.BigIntegerField(_("Bytes"))
    modified_at = models.DateTimeField(_("Changed at the source"), null=True, blank=True)
    encoding = models.CharField(_("Encoding"), max_length=10, blank=True, default="")
    sheet = models.CharField(
        _("Sheet"), max_length=100, blank=True, default="", help_text=_("Of a workbook; empty = its first")
    )
    headings = models.JSONField(_("Headings"), default=list, blank=True, help_text=_("Empty before it was opened"))

    class Meta:
        verbose_name = _("Source file")
        verbose_name_plural = _("Source files")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["upload", "name"], name="sourcefile_once")]

    def __str__(self) -> str:
        return self.name


class SyncRun(models.Model):
    """One import: what was asked, how far it is, what came of it.

    `progress_total` is 0 as long as it is not known of everything that is read.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="runs", verbose_name=_("Connection"))
    upload = models.ForeignKey(
        Upload, models.SET_NULL, null=True, blank=True, related_name="runs", verbose_name=_("Upload")
    )
    kind = models.CharField(_("Kind"), max_length=7, choices=RunKind.choices, default=RunKind.SYNC)
    streams = models.JSONField(
        _("Streams"), default=list, blank=True, help_text=_("The streams of the source that it reads; empty = all")
    )
    trigger = models.CharField(_("Trigger"), max_length=8, choices=Trigger.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("By"))
    state = models.CharField(_("State"), max_length=9, choices=RunState.choices, default=RunState.QUEUED)
    requested_at = models.DateTimeField(_("Requested"))
    started_at = models.DateTimeField(_("Started"), null=True)
    finished_at = models.DateTimeField(_("Finished"), null=True)
    lease_owner = models.CharField(max_length=64, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    not_before = models.DateTimeField(_("Waits until"), null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("Attempts"), default=0)
    progress_done = models.PositiveIntegerField(_("Rows done"), default=0)
    progress_total = models.PositiveIntegerField(_("Rows in all"), default=0)
    read_count = models.PositiveIntegerField(_("Read"), default=0)
    inserted_count = models.PositiveIntegerField(_("New"), default=0)
    updated_count = models.PositiveIntegerField(_("Changed records"), default=0)
    unchanged_count = models.PositiveIntegerField(_("Unchanged"), default=0)
    deleted_count = models.PositiveIntegerField(_("Deleted"), default=0)
    rejected_count = models.PositiveIntegerField(_("Rejected"), default=0)
    unresolved_count = models.PositiveIntegerField(_("Unresolved references"), default=0)
    cursor_before = models.JSONField(_("Cursor before"), default=dict, blank=True)
    cursor_after = models.JSONField(_("Cursor after"), default=dict, blank=True)
    report = models.JSONField(_("Report"), default=dict, blank=True, help_text=_("What was seen, stream by stream"))
    problem_code = models.CharField(_("Problem"), max_length=40, blank=True, default="")
    problem_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("Sync run")
        verbose_name_plural = _("Sync runs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(state=RunState.RUNNING), name="syncrun_one_running"
            )
        ]
        indexes = [models.Index(fields=["connection", "state"])]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def message(self) -> str:
        """Why it failed, in the reader's language; '' when it did not."""
        return describe_problem(self.problem_code, self.problem_params) if self.problem_code else ""

    @property
    def waits_until(self) -> datetime | None:
        """The moment before which the source does not want to be asked again; `message` says why. None: at once."""
        return self.not_before if self.state == RunState.QUEUED else None

    @property
    def percent_done(self) -> int:
        return 100 * self.progress_done // self.progress_total if self.progress_total else 0

    @property
    def state_name(self) -> str:
        """The state in the reader's language; of a comparison, that a person still has to decide something."""
        if self.kind == RunKind.COMPARE and self.state == RunState.PARTLY:
            return gettext("Compared, not all settled")
        return str(self.get_state_display())

    @property
    def is_under_way(self) -> bool:
        return self.state in (RunState.QUEUED, RunState.RUNNING)


class ListedPart(models.Model):
    """Some ids that a source listed in a comparison; they go when their stream has been compared."""

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="listed", verbose_name=_("Sync run"))
    stream = models.SlugField(_("Stream"), max_length=60)
    ids = ArrayField(models.TextField(), verbose_name=_("External ids"))

    class Meta:
        verbose_name = _("Listed ids")
        verbose_name_plural = _("Listed ids")

    def __str__(self) -> str:
        return f"{self.stream}: {len(self.ids)}"


class RejectedRecord(models.Model):
    """One row that was not imported, with the reason and the row itself."""

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="rejected", verbose_name=_("Connection"), db_index=False
    )
    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="rejected", verbose_name=_("Sync run"))
    stream = models.SlugField(_("Stream"), max_length=60)
    file_name = models.CharField(_("File name"), max_length=255)
    row = models.PositiveIntegerField(_("Row"))
    external_id = models.CharField(_("External id"), max_length=200, blank=True, default="")
    record_id = models.CharField(
        _("Record of the source"), max_length=200, blank=True, default="", help_text=_("Empty where it has no id")
    )
    is_standing = models.BooleanField(
        _("Still not imported"),
        default=True,
        help_text=_("Its record has not been stored, deleted or rejected anew since"),
    )
    problems = models.JSONField(_("Reasons"), help_text=_("Field, code and what the sentence needs"))
    raw = models.JSONField(_("As received"))

    class Meta:
        verbose_name = _("Rejected record")
        verbose_name_plural = _("Rejected records")
        ordering = ["run", "id"]
        constraints = [models.UniqueConstraint(fields=["run", "stream", "row"], name="rejectedrecord_once")]
        indexes = [
            models.Index(
                fields=["connection", "stream", "record_id"],
                condition=models.Q(is_standing=True),
                name="rejectedrecord_standing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.file_name}:{self.row}"

    @property
    def reasons(self) -> list[str]:
        """Each reason as a sentence in the reader's language."""
        return [reason_of(problem) for problem in self.problems]


def reason_of(problem: Mapping[str, Any]) -> str:
    """Why a row was refused, as it is kept with it, as a sentence in the reader's language."""
    if "template" in problem:
        return gettext(problem["template"]) % problem["params"]
    return describe_row_problem(problem["code"], problem["params"])
