"""Triggers that note every change of a table that answers read, whoever makes it: services, bulk writes, raw SQL."""

from django.db import migrations

# The schema is the table's own, whatever the search path is when it is written to.
FUNCTION = """
    CREATE FUNCTION kpis_note_shown_change() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        EXECUTE format('INSERT INTO %I.kpis_shownchange (number) VALUES (random() * 1e15)', TG_TABLE_SCHEMA);
        RETURN NULL;
    END $body$
"""


def make_function() -> migrations.RunSQL:
    return migrations.RunSQL(FUNCTION, "DROP FUNCTION kpis_note_shown_change()")


def watch(table: str) -> migrations.RunSQL:
    """From now on every statement that writes to the table is noted; kpis.selectors.kept.WATCHED names it too."""
    return migrations.RunSQL(
        f"CREATE TRIGGER kpis_shown_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION kpis_note_shown_change()",
        f"DROP TRIGGER kpis_shown_change ON {table}",
    )
