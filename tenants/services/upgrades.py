"""Bringing what stands already to the version of the code: public, then one company after another."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tenants.backend.connection import connection
from tenants.choices import CompanyStatus
from tenants.context import bare_context, public_context
from tenants.models import Company
from tenants.services.provisioning import alone, existing_tables, migrate_schema, run_steps, verify_schema


def upgrade_public() -> None:
    """Apply what is not applied yet in public; an empty database gets all of it."""
    with public_context():
        if Company._meta.db_table not in existing_tables(company=None) or _lacks(_newest()):
            call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)


def outdated_companies() -> list[Company]:
    """Ready companies whose schema lacks a migration of the code, the oldest first."""
    newest = _newest()
    with public_context():
        ready = list(Company.objects.filter(status=CompanyStatus.READY).order_by("created_at"))
    found = []
    for company in ready:
        with bare_context(company):
            if _lacks(newest):
                found.append(company)
    return found


def upgrade_company(*, company_id: uuid.UUID | str, now: datetime) -> Company:
    """Migrate a ready company, and give it the recurring work that came with the new version.

    Every step may be repeated. Raises ProvisioningInProgressError, IncompleteSchemaError.
    """
    with public_context(), alone(company_id):
        company: Company = Company.objects.get(id=company_id)
        migrate_schema(company=company)
        verify_schema(company=company)
        run_steps(company=company, now=now)
    return company


def _newest() -> frozenset[tuple[str, str]]:
    """The last migration of every app."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _lacks(newest: frozenset[tuple[str, str]]) -> bool:
    return not newest <= MigrationRecorder(connection).applied_migrations().keys()
