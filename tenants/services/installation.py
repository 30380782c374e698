"""Making an empty database usable: the public schema and the console."""

from __future__ import annotations

from datetime import datetime

from django.core.management import call_command

from tenants.models import Company
from tenants.services.companies import request_console
from tenants.services.provisioning import existing_tables, provision_company


def prepare_installation(*, now: datetime) -> Company:
    """The console, ready; an empty database gets its public schema first. Does nothing where both are there."""
    if Company._meta.db_table not in existing_tables(company=None):
        call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    console = request_console(now=now)
    return console if console.is_ready else provision_company(company_id=console.id, now=now)
