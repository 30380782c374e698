"""What is worked out ahead comes out in order, and what fails, fails when its turn has come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import DatabaseError

from integrations.choices import RunState
from integrations.models import Connection
from integrations.services import storing
from integrations.services.ahead import ITEMS_AHEAD, ahead
from kpis.models import Deal
from tenants.context import current_company
from tests.fakes.server import Reply
from tests.integrations.services.test_remapping import DEALS
from tests.integrations.sources import connect, fill, sync


@pytest.mark.django_db
class TestAhead:
    def test_items_come_in_order_worked_out_beside_for_the_same_company(self, in_acme):
        here = threading.current_thread()
        items = ((n, current_company().slug, threading.current_thread() is here) for n in range(9))
        assert list(ahead(items)) == [(n, "acme", False) for n in range(9)]

    def test_some_are_worked_out_while_one_is_used_and_none_after_it_is_closed(self, in_acme):
        begun: list[int] = []
        there = threading.Semaphore(0)

        def items() -> Iterator[int]:
            for number in range(9):
                begun.append(number)
                there.release()
                yield number

        with closing(ahead(items())) as coming:
            assert next(coming) == 0
            for _ in range(1 + ITEMS_AHEAD):
                assert there.acquire(timeout=10)
        assert begun == list(range(1 + ITEMS_AHEAD))

    def test_a_failure_is_raised_after_what_came_before_it(self, in_acme):
        coming = ahead(10 // (2 - n) for n in range(9))
        assert [next(coming), next(coming)] == [5, 10]
        with pytest.raises(ZeroDivisionError):
            next(coming)

    def test_the_database_is_not_asked(self, in_acme):
        with pytest.raises(DatabaseError, match="nothing"):
            list(ahead(Deal.objects.count() for _ in range(3)))


@pytest.fixture
def source(in_acme, fake, monkeypatch) -> Connection:
    monkeypatch.setattr(storing, "CHUNK_RECORDS", 3)
    return connect(fake, DEALS)


@pytest.mark.django_db
class TestPullingAhead:
    def test_every_record_of_many_chunks_arrives_once_with_its_row(self, source, fake):
        fill(fake, 11)
        fake.world.put("D008", stage="謎")
        run = sync(source)
        assert (run.read_count, run.inserted_count, run.rejected_count) == (11, 10, 1)
        assert run.rejected.get().row == 8
        assert Deal.objects.count() == 10
        assert run.report["streams"][0]["mapped"][0]["count"] == 10

    def test_what_came_before_a_failure_is_stored(self, source, fake):
        fill(fake, 9)
        fake.fail(None, None, Reply(400, {"message": "no"}))
        run = sync(source)
        assert (run.state, Deal.objects.count()) == (RunState.FAILED, 6)
        assert sync(source).inserted_count == 3
