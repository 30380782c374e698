"""The outbox with a real worker, a real beat and a real Redis."""

import pytest
from django.contrib.auth.models import Group

from tenants.context import tenant_context
from tenants.outbox.models import Event
from tenants.outbox.services import emit
from tests.tenants import worker_probe
from tests.worker import all_done, wait_for

pytestmark = pytest.mark.gate
PROBE = worker_probe.__name__


class TestRealWorker:
    def test_works_each_event_in_its_own_company(self, worker, acme, globex):
        worker(PROBE)
        for company in (acme, globex):
            emit(topic="tests.work", company_id=company.id, object_id="probe")
        assert wait_for(all_done)
        for company in (acme, globex):
            with tenant_context(company):
                found = set(Group.objects.filter(name__startswith="probe").values_list("name", flat=True))
            assert found == {f"probe in {company.slug}"}

    def test_a_killed_child_is_replaced_within_seconds(self, worker, acme):
        worker(PROBE)
        emit(topic="tests.die", company_id=acme.id)
        assert wait_for(all_done)
        with tenant_context(acme):
            assert set(Group.objects.filter(name__in=["died", "survived"]).values_list("name", flat=True)) == {
                "died",
                "survived",
            }
        assert Event.objects.get().attempt_count == 2

    def test_events_of_the_time_without_a_worker_and_without_their_messages_are_done_later(self, worker, broker, acme):
        emit(topic="tests.work", company_id=acme.id, object_id="early")
        broker.flushdb()  # what was sent is lost with Redis
        worker(PROBE)
        assert wait_for(all_done)

    def test_a_worker_killed_as_a_whole_loses_nothing(self, worker, broker, acme):
        first = worker(PROBE)
        assert wait_for(lambda: bool(broker.keys("_kombu*")))
        first.kill()
        for number in range(5):
            emit(topic="tests.work", company_id=acme.id, object_id=number)
        worker(PROBE)
        assert wait_for(all_done)
