"""Calls to a source are counted over all workers of a company; who comes too often is told how long to wait."""

from __future__ import annotations

import time

import pytest

from integrations.services.budgets import Rate, SharedBudget
from tenants.context import tenant_context

pytestmark = pytest.mark.usefixtures("in_acme")
RATES = {"calls": Rate(5, 1000)}


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
