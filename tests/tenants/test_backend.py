"""The search path: set once per switch, and never believed to be what it is not."""

import pytest
from django.db import DatabaseError, connection, transaction

from tenants.backend.base import SearchPathNotSet
from tenants.context import WrongSchemaError, assert_schema, tenant_context


def current_schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return cursor.fetchone()[0]


class TestSearchPath:
    def test_a_failed_set_raises_and_runs_nothing(self, acme, monkeypatch):
        quote = "django_tenants.postgresql_backend.base.quote_schema_name"
        with (
            pytest.raises(SearchPathNotSet),
            transaction.atomic(),
            tenant_context(acme),
            monkeypatch.context() as broken,
        ):
            broken.setattr(quote, lambda name: f'"{name}" bogus')
            current_schema()
        with tenant_context(acme):
            assert current_schema() == acme.schema_name

    def test_in_a_broken_transaction_the_statement_itself_fails(self, acme, globex):
        with pytest.raises(DatabaseError, match="aborted"), transaction.atomic(), connection.cursor() as cursor:
            with pytest.raises(DatabaseError, match="division"):
                cursor.execute("SELECT 1 / 0")
            with tenant_context(acme):
                current_schema()
        with tenant_context(globex):
            assert_schema(globex)

    def test_a_rolled_back_switch_is_forgotten(self, acme, globex):
        with tenant_context(acme):
            assert current_schema() == acme.schema_name
            with pytest.raises(ZeroDivisionError), tenant_context(globex), transaction.atomic():
                assert current_schema() == globex.schema_name
                raise ZeroDivisionError
            assert current_schema() == acme.schema_name

    def test_switching_costs_one_statement(self, acme, django_assert_num_queries):
        with tenant_context(acme), django_assert_num_queries(3):
            current_schema()
            current_schema()

    def test_a_dropped_schema_is_noticed(self, acme):
        acme.schema_name = "t_that_was_dropped"
        with tenant_context(acme), pytest.raises(WrongSchemaError):
            assert_schema(acme)


class TestCommitOfABrokenTransaction:
    def test_leaves_no_wrong_search_path(self, committed_db, acme, globex):
        """PostgreSQL turns COMMIT of a broken transaction into ROLLBACK, which undoes the SET in it too."""
        with tenant_context(acme):
            assert current_schema() == acme.schema_name
        with tenant_context(globex):
            with transaction.atomic():
                assert current_schema() == globex.schema_name
                with pytest.raises(DatabaseError), connection.cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
            assert current_schema() == globex.schema_name
