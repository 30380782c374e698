"""Making an empty database usable: the public schema and the console."""

from __future__ import annotations

from datetime import datetime

from tenants.models import Company
from tenants.services.companies import request_console
from tenants.services.provisioning import provision_company
from tenants.services.upgrades import upgrade_public


def prepare_installation(*, now: datetime) -> Company:
    """The console, ready, after the public schema; each brought to the version of the code where it is older."""
    upgrade_public()
    console = request_console(now=now)
    return console if console.is_ready else provision_company(company_id=console.id, now=now)
