"""A company that was made by an earlier version gets the tables and the recurring work of this one."""

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connection

from kpis.models import Dimension, DimensionMember, MeasureBlock
from tenants.context import tenant_context
from tenants.models import DueSync
from tenants.services.provisioning import existing_tables, expected_tables
from tenants.services.upgrades import outdated_companies
from tenants.settings.models import CompanySettings

pytestmark = [pytest.mark.django_db, pytest.mark.gate]
LATER = "kpis_leadlink"


@pytest.fixture
def old_acme(acme):
    """Acme as a version without joined leads, reminders and retention had left it."""
    with tenant_context(acme):
        call_command(MigrateCommand(), "kpis", "0012", verbosity=0, interactive=False)
    DueSync.objects.filter(company_id=acme.pk).delete()
    assert LATER not in existing_tables(company=acme)
    return acme


def test_only_what_is_older_is_found(old_acme, globex):
    assert outdated_companies() == [old_acme]


def test_the_command_brings_it_to_this_version(old_acme):
    told = StringIO()
    call_command("upgrade_companies", stdout=told)
    assert "acme is up to date" in told.getvalue()
    assert existing_tables(company=old_acme) == expected_tables(company_type=old_acme.type)
    kinds = set(DueSync.objects.filter(company_id=old_acme.pk).values_list("kind", flat=True))
    assert {"integrations.retention", "inputs"} <= kinds
    assert outdated_companies() == []


def test_what_was_computed_stays(old_acme):
    """Blocks had a row for each member once."""
    with tenant_context(old_acme):
        team = Dimension.objects.get(code="team")
        first, second = (DimensionMember.objects.create(dimension=team, code=code, name=code).pk for code in "ab")
        person = DimensionMember.objects.create(dimension=Dimension.objects.get(code="person"), code="p", name="p").pk
        company = [("company", None, {"won": 3, "amount": 1234567890.125})]
        rows = [*company, ("team", first, {"won": 1, "amount": 0.5}), ("team", second, {"won": 2})]
        rows += [("person", person, {"won": 3})]
        with connection.cursor() as cursor:
            cursor.executemany(
                'INSERT INTO kpis_measureblock ("group", grain, period_start, dimension, member_id, measures)'
                " VALUES ('deals.closed_on:revenue', 'month', '2026-10-01', %s, %s, %s)",
                [(dimension, member, json.dumps(measures)) for dimension, member, measures in rows],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as if they had been there before this transaction
    call_command("upgrade_companies", stdout=StringIO())
    with tenant_context(old_acme):
        found = {(block.is_of_people, *cell) for block in MeasureBlock.objects.all() for cell in block.cells()}
        expected = {
            (dimension == "person", member, key, Decimal(str(n)))
            for dimension, member, of in rows
            for key, n in of.items()
        }
        assert found == expected
        assert MeasureBlock.objects.count() == 2


def test_what_was_set_stays(old_acme):
    with tenant_context(old_acme):
        CompanySettings.objects.update(closing_day=20)
    call_command("upgrade_companies", stdout=StringIO())
    with tenant_context(old_acme):
        assert CompanySettings.objects.get().closing_day == 20
