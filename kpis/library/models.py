"""The consultancy's own templates, their numbered versions, and what was pushed to which company. Console schema."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Style
from kpis.library.choices import PushStatus, TemplateStatus


class Template(models.Model):
    """One template of the consultancy. `draft` is the document as it is being edited; versions are cut from it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField(_("Code"), max_length=30, unique=True)
    name = models.CharField(_("Name"), max_length=200)
    style = models.CharField(_("Sales style"), max_length=12, choices=Style.choices, blank=True)
    description = models.TextField(_("Description"), blank=True)
    status = models.CharField(_("Status"), max_length=9, choices=TemplateStatus.choices, default=TemplateStatus.DRAFT)
    draft = models.JSONField(_("Draft"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    created_at = models.DateTimeField(_("Created"))
    changed_at = models.DateTimeField(_("Changed"))

    class Meta:
        verbose_name = _("Template")
        verbose_name_plural = _("Templates")
        ordering = ["name", "code"]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """One published state of a template, never changed again."""

    template = models.ForeignKey(Template, models.CASCADE, related_name="versions", verbose_name=_("Template"))
    number = models.PositiveIntegerField(_("Version"))
    document = models.JSONField(_("Document"))
    note = models.CharField(_("What is new"), max_length=500, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    published_at = models.DateTimeField(_("Published at"))

    class Meta:
        verbose_name = _("Template version")
        verbose_name_plural = _("Template versions")
        ordering = ["template", "-number"]
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="templateversion_number")]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class TemplatePush(models.Model):
    """One version handed to one company: what came of it there. The company is named by its id, never by a key."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(TemplateVersion, models.CASCADE, related_name="pushes", verbose_name=_("Version"))
    company_id = models.UUIDField(_("company"))
    status = models.CharField(_("Status"), max_length=10, choices=PushStatus.choices, default=PushStatus.REQUESTED)
    refusal = models.TextField(_("Why it was refused"), blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    requested_at = models.DateTimeField(_("Requested at"))
    finished_at = models.DateTimeField(_("Finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("Push of a template")
        verbose_name_plural = _("Pushes of templates")
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "company_id"],
                condition=models.Q(status__in=[PushStatus.REQUESTED, PushStatus.OFFERED]),
                name="templatepush_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} → {self.company_id}"
