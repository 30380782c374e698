"""From a request to a company that answers, and everything that may go wrong in between."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from tenants.accounts.choices import COMPANY_ROLES
from tenants.accounts.models import User
from tenants.accounts.services import create_user
from tenants.choices import CompanyStatus, CompanyType
from tenants.context import tenant_context
from tenants.models import Company, DeadLetter
from tenants.outbox.services import drain
from tenants.registry import CompanyTemplate, ProvisionStep, Registry, provision_steps, templates
from tenants.services.companies import (
    CompanyRequestError,
    NotArchivedError,
    archive_company,
    erase_company,
    request_company,
)
from tenants.services.provisioning import (
    IncompleteSchemaError,
    ProvisioningInProgressError,
    existing_tables,
    expected_tables,
    provision_company,
    verify_schema,
)
from tenants.settings.selectors import company_settings
from tests import database

NOW = timezone.now()


@pytest.fixture
def copied_schema(monkeypatch):
    """Migrating takes seconds, so the new company's tables are made as bare copies of acme's where that is enough."""

    def copy(*, company: Company) -> None:
        acme = Company.objects.get(slug="acme")
        with connection.cursor() as cursor:
            for table in sorted(existing_tables(company=acme)):
                cursor.execute(
                    f'CREATE TABLE IF NOT EXISTS "{company.schema_name}"."{table}" '
                    f'(LIKE "{acme.schema_name}"."{table}" INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING IDENTITY)'
                )

    monkeypatch.setattr("tenants.services.provisioning.migrate_schema", copy)


@pytest.fixture
def bare_steps(monkeypatch):
    """The steps of this floor only, in a registry that the test may add to."""
    kept = Registry(name=lambda step: (step.company_type, step.code), sort=lambda step: step.position)
    for step in provision_steps:
        if step.code in {"roles", "settings"}:
            kept.register(step)
    monkeypatch.setattr("tenants.services.provisioning.provision_steps", kept)
    return kept


class TestRequestCompany:
    @pytest.mark.parametrize(
        ("slug", "word"),
        [
            ("Umbrella", "Umbrella"),
            ("-x", "-x"),
            ("x-", "x-"),
            ("1st", "1st"),
            ("a b", "a b"),
            ("日本", "日本"),
            ("x" * 41, "xxx"),
            ("console", "console"),
            ("www", "www"),
            ("acme", "acme"),
        ],
    )
    def test_refuses_a_slug_that_cannot_be_an_address(self, acme, slug, word):
        with pytest.raises(CompanyRequestError, match=word) as caught:
            request_company(slug=slug, name="Umbrella", now=NOW)
        assert caught.value.field == "slug"
        assert Company.objects.count() == 3

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("name", {"name": "  "}),
            ("fiscal_start", {"fiscal_start_month": 13}),
            ("closing_day", {"closing_day": 0}),
            ("currency", {"currency": "yen"}),
            ("template", {"template": "no_such_style"}),
        ],
    )
    def test_refuses_values_that_make_no_company(self, console, field, values):
        with pytest.raises(CompanyRequestError) as caught:
            request_company(**{"slug": "umbrella", "name": "Umbrella", "now": NOW} | values)
        assert caught.value.field == field
        assert not Company.objects.filter(slug="umbrella").exists()

    def test_refuses_a_template_that_is_not_offered_yet_with_a_sentence(self, console, monkeypatch):
        monkeypatch.setitem(templates._entries, "later", CompanyTemplate("later", "Later", 99))
        with pytest.raises(CompanyRequestError, match="later"):
            request_company(slug="umbrella", name="Umbrella", template="later", now=NOW)

    def test_gets_a_schema_name_that_nobody_can_guess(self, console):
        first = request_company(slug="umbrella", name="Umbrella", now=NOW)
        second = request_company(slug="initech", name="Initech", now=NOW)
        assert first.schema_name.startswith("t_")
        assert len({first.schema_name, second.schema_name}) == 2
        assert "umbrella" not in first.schema_name

    def test_public_keeps_no_name(self, console):
        request_company(slug="umbrella", name="Umbrella Holdings", now=NOW)
        with connection.cursor() as cursor:
            cursor.execute("SELECT tenants_company::text FROM tenants_company")
            assert "Holdings" not in str(cursor.fetchall())


class TestProvisioning:
    def test_the_shared_companies_were_made_by_it(self, acme, console):
        for company in (acme, console):
            assert expected_tables(company_type=company.type) == existing_tables(company=company)
        with tenant_context(acme):
            assert company_settings().name == "株式会社アクメ"
            assert {group.name for group in _groups()} == set(COMPANY_ROLES)

    def test_the_outbox_provisions_what_was_requested(self, console, copied_schema, bare_steps, drain_outbox):
        company = request_company(slug="umbrella", name="Umbrella", closing_day=20, currency="USD", now=NOW)
        assert Client(headers={"host": "umbrella.localhost"}).get("/login/").status_code == 503
        drain_outbox()
        company.refresh_from_db()
        assert company.status == CompanyStatus.READY
        assert company.attempts == 1
        assert Client(headers={"host": "umbrella.localhost"}).get("/login/").status_code == 200
        with tenant_context(company):
            assert (company_settings().closing_day, company_settings().currency) == (20, "USD")
            assert User.objects.count() == 0

    def test_a_failure_is_written_down_never_served_and_repaired(self, console, copied_schema, bare_steps):
        def break_down(_request):
            raise RuntimeError("the power went out")

        company = request_company(slug="umbrella", name="Umbrella", now=NOW)
        bare_steps.register(ProvisionStep("broken", CompanyType.COMPANY, break_down, 99))
        drain(company_id=company.id)
        company.refresh_from_db()
        assert company.status == CompanyStatus.PROVISIONING
        assert "the power went out" in company.failure
        assert Client(headers={"host": "umbrella.localhost"}).get("/login/").status_code == 503

        del bare_steps._entries[(CompanyType.COMPANY, "broken")]
        call_command("repair_companies", stdout=StringIO())
        company.refresh_from_db()
        assert (company.status, company.failure, company.attempts) == (CompanyStatus.READY, "", 2)

    def test_ends_as_a_dead_letter_when_it_keeps_failing(self, console, monkeypatch):
        monkeypatch.setattr("tenants.services.provisioning.migrate_schema", _fail)
        company = request_company(slug="umbrella", name="Umbrella", now=NOW)
        for hour in range(6):
            with_clock = timezone.now() + timezone.timedelta(hours=hour)
            monkeypatch.setattr("tenants.outbox.services.timezone.now", lambda moment=with_clock: moment)
            drain(company_id=company.id)
        assert DeadLetter.objects.get().company == company
        with pytest.raises(CommandError, match="umbrella"):
            call_command("repair_companies", stdout=StringIO(), stderr=StringIO())

    def test_a_missing_table_is_noticed(self, acme):
        with connection.cursor() as cursor:
            cursor.execute(f'DROP TABLE "{acme.schema_name}".axes_accesslog CASCADE')
        with pytest.raises(IncompleteSchemaError, match="axes_accesslog"):
            verify_schema(company=acme)

    def test_a_ready_company_is_left_alone(self, acme):
        assert provision_company(company_id=acme.id, now=NOW).attempts == acme.attempts

    def test_runs_once_at_a_time(self, committed_db, console):
        company = request_company(slug="umbrella", name="Umbrella", now=NOW)
        with database.held_elsewhere(f"provision:{company.id}"), pytest.raises(ProvisioningInProgressError):
            provision_company(company_id=company.id, now=NOW)


@pytest.mark.gate
class TestKilledProvisioning:
    @pytest.mark.parametrize("moment", ["apply_migration", "record_migration"])
    def test_is_never_served_and_repair_heals_it(self, committed_db, console, moment):
        """A process that is killed in the middle of the migrations leaves a schema with half of its tables.

        Also where it has just made tables and was about to note so.
        """
        company = request_company(slug="umbrella", name="Umbrella", now=NOW)
        killed = subprocess.run(
            [sys.executable, "-c", _KILLED_WHILE_MIGRATING, str(company.id), moment],
            env=os.environ | {"DATABASE_URL": database.url(), "MAWARU_TESTING": "1"},
            capture_output=True,
            text=True,
        )
        assert killed.returncode == -9, killed.stderr
        half = existing_tables(company=company)
        assert 0 < len(half) < len(expected_tables(company_type=company.type))
        company.refresh_from_db()
        assert company.status == CompanyStatus.PROVISIONING
        assert Client(headers={"host": "umbrella.localhost"}).get("/").status_code == 503

        call_command("repair_companies", stdout=StringIO())
        company.refresh_from_db()
        assert company.status == CompanyStatus.READY
        assert expected_tables(company_type=company.type) == existing_tables(company=company)
        assert Client(headers={"host": "umbrella.localhost"}).get("/login/").status_code == 200


class TestDeleteAndCreateAgain:
    def test_no_old_row_is_visible(self, console, copied_schema, bare_steps, drain_outbox):
        old = request_company(slug="umbrella", name="Old", now=NOW)
        drain_outbox()
        with tenant_context(old):
            create_user(username="ghost", name="Ghost", role="owner")
        with pytest.raises(NotArchivedError):
            erase_company(company=old, now=NOW)
        archive_company(company=old, now=NOW)
        erase_company(company=old, now=NOW)

        new = request_company(slug="umbrella", name="New", now=NOW)
        drain_outbox()
        assert new.schema_name != old.schema_name
        with tenant_context(new):
            assert company_settings().name == "New"
            assert not User.objects.exists()
        assert existing_tables(company=old) == set()
        assert Company.objects.filter(slug="umbrella").count() == 2


class TestCreateCompany:
    def test_provisions_and_says_where(self, console, copied_schema, bare_steps):
        out = StringIO()
        call_command(
            "create_company", "umbrella", "--name", "Umbrella", "--fiscal-start", "1", "--currency", "USD", stdout=out
        )
        assert "http://umbrella.localhost:8000" in out.getvalue()
        company = Company.objects.get(slug="umbrella")
        assert company.is_ready
        with tenant_context(company):
            assert company_settings().fiscal_start_month == 1

    def test_says_what_is_wrong_with_a_slug(self, console):
        with pytest.raises(CommandError, match="Umbrella Corp"):
            call_command("create_company", "Umbrella Corp", "--name", "Umbrella")

    def test_says_why_it_is_not_ready(self, console, monkeypatch):
        monkeypatch.setattr("tenants.services.provisioning.migrate_schema", _fail)
        with pytest.raises(CommandError, match="out of disk"):
            call_command("create_company", "umbrella", "--name", "Umbrella")


def _fail(*, company: Company) -> None:
    raise OSError("out of disk")


def _groups():
    from django.contrib.auth.models import Group

    return Group.objects.all()


_KILLED_WHILE_MIGRATING = """
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from tenants.services.provisioning import provision_company
step, seen = getattr(MigrationExecutor, sys.argv[2]), []
def some_steps(self, *args, **kwargs):
    seen.append(args)
    # of its first migration kpis makes keys last, which Django notes apart
    if len(seen) > 12 and (sys.argv[2] == "apply_migration" or args[0].app_label == "kpis"):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *args, **kwargs)
setattr(MigrationExecutor, sys.argv[2], some_steps)
provision_company(company_id=sys.argv[1], now=timezone.now())
"""
