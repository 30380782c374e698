"""The life of a company: requested, provisioned, suspended, archived, erased."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from django_tenants.utils import quote_schema_name

from tenants.choices import CompanyStatus, CompanyType
from tenants.console.models import CompanyHealth, CompanyRequest
from tenants.context import public_context, tenant_context
from tenants.models import Company, Domain
from tenants.outbox.models import OPEN_STATES
from tenants.outbox.services import emit
from tenants.registry import offered_templates, templates

CONSOLE_SLUG: Final = "console"
RESERVED_SLUGS: Final = frozenset(
    {CONSOLE_SLUG, "admin", "api", "app", "auth", "docs", "help", "mail", "public", "static", "status", "www"}
)
SLUG: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
COMPANY_REQUESTED: Final = "company.requested"


class CompanyRequestError(ValueError):
    """The company cannot be made as asked; `field` names what to change and the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotArchivedError(RuntimeError):
    """Only an archived company's data may be erased."""


def request_company(
    *,
    slug: str,
    name: str,
    fiscal_start_month: int = 4,
    closing_day: int = 31,
    currency: str = "JPY",
    template: str | None = None,
    template_values: dict[str, Any] | None = None,
    now: datetime,
) -> Company:
    """Record a client company and ask for its provisioning; it answers when it is ready.

    Raises CompanyRequestError for a slug that is malformed, reserved or taken, an unknown template, or numbers outside
    the calendar.
    """
    _check_slug(slug)
    _check_values(name, fiscal_start_month, closing_day, currency)
    _check_template(template)
    with public_context(), transaction.atomic():
        company = _insert(slug=slug, type=CompanyType.COMPANY)
        with tenant_context(get_console()):
            CompanyRequest.objects.create(
                company_id=company.id,
                name=name.strip(),
                fiscal_start_month=fiscal_start_month,
                closing_day=closing_day,
                currency=currency,
                template=template or "",
                template_values=template_values or {},
                requested_at=now,
            )
        emit(topic=COMPANY_REQUESTED, company_id=company.id)
    return company


def request_console(*, now: datetime) -> Company:
    """The console's company row, made when absent; provisioning is asked for with it."""
    with public_context(), transaction.atomic():
        found = Company.objects.living().filter(type=CompanyType.CONSOLE).first()
        if found is not None:
            return found
        console = _insert(slug=CONSOLE_SLUG, type=CompanyType.CONSOLE)
        emit(topic=COMPANY_REQUESTED, company_id=console.id)
    return console


def get_console() -> Company:
    """The console. Raises Company.DoesNotExist before it was made."""
    return Company.objects.living().get(type=CompanyType.CONSOLE)


def suspend_company(*, company: Company) -> None:
    """Stop answering for a company; its data stays."""
    with public_context():
        Company.objects.filter(id=company.id, status=CompanyStatus.READY).update(status=CompanyStatus.SUSPENDED)


def resume_company(*, company: Company) -> None:
    """Answer again for a suspended company."""
    with public_context():
        Company.objects.filter(id=company.id, status=CompanyStatus.SUSPENDED).update(status=CompanyStatus.READY)


def archive_company(*, company: Company, now: datetime) -> None:
    """Take a company off for good: its address and slug become free, its schema is never served again."""
    with public_context(), transaction.atomic():
        Company.objects.filter(id=company.id).update(status=CompanyStatus.ARCHIVED, archived_at=now)
        Domain.objects.filter(tenant=company).delete()
        company.due_syncs.all().delete()
        company.events.filter(state__in=OPEN_STATES).delete()
        if not company.is_console:
            with tenant_context(get_console()):
                CompanyHealth.objects.filter(company_id=company.id).delete()


def erase_company(*, company: Company, now: datetime) -> None:
    """Drop the schema of an archived company; the row stays, so that its schema name is never given again."""
    with public_context(), transaction.atomic():
        archived = Company.objects.filter(id=company.id, status=CompanyStatus.ARCHIVED, erased_at=None)
        if not archived.update(erased_at=now):
            raise NotArchivedError(f"{company.slug} is not archived, so its data was left alone. Archive it first.")
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {quote_schema_name(company.schema_name)} CASCADE")
        with tenant_context(get_console()):
            CompanyRequest.objects.filter(company_id=company.id).delete()


def _insert(*, slug: str, type: str) -> Company:
    try:
        with transaction.atomic():
            company: Company = Company.objects.create(slug=slug, type=type)
            Domain.objects.create(tenant=company, domain=f"{slug}.{settings.BASE_DOMAIN}", is_primary=True)
    except IntegrityError as error:
        raise CompanyRequestError(
            "slug", _("The address name “%(slug)s” is taken. Choose another one.") % {"slug": slug}
        ) from error
    return company


def _check_slug(slug: str) -> None:
    if not SLUG.fullmatch(slug):
        raise CompanyRequestError(
            "slug",
            _(
                "“%(slug)s” cannot be part of an address. Use 1 to 40 lower-case letters, digits and hyphens, "
                "beginning with a letter and not ending with a hyphen."
            )
            % {"slug": slug},
        )
    if slug in RESERVED_SLUGS:
        raise CompanyRequestError(
            "slug", _("The address name “%(slug)s” is reserved. Choose another one.") % {"slug": slug}
        )


def _check_values(name: str, fiscal_start_month: int, closing_day: int, currency: str) -> None:
    if not name.strip():
        raise CompanyRequestError("name", _("The company has no name. Type the name to show."))
    if not 1 <= fiscal_start_month <= 12:
        raise CompanyRequestError(
            "fiscal_start",
            _("The fiscal year cannot start in month %(month)s. Use 1 to 12.") % {"month": fiscal_start_month},
        )
    if not 1 <= closing_day <= 31:
        raise CompanyRequestError(
            "closing_day",
            _("The closing day cannot be %(day)s. Use 1 to 31, where 31 is the end of the month.")
            % {"day": closing_day},
        )
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise CompanyRequestError(
            "currency",
            _("“%(currency)s” is not a currency code. Use three capital letters such as JPY.") % {"currency": currency},
        )


def _check_template(template: str | None) -> None:
    if template is None:
        return
    codes = [each.code for each in offered_templates()]
    offered = ", ".join(codes)
    if template in codes:
        return
    if templates.get(template) is None:
        raise CompanyRequestError(
            "template",
            _("There is no template “%(template)s”. Use one of: %(offered)s.")
            % {"template": template, "offered": offered},
        )
    raise CompanyRequestError(
        "template",
        _(
            "The template “%(template)s” cannot be used for a new company yet. "
            "Create the company without a template, or use one of: %(offered)s."
        )
        % {"template": template, "offered": offered},
    )
