"""The one way to work inside a company's schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tenants.backend.connection import connection
from tenants.models import Company


class NoCompanyError(RuntimeError):
    """The work needs a company's schema, and none is selected."""


class WrongSchemaError(RuntimeError):
    """The database answers from another schema than the one that was asked for."""


@contextmanager
def tenant_context(company: Company) -> Iterator[Company]:
    """Run the block in the schema of `company` and return to the schema before it."""
    previous = connection.tenant
    connection.set_tenant(company)
    try:
        yield company
    finally:
        connection.set_tenant(previous)


@contextmanager
def bare_context(company: Company) -> Iterator[Company]:
    """As `tenant_context` with public out of sight, for looking at what the schema itself holds."""
    previous = connection.tenant
    connection.set_tenant(company, include_public=False)
    try:
        yield company
    finally:
        connection.set_tenant(previous)


@contextmanager
def public_context() -> Iterator[None]:
    """Run the block in the public schema, where companies are created and work is handed out."""
    previous = connection.tenant
    connection.set_schema_to_public()
    try:
        yield
    finally:
        connection.set_tenant(previous)


def find_current_company() -> Company | None:
    """The company whose schema is selected, None in public."""
    tenant = connection.tenant
    return tenant if isinstance(tenant, Company) else None


def current_company() -> Company:
    """The company whose schema is selected. Raises NoCompanyError in public."""
    company = find_current_company()
    if company is None:
        raise NoCompanyError(
            f"No company is selected (the schema is {connection.schema_name}). Use tenants.context.tenant_context."
        )
    return company


def assert_schema(company: Company) -> None:
    """Ask the database itself where it stands. Raises WrongSchemaError unless it is in the schema of `company`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (found,) = cursor.fetchone()
    if found != company.schema_name:
        raise WrongSchemaError(f"The database stands in {found}, not in the schema of {company.slug}.")
