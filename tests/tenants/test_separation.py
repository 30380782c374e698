"""What two companies must never share: cache, content types, names of tables, capabilities."""

import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import connection

from tenants.accounts.models import User
from tenants.accounts.services import UnknownRoleError, assign_roles, create_user
from tenants.capabilities import (
    COMPANY_TABLE,
    CONSOLE_TABLE,
    Capability,
    Scope,
    require,
    scope_of,
)
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.services.provisioning import existing_tables, expected_tables


class TestCache:
    def test_two_companies_never_share_a_key(self, acme, globex):
        with tenant_context(acme):
            cache.set("rate", 1)
        with tenant_context(globex):
            assert cache.get("rate") is None
            cache.set("rate", 2)
        with tenant_context(acme):
            assert cache.get("rate") == 1
        with public_context():
            assert cache.get("rate") is None


class TestContentTypes:
    def test_a_thread_remembers_its_own(self, acme):
        with tenant_context(acme):
            ours = ContentType.objects.get_for_model(User)
        ContentType.objects._add_to_cache("default", ours)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(ContentType.objects._cache._found))
        thread.start()
        thread.join()
        assert seen == [{}]

    def test_a_switch_forgets_them(self, acme, globex):
        with tenant_context(acme):
            ContentType.objects.get_for_model(User)
        with tenant_context(globex):
            assert ContentType.objects._cache._found == {}


class TestTables:
    @pytest.mark.parametrize("slug", ["console", "acme"])
    def test_console_and_companies_hold_exactly_what_is_listed(self, db, slug):
        """The lists are beside this file; a table that comes or goes is a decision about where its rows may live."""
        company = Company.objects.get(slug=slug)
        listed = (Path(__file__).parent / f"tables_{company.type}.txt").read_text().split()
        assert sorted(existing_tables(company=company)) == listed

    def test_no_table_of_a_company_has_a_namesake_in_public(self, db):
        """A table that is missing in a company must not be found in public instead."""
        shared = expected_tables(company_type="company") & existing_tables(company=None)
        assert shared == {"django_migrations"}

    def test_no_foreign_key_crosses_schemas(self, db):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT conname FROM pg_constraint
                JOIN pg_class AS own ON own.oid = conrelid JOIN pg_class AS other ON other.oid = confrelid
                WHERE contype = 'f' AND own.relnamespace <> other.relnamespace
                """
            )
            assert cursor.fetchall() == []


class TestCapabilities:
    @pytest.mark.parametrize(
        ("username", "capability", "scope"),
        [
            ("dave", Capability.CLOSE_PERIODS, Scope.ALL),
            ("dave", Capability.READ_EVALUATIONS, Scope.OWN),
            ("alice", Capability.READ_RESULTS, Scope.TEAM),
            ("alice", Capability.CLOSE_PERIODS, Scope.NONE),
            ("bob", Capability.READ_RESULTS, Scope.OWN),
            ("bob", Capability.SET_TARGETS, Scope.NONE),
            ("vera", Capability.LOG_ACTIONS, Scope.NONE),
            ("hana", Capability.READ_EVALUATIONS, Scope.ALL),
            ("hana", Capability.MANAGE_CONNECTIONS, Scope.NONE),
        ],
    )
    def test_follow_from_the_role(self, in_acme, username, capability, scope):
        user = User.objects.get(username=username)
        assert scope_of(user, capability) == scope

    def test_the_widest_of_several_roles_counts(self, in_acme, bob):
        assign_roles(user=bob, roles=["member", "manager"])
        assert scope_of(bob, Capability.READ_RESULTS) == Scope.TEAM

    def test_nobody_has_any(self, in_acme, bob):
        from django.contrib.auth.models import AnonymousUser

        bob.is_active = False
        assert scope_of(bob, Capability.READ_RESULTS) == Scope.NONE
        assert scope_of(AnonymousUser(), Capability.READ_RESULTS) == Scope.NONE

    def test_a_consultant_sees_no_evaluation(self, in_acme, carol):
        mirrored = User.objects.get(mirrored_from=carol.public_id)
        assert scope_of(mirrored, Capability.READ_EVALUATIONS) == Scope.NONE
        assert scope_of(mirrored, Capability.MANAGE_DEFINITIONS) == Scope.ALL

    def test_requiring_one_that_is_missing_is_refused(self, in_acme, bob):
        assert require(bob, Capability.LOG_ACTIONS) == Scope.OWN
        with pytest.raises(PermissionDenied):
            require(bob, Capability.MANAGE_KEYS)

    def test_an_unknown_capability_is_an_error(self, in_acme, bob):
        with pytest.raises(ValueError, match="fly"):
            scope_of(bob, "fly")

    def test_the_tables_name_only_what_exists(self):
        for table in (COMPANY_TABLE, CONSOLE_TABLE):
            for scopes in table.values():
                assert {Capability(name) for name in scopes} and {Scope(scope) for scope in scopes.values()}

    def test_the_console_has_a_table_of_its_own(self, console, carol, olivia):
        with tenant_context(console):
            assert scope_of(olivia, Capability.OPEN_CLIENTS) == Scope.ALL
            assert scope_of(carol, Capability.OPEN_CLIENTS) == Scope.OWN
            assert scope_of(carol, Capability.CLOSE_PERIODS) == Scope.NONE

    def test_a_role_of_the_console_alone_is_refused_elsewhere(self, console):
        with tenant_context(console), pytest.raises(UnknownRoleError, match="hr"):
            create_user(username="x", name="X", role="hr")


class TestSettings:
    def test_every_app_belongs_to_a_kind_of_schema_or_has_no_tables(self):
        from django.apps import apps

        placed = {name for kind in settings.TENANT_TYPES.values() for name in kind["APPS"]}
        homeless = [config for config in apps.get_app_configs() if config.name not in placed]
        assert [config.name for config in homeless if list(config.get_models())] == []
