"""Calls to a source are counted over all workers of a company; who comes too often is told how long to wait."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from integrations.models import Connection
from integrations.services.budgets import Rate, SharedBudget
from integrations.services.connections import create_source
from integrations.services.sources import opened_source
from tenants.context import tenant_context
from tests.fakes.hubspot import VERSION, HubSpotFake
from tests.fakes.server import served

pytestmark = pytest.mark.usefixtures("in_acme", "waits_for_rates")
RATES = {"calls": Rate(5, 1000)}


def made_source(fake: HubSpotFake, name: str) -> Connection:
    return create_source(
        name=name,
        kind="hubspot",
        source=name,
        carries="both",
        description=fake.description(),
        secrets=fake.secrets(),
        now=timezone.now(),
    )


def test_calls_within_the_budget_do_not_wait_and_the_next_one_waits_its_turn():
    first, second = (SharedBudget("crm", RATES) for _ in range(2))
    assert [each.take("calls") for each in (first, second, first, second, first)] == [0] * 5
    slow = SharedBudget("crm", {"calls": Rate(5, 10)})
    assert 1 < slow.take("calls") <= 2


def test_who_would_wait_too_long_does_not_stand_in_the_way_of_the_others():
    budget = SharedBudget("crm", RATES)
    for _ in range(5):
        budget.take("calls")
    waits = [budget.take("calls") for _ in range(3)]
    assert all(190 < each <= 200 for each in waits)


def test_the_bucket_fills_with_time():
    budget = SharedBudget("crm", {"calls": Rate(2, 0.1)})
    assert [budget.take("calls") for _ in range(2)] == [0, 0]
    time.sleep(0.15)
    assert budget.take("calls") == 0


def test_another_account_another_kind_and_another_company_have_their_own(globex):
    SharedBudget("crm", {"calls": Rate(1, 1000)}).take("calls")
    assert SharedBudget("ma", {"calls": Rate(1, 1000)}).take("calls") == 0
    assert SharedBudget("crm", {"search": Rate(1, 1000)}).take("search") == 0
    assert SharedBudget("crm", {"search": Rate(1, 1000)}).take("free") == 0
    with tenant_context(globex):
        assert SharedBudget("crm", {"calls": Rate(1, 1000)}).take("calls") == 0


@pytest.mark.django_db
def test_a_source_is_called_only_when_its_turn_has_come(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("integrations.connectors.http.time.sleep", waits.append)
    fake = HubSpotFake()
    with served(fake), opened_source(made_source(fake, "ma")) as connector:
        for _ in range(12):
            connector.http.get(f"crm/owners/{VERSION}")
    assert len([each for each in waits if 0 < each < 1]) >= 2


class TestAccounts:
    """Which connections share a budget."""

    def account(self, fake: HubSpotFake, name: str) -> str:
        with opened_source(made_source(fake, name)) as connector:
            return connector.http.budget.budget.account

    @pytest.mark.django_db
    def test_two_connections_to_one_host_share_it_and_another_host_and_company_do_not(self, globex):
        first, second = HubSpotFake(), HubSpotFake()
        with served(first), served(second):
            one, same, other = (self.account(*each) for each in ((first, "a"), (first, "b"), (second, "c")))
            with tenant_context(globex):
                elsewhere = self.account(first, "a")
        assert one == same
        assert len({one, other, elsewhere}) == 3

    @pytest.mark.django_db
    def test_together_they_get_what_one_would(self):
        fake = HubSpotFake()
        with served(fake):
            made = [self.account(fake, name) for name in ("a", "b")]
        takes = [SharedBudget(made[number % 2], {"calls": Rate(4, 1000)}).take("calls") for number in range(5)]
        assert [wait > 0 for wait in takes] == [False] * 4 + [True]
