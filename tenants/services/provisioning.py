"""Making a company's schema, step by step and repairable: it is served only after the last step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import transaction
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import quote_schema_name

from tenants.backend.connection import connection
from tenants.choices import CompanyStatus
from tenants.console.models import CompanyRequest
from tenants.context import bare_context, public_context, tenant_context
from tenants.locks import hold
from tenants.models import Company
from tenants.registry import ProvisionRequest, find_template, provision_steps
from tenants.services.companies import get_console


class ProvisioningInProgressError(RuntimeError):
    """Somebody else is provisioning this company right now."""


class IncompleteSchemaError(RuntimeError):
    """Tables are missing after the migrations."""


def provision_company(*, company_id: uuid.UUID | str, now: datetime) -> Company:
    """Bring a company from `provisioning` to `ready`; one that is ready already is returned as it is.

    Every step may be repeated, so this also repairs a provisioning that was killed anywhere. A failure is written on
    the company and raised. Raises ProvisioningInProgressError.
    """
    with public_context(), alone(company_id):
        company: Company = Company.objects.get(id=company_id)
        if company.status != CompanyStatus.PROVISIONING:
            return company
        company.attempts += 1
        company.save(update_fields=["attempts"])
        try:
            create_schema(company=company)
            migrate_schema(company=company)
            verify_schema(company=company)
            _seed(company, now)
        except Exception as error:
            _record_failure(company, error)
            raise
    return company


def create_schema(*, company: Company) -> None:
    with public_context(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_schema_name(company.schema_name)}")


def migrate_schema(*, company: Company) -> None:
    """Apply what is not applied yet of the migrations that belong to this type of company."""
    with bare_context(company):  # with public in sight, the migration table of public would be taken for its own
        MigrationRecorder(connection).ensure_schema()
    with tenant_context(company):
        call_command(MigrateCommand(), verbosity=0, interactive=False)


def verify_schema(*, company: Company) -> None:
    """Raises IncompleteSchemaError when a model of this type of company has no table."""
    missing = expected_tables(company_type=company.type) - existing_tables(company=company)
    if missing:
        raise IncompleteSchemaError(f"The schema of {company.slug} lacks {', '.join(sorted(missing))}.")


def expected_tables(*, company_type: str) -> set[str]:
    """The tables that the models of one type of schema need."""
    names = set(settings.TENANT_TYPES[company_type]["APPS"])
    return {MigrationRecorder.Migration._meta.db_table} | {
        model._meta.db_table
        for config in apps.get_app_configs()
        if config.name in names
        for model in config.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }


def existing_tables(*, company: Company | None) -> set[str]:
    """The tables of a company's schema, or of public for None."""
    schema = company.schema_name if company is not None else "public"
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return {name for (name,) in cursor.fetchall()}


def _seed(company: Company, now: datetime) -> None:
    """Fill the new schema and open it in one transaction."""
    with transaction.atomic():
        request = run_steps(company=company, now=now)
        with tenant_context(company):
            template = find_template(request.template)
            if template is not None and template.instantiate is not None:
                template.instantiate(request)
        company.status = CompanyStatus.READY
        company.ready_at = now
        company.failure = ""
        company.save(update_fields=["status", "ready_at", "failure"])


@transaction.atomic
def run_steps(*, company: Company, now: datetime) -> ProvisionRequest:
    """Put into the schema what every floor has there; what is there already stays. Returns what the company was asked
    to be."""
    request = _read_request(company, now)
    with tenant_context(company):
        for step in provision_steps:
            if step.company_type == company.type:
                step.run(request)
    return request


def _read_request(company: Company, now: datetime) -> ProvisionRequest:
    if company.is_console:
        return ProvisionRequest(company, company.slug, 4, 31, "JPY", None, {}, now)
    with tenant_context(get_console()):
        asked = CompanyRequest.objects.get(company_id=company.id)
    return ProvisionRequest(
        company=company,
        name=asked.name,
        fiscal_start_month=asked.fiscal_start_month,
        closing_day=asked.closing_day,
        currency=asked.currency,
        template=asked.template or None,
        template_values=asked.template_values,
        now=now,
    )


def _record_failure(company: Company, error: Exception) -> None:
    if connection.in_atomic_block and connection.needs_rollback:
        return
    Company.objects.filter(id=company.id).update(failure=f"{type(error).__name__}: {error}"[:2000])


@contextmanager
def alone(company_id: uuid.UUID | str) -> Iterator[None]:
    """Nobody else works on the schema of this company meanwhile. Raises ProvisioningInProgressError."""
    with hold(f"provision:{company_id}") as is_mine:
        if not is_mine:
            raise ProvisioningInProgressError(f"Company {company_id} is being provisioned by another process.")
        yield
