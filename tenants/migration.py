"""Which schemas `migrate_schemas` visits: those that exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django_tenants.migration_executors import get_executor
from django_tenants.utils import schema_exists


def existing_schemas_executor(codename: str | None = None) -> type:
    """As the library's choice, leaving out companies whose schema is not made yet or was erased."""

    class ExistingSchemas(get_executor(codename=codename)):  # type: ignore[misc]
        def run_multi_type_migrations(self, tenants: Iterable[tuple[str, str]]) -> Any:
            return super().run_multi_type_migrations([each for each in tenants if schema_exists(each[0])])

    return ExistingSchemas
