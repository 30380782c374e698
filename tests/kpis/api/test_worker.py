"""What another system sends is on the screen within seconds while a worker runs."""

import time

import pytest

from tenants.outbox.services import emit
from tests.worker import all_done, wait_for

pytestmark = [pytest.mark.gate, pytest.mark.alone]
SECONDS = 5


class TestBulkWrite:
    def test_is_visible_in_the_matrix_within_five_seconds(self, committed_db, plan, api, worker, acme):
        worker()
        emit(topic="facts.changed", company_id=acme.pk)
        assert wait_for(all_done)  # the worker has started

        deal = {"external_id": "D1", "created_on": "2026-09-01", "closed_on": "2026-10-05"}
        sent = {"source": "crm", "records": [{**deal, "outcome": "won", "amount": 600}]}
        assert api.made("facts/deals/bulk/", sent)["inserted"] == 1
        began = time.monotonic()
        asked = {"tree": plan["tree"], "grain": "month", "from": "2026-10-01", "to": "2026-11-01", "nodes": "bookings"}
        assert wait_for(lambda: api.shown("matrix/", **asked)["cells"]["value"] == [[[600]]])
        assert time.monotonic() - began < SECONDS
