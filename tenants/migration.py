"""How schemas are migrated: those that exist, and each migration with its record or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from django.core.management.commands import migrate
from django.db import transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django_tenants.migration_executors import get_executor
from django_tenants.utils import schema_exists


def existing_schemas_executor(codename: str | None = None) -> type:
    """As the library's choice, leaving out companies whose schema is not made yet or was erased."""

    class ExistingSchemas(get_executor(codename=codename)):  # type: ignore[misc]
        def run_multi_type_migrations(self, tenants: Iterable[tuple[str, str]]) -> Any:
            return super().run_multi_type_migrations([each for each in tenants if schema_exists(each[0])])

    return ExistingSchemas


class WholeMigrations(MigrationExecutor):
    """Applies a migration and notes that it did in one transaction.

    Django notes one that makes keys or indexes a moment later: who is killed in that moment finds tables that nobody
    made, and can never go on.
    """

    def apply_migration(
        self, state: ProjectState, migration: Migration, fake: bool = False, fake_initial: bool = False
    ) -> ProjectState:
        with transaction.atomic(using=self.connection.alias) if migration.atomic else nullcontext():
            return super().apply_migration(state, migration, fake=fake, fake_initial=fake_initial)


def note_migrations_with_their_work() -> None:
    """Let every `migrate` of this process work so."""
    migrate.MigrationExecutor = WholeMigrations
