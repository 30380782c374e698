"""What is fetched and decided ahead comes out in order, and what fails, fails when its turn has come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.choices import RunState
from integrations.models import Connection
from integrations.services import storing
from integrations.services.ahead import Ahead
from kpis.models import Deal
from tenants.context import current_company
from tests.fakes.server import Reply
from tests.integrations.services.test_remapping import DEALS
from tests.integrations.sources import connect, fill, sync


class Working:
    """Numbers as chunks; notes what was decided when."""

    def __init__(self, *numbers: int, fails_at: int | None = None) -> None:
        self.told: list[str] = []
        self.early: list[int] = []
        self.fails_at = fails_at
        self.ahead: Ahead[int, str] = Ahead(
            self._numbers(numbers), is_full=lambda n: n > 9, decide=self._decide, try_early=self._early
        )

    def _numbers(self, numbers: tuple[int, ...]) -> Iterator[int]:
        for number in numbers:
            if number == self.fails_at:
                raise ConnectionError(number)
            self.told.append(f"fetch {number}")
            yield number

    def _decide(self, number: int) -> str:
        self.told.append(f"decide {number}")
        return str(number)

    def _early(self, number: int) -> str:
        self.early.append(number)
        return f"{number} of {current_company().slug}"

    def store_all(self) -> None:
        for decided in self.ahead:
            self.ahead.decide_ahead()
            self.told.append(f"store {decided}")


@pytest.mark.django_db
class TestAhead:
    def test_what_is_full_is_stored_while_the_next_one_is_decided_for_the_same_company(self, in_acme):
        working = Working(10, 11, 2)
        working.store_all()
        assert working.told == [
            *("fetch 10", "decide 10", "fetch 11", "store 10"),
            *("fetch 2", "store 11 of acme", "store 2 of acme"),
        ]
        assert working.early == [11, 2]

    def test_what_would_ask_the_database_is_decided_in_its_turn(self, in_acme, monkeypatch):
        working = Working(10, 2)
        asking = []
        monkeypatch.setattr(working.ahead, "_try_early", lambda _: asking.append(1) or str(Deal.objects.count()))
        working.store_all()
        assert asking == [1]
        assert working.told[-2:] == ["decide 2", "store 2"]

    def test_what_comes_slowly_is_stored_as_it_comes(self):
        working = Working(1, 2)
        working.store_all()
        assert working.told == ["fetch 1", "decide 1", "store 1", "fetch 2", "decide 2", "store 2"]

    def test_a_failure_is_raised_after_what_came_before_it_is_stored(self):
        working = Working(10, 11, fails_at=11)
        with pytest.raises(ConnectionError):
            working.store_all()
        assert working.told == ["fetch 10", "decide 10", "store 10"]


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
