"""The ids that a source lists in a comparison: kept part by part, and compared with what is here when all are there."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from integrations.connectors.comparison import Comparison
from integrations.models import ListedPart, SyncRun
from kpis.models.resources import MODELS, gone_column


def keep_listed(*, run: SyncRun, stream: str, ids: Sequence[str]) -> None:
    """Keep some ids of a stream; parts of earlier comparisons that never came to their end go."""
    ListedPart.objects.filter(run__connection=run.connection_id).exclude(run=run).delete()
    ListedPart.objects.create(run=run, stream=stream, ids=list(ids))


def forget_listed(*, run: SyncRun, stream: str) -> None:
    ListedPart.objects.filter(run=run, stream=stream).delete()


def compare_listed(*, run: SyncRun, stream: str, resources: Sequence[str]) -> Comparison:
    """What was listed against the records of the connection that are known.

    `resources`: of the rows that are called as the record they come from. One that was withdrawn there although the
    source has it is missing; one that was refused is known, and no fact was ever made of it: as long as the source has
    it nothing is missing, and when it is gone there nothing is left to be mended.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH listed AS MATERIALIZED (
                SELECT DISTINCT unnest(ids) AS id FROM integrations_listedpart
                WHERE run_id = %(run)s AND stream = %(stream)s
            ), kept AS MATERIALIZED (
                SELECT external_id AS id FROM integrations_rawrecord
                WHERE connection_id = %(connection)s AND stream = %(stream)s AND NOT is_gone
            ), refused AS MATERIALIZED (
                SELECT record_id AS id FROM integrations_rejectedrecord JOIN integrations_fieldmapping m
                USING (connection_id, stream)
                WHERE connection_id = %(connection)s AND is_standing AND m.is_current AND m.reads = %(stream)s
            ), living AS MATERIALIZED ({_fact_ids(resources, "IS NULL")}),
            dead AS MATERIALIZED ({_fact_ids(resources, "IS NOT NULL")} EXCEPT TABLE living),
            known AS MATERIALIZED ({_KNOWN if resources else "TABLE kept"}),
            lost AS MATERIALIZED (TABLE dead INTERSECT TABLE known INTERSECT TABLE listed),
            here AS MATERIALIZED (TABLE known EXCEPT TABLE lost)
            SELECT (SELECT count(*) FROM listed), (SELECT count(*) FROM here),
                   array((TABLE listed EXCEPT TABLE known) UNION TABLE lost), array(TABLE here EXCEPT TABLE listed)
            """,
            {"run": run.pk, "connection": run.connection_id, "stream": stream, "source": run.connection.source},
        )
        listed, here, missing, surplus = cursor.fetchone()
    return Comparison(listed, here, frozenset(missing), frozenset(surplus))


_KNOWN = "TABLE kept INTERSECT (TABLE living UNION TABLE listed UNION TABLE refused)"


def _fact_ids(resources: Sequence[str], is_gone: str) -> str:
    """SQL of the external ids that the source's rows of these resources have."""
    of_each = (
        f"SELECT external_id AS id FROM {MODELS[each]._meta.db_table}"
        f" WHERE source = %(source)s AND {gone_column(each)} {is_gone}"
        for each in resources
    )
    return " UNION ".join(dict.fromkeys(of_each)) or "SELECT NULL::text WHERE false"
