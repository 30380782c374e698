"""Processes killed with -9 in the middle of their work: nothing is lost, nothing is doubled, and it ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone

from integrations.choices import RunState, Trigger
from integrations.services.runs import request_run
from kpis.models import Deal, FactChange, MeasureBlock, Metric, MetricVersion, Person
from kpis.services.facts import upsert_facts
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.recompute import recompute_all
from tenants.choices import CompanyStatus
from tenants.outbox.models import Event
from tenants.services.companies import request_company
from tenants.services.provisioning import existing_tables, expected_tables
from tests import database
from tests.integrations.conftest import _own_media, connection, receive  # noqa: F401 - fixtures
from tests.worker import all_done, wait_for

pytestmark = pytest.mark.gate

WON = {"field": "outcome", "op": "in", "value": ["won"]}
BOOKINGS = {
    "kind": "simple",
    "fact": "deals",
    "date": "closed_on",
    "aggregate": "sum",
    "field": "amount",
    "filters": [WON],
}
PEOPLE = "external_id,name\nP1,青木\nP2,井上\n"
DEALS = "external_id,created_on,owner,outcome,closed_on,amount\n" + "".join(
    f"D{number},2026-09-01,P{number % 2 + 1},won,2026-10-{number % 28 + 1:02},{number}00\n" for number in range(1, 101)
)


@contextmanager
def held_up(schema: str, table: str) -> Iterator[None]:
    """Nobody can write to this table until the block ends; it begins once somebody waits to."""
    with database.another_connection() as other:
        other.execute("BEGIN")
        other.execute(f'LOCK TABLE "{schema}".{table} IN EXCLUSIVE MODE')
        yield
        other.execute("ROLLBACK")


def somebody_waits() -> bool:
    with database.another_connection() as other:
        waiting = other.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return waiting.fetchone() != (0,)


def blocks() -> set[tuple]:
    return {
        (row.group, row.grain, row.period_start, *cell) for row in MeasureBlock.objects.all() for cell in row.cells()
    }


@pytest.fixture
def changed_facts(committed_db, in_acme) -> None:
    """A hundred won deals which nobody has computed yet."""
    metric = Metric.objects.create(code="bookings", name="受注額", unit="amount", accumulation="sum")
    MetricVersion.objects.create(metric=metric, number=1, spec=BOOKINGS)
    mark_groups(measured_terms())
    records = [
        {
            "external_id": f"D{number}",
            "created_on": "2026-09-01",
            "closed_on": f"2026-10-{number % 28 + 1:02}",
            "outcome": "won",
            "amount": number,
        }
        for number in range(1, 101)
    ]
    upsert_facts(resource="deals", source="crm", records=records, now=timezone.now())


class TestRecompute:
    def test_goes_on_when_a_child_of_the_pool_is_killed(self, changed_facts, worker, in_acme):
        running = worker()
        with held_up(in_acme.schema_name, "kpis_measureblock"):
            assert wait_for(somebody_waits)
            running.kill_child()
        self.check()

    def test_goes_on_when_the_worker_is_killed_and_another_one_starts(self, changed_facts, worker, in_acme):
        first = worker()
        with held_up(in_acme.schema_name, "kpis_measureblock"):
            assert wait_for(somebody_waits)
            first.kill()
        worker()
        self.check()

    def check(self) -> None:
        assert wait_for(all_done), list(Event.objects.values_list("handler", "state", "error"))
        found = blocks()
        assert found
        recompute_all(now=timezone.now())
        assert blocks() == found


class TestSync:
    def test_goes_on_behind_its_checkpoint_when_a_child_of_the_pool_is_killed(self, worker, run, in_acme):
        running = worker()
        with held_up(in_acme.schema_name, "kpis_deal"):
            assert wait_for(somebody_waits)
            running.kill_child()
        self.check(run)

    def test_goes_on_when_the_worker_is_killed_and_another_one_starts(self, worker, run, in_acme):
        first = worker()
        with held_up(in_acme.schema_name, "kpis_deal"):
            assert wait_for(somebody_waits)
            first.kill()
        worker()
        self.check(run)

    @pytest.fixture
    def run(self, committed_db, connection, receive):  # noqa: F811
        upload = receive(connection, {"people.csv": PEOPLE, "deals.csv": DEALS}, timezone.now())
        now = timezone.now()
        return request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=now)

    def check(self, run) -> None:
        assert wait_for(all_done), list(Event.objects.values_list("handler", "state", "error"))
        run.refresh_from_db()
        assert (run.state, run.problem_code, run.attempts) == (RunState.SUCCEEDED, "", 2)
        assert (run.inserted_count, run.updated_count, run.unchanged_count, run.rejected_count) == (102, 0, 0, 0)
        assert (Person.objects.count(), Deal.objects.count(), FactChange.objects.count()) == (2, 100, 0)


class TestProvisioning:
    def test_is_taken_up_again_when_a_child_of_the_pool_is_killed(self, committed_db, worker, console):
        running = worker()
        company = request_company(slug="umbrella", name="Umbrella", now=timezone.now())
        everything = expected_tables(company_type=company.type)
        assert wait_for(lambda: bool(existing_tables(company=company)))
        running.kill_child()
        assert len(existing_tables(company=company)) < len(everything)
        assert wait_for(all_done), list(Event.objects.values_list("handler", "state", "error"))
        company.refresh_from_db()
        assert (company.status, company.attempts) == (CompanyStatus.READY, 2)
        assert existing_tables(company=company) == everything
