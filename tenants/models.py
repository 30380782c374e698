"""The public schema: which companies exist, where they answer, what is due. Ids only, no business data."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from tenants.choices import CompanyStatus, CompanyType


def new_schema_name() -> str:
    """A name that nobody can guess and that never comes twice."""
    return f"t_{secrets.token_hex(12)}"


class CompanyQuerySet(models.QuerySet["Company"]):
    """Filters over companies."""

    def ready(self) -> CompanyQuerySet:
        return self.filter(status=CompanyStatus.READY)

    def clients(self) -> CompanyQuerySet:
        return self.filter(type=CompanyType.COMPANY)

    def living(self) -> CompanyQuerySet:
        return self.exclude(status=CompanyStatus.ARCHIVED)


class Company(TenantMixin):
    """One tenant: the console or a client company, each with a schema of its own."""

    auto_create_schema = False
    auto_drop_schema = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(_("slug"), max_length=40)
    schema_name = models.CharField(max_length=63, unique=True, default=new_schema_name, editable=False)
    type = models.CharField(_("type"), max_length=10, choices=CompanyType.choices, default=CompanyType.COMPANY)
    status = models.CharField(
        _("status"), max_length=12, choices=CompanyStatus.choices, default=CompanyStatus.PROVISIONING
    )
    attempts = models.PositiveSmallIntegerField(_("provisioning attempts"), default=0)
    failure = models.TextField(_("why provisioning failed"), blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)
    erased_at = models.DateTimeField(_("data erased at"), null=True, blank=True)

    objects = CompanyQuerySet.as_manager()

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        ordering = ["slug", "created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=~Q(status=CompanyStatus.ARCHIVED), name="company_living_slug_unique"
            ),
            models.UniqueConstraint(
                fields=["type"],
                condition=Q(type=CompanyType.CONSOLE) & ~Q(status=CompanyStatus.ARCHIVED),
                name="company_one_console",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def __enter__(self) -> NoReturn:
        raise TypeError("Only tenants.context.tenant_context(company) switches schema.")

    def __exit__(self, *_exc: Any) -> None:
        """Nothing to leave, since nothing can be entered."""

    def activate(self) -> NoReturn:
        raise TypeError("Only tenants.context.tenant_context(company) switches schema.")

    @property
    def is_ready(self) -> bool:
        return self.status == CompanyStatus.READY

    @property
    def is_console(self) -> bool:
        return self.type == CompanyType.CONSOLE


class Domain(DomainMixin):
    """An exact host name on which a company answers."""

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["domain"]


class ConsultantGrant(models.Model):
    """A console user's permission to enter one client company, for a time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="grants", verbose_name=_("company"))
    console_user_id = models.UUIDField(_("console user"))
    role = models.CharField(_("role"), max_length=20)
    granted_by_id = models.UUIDField(_("granted by"))
    granted_at = models.DateTimeField(_("granted at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("consultant's grant")
        verbose_name_plural = _("consultants' grants")
        ordering = ["company", "granted_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "console_user_id"],
                condition=Q(revoked_at=None),
                name="grant_one_unrevoked_per_user",
            )
        ]

    def __str__(self) -> str:
        return f"{self.console_user_id} → {self.company_id}"

    def is_live(self, now: Any) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class HandOff(models.Model):
    """One use of a grant: a ticket for entering a client within a minute, spent by its first use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    grant = models.ForeignKey(ConsultantGrant, on_delete=models.CASCADE, related_name="hand_offs")
    issued_at = models.DateTimeField(_("issued at"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("hand-off")
        verbose_name_plural = _("hand-offs")
        ordering = ["-issued_at"]

    def __str__(self) -> str:
        return str(self.id)


class DueSync(models.Model):
    """One piece of recurring work of one company and the moment it is due next."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="due_syncs")
    kind = models.CharField(_("kind"), max_length=60)
    object_id = models.CharField(_("object"), max_length=64, blank=True)
    next_run_at = models.DateTimeField(_("next run at"))
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, blank=True)

    class Meta:
        verbose_name = _("due work")
        verbose_name_plural = _("due work")
        ordering = ["next_run_at"]
        constraints = [models.UniqueConstraint(fields=["company", "kind", "object_id"], name="due_sync_once")]
        indexes = [models.Index(fields=["next_run_at"], name="due_sync_next_run_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}".strip()


class DeadLetter(models.Model):
    """Work that was given up or refused, kept for a person to look at."""

    company = models.ForeignKey(Company, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    task = models.CharField(_("task"), max_length=200)
    arguments = models.JSONField(_("arguments"), default=dict)
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.task
