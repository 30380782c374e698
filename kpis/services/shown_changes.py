"""Adding up the changes of what is shown, so that reading their version stays quick."""

from django.db import connection

# One statement, so that nobody sees it half-done. Of two at once each adds up what it deleted itself; the one that
# finds everything deleted adds nothing.
FOLD = """
    WITH gone AS (DELETE FROM kpis_shownchange RETURNING number)
    INSERT INTO kpis_shownchange (number) SELECT sum(number) FROM gone HAVING count(*) > 0
"""


def fold_changes() -> None:
    """Let one row stand for all that are there; the version, their sum, stays. Harmless when somebody else does too."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD)
