"""django-tenants' PostgreSQL backend, except that a search path which could not be set is an error.

The library sets `search_path` once per switch (TENANT_LIMIT_SET_CALLS) and remembers that it did. Two things could
make that memory wrong, and a query would then run in another company's schema:

* the SET failed. The library ignores that; here it raises, unless the transaction was broken before: then the next
  statement fails anyhow, and what may legitimately follow is the rollback.
* the transaction that carried the SET was undone. The library forgets at rollbacks; PostgreSQL also turns the COMMIT
  of a broken transaction into a rollback without saying so, hence `commit` here.
"""

from __future__ import annotations

from typing import Any

from django.db.utils import DatabaseError
from django_tenants.postgresql_backend import base
from psycopg.pq import TransactionStatus


class SearchPathNotSet(DatabaseError):
    """The company's schema could not be selected, so nothing may be read or written."""


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection that is always in exactly one company's schema."""

    def commit(self) -> None:
        was_broken = self._is_in_broken_transaction()
        super().commit()
        if was_broken:
            self.search_path_set_schemas = None

    def _handle_search_path(self, cursor: Any = None) -> None:
        if self._setting_search_path:
            return
        was_broken = self._is_in_broken_transaction()
        super()._handle_search_path(cursor)
        if self.search_path_set_schemas is None and not was_broken:
            raise SearchPathNotSet(
                f"The schema {self.schema_name} could not be selected, so the statement was not run."
            )

    def _is_in_broken_transaction(self) -> bool:
        return self.connection is not None and self.connection.info.transaction_status == TransactionStatus.INERROR
