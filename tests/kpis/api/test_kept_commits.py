"""What is kept while others write: a change counts from its commit, and adding changes up loses none."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from kpis.api.views import results
from kpis.models import KpiTree, ShownChange
from kpis.selectors.kept import answers_version
from kpis.services.shown_changes import FOLD
from tenants.context import tenant_context
from tests.database import another_connection

ASKED = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01"}


@contextmanager
def elsewhere(company):
    """Another process that works in the company."""
    with another_connection() as other:
        other.execute(f'SET search_path TO "{company.schema_name}"')
        yield other


@pytest.fixture
def name(committed_db, api, plan):
    """`name()`: how the tree is called in the answer."""
    return lambda: api.shown("matrix/", tree=plan["tree"], **ASKED)["tree"]["name"]


class TestCommit:
    def test_a_change_is_shown_from_its_commit_on(self, name, acme):
        assert name() == "Plan"
        with elsewhere(acme) as other:
            with other.transaction():
                other.execute("UPDATE kpis_kpitree SET name = 'Plan B'")
                assert name() == "Plan"
            assert name() == "Plan B"

    def test_of_two_that_write_at_once_both_are_shown(self, name, acme):
        """The one that began first and so has the smaller id may be committed last."""
        with elsewhere(acme) as first, elsewhere(acme) as second:
            with first.transaction():
                first.execute("UPDATE kpis_kpitree SET name = 'Plan B'")
                second.execute("UPDATE kpis_metric SET name = 'Orders'")
                assert name() == "Plan"
            assert name() == "Plan B"

    def test_a_change_that_comes_while_the_answer_is_read_is_shown_next(self, name, acme, monkeypatch):
        read = results.build_matrix

        def read_and_be_late(*asked, **options):
            found = read(*asked, **options)
            with elsewhere(acme) as other:
                other.execute("UPDATE kpis_kpitree SET name = 'Plan B'")
            return found

        monkeypatch.setattr(results, "build_matrix", read_and_be_late)
        assert name() == "Plan"
        monkeypatch.undo()
        assert name() == "Plan B"


class TestFolding:
    def test_two_at_once_keep_the_version(self, committed_db, acme):
        with tenant_context(acme):
            for _change in range(3):
                KpiTree.objects.filter(pk=0).update(name="")
            version = answers_version()
        with elsewhere(acme) as first, elsewhere(acme) as second, ThreadPoolExecutor() as pool:
            with first.transaction():
                first.execute(FOLD)
                waiting = pool.submit(second.execute, FOLD)
                first.execute("UPDATE kpis_kpitree SET name = '' WHERE false")
                with pytest.raises(TimeoutError):
                    waiting.result(timeout=0.2)
            waiting.result(timeout=10)
        with tenant_context(acme):
            folded, late = ShownChange.objects.order_by("id")
            assert str(folded.number) == version != answers_version() == str(folded.number + late.number)
