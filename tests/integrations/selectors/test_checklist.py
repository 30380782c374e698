"""The checklist reads the state of the data itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.choices import Carries, Health
from integrations.models import Connection
from integrations.selectors.checklist import check_automatic, check_frequency, check_manual_entry
from integrations.selectors.connections import health_of
from integrations.selectors.health import read_sync_state
from kpis.models import FactStream, KpiNode, KpiTree, Metric, MetricVersion
from kpis.services.calendar import ensure_calendar
from tenants.console.models import SyncState
from tenants.registry import ItemStatus, checklist
from tenants.settings.models import CompanySettings


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def today(now):
    return timezone.localdate(now)


@pytest.fixture
def kpi(in_acme):
    """`kpi("visits", "manual")`: a KPI of an active tree."""

    def make(code, kind="simple", reason=""):
        tree, _ = KpiTree.objects.get_or_create(name="tree", fiscal_year=2026, status="active")
        metric = Metric.objects.create(code=code, name=code, unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec={"kind": kind})
        return KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, reason=reason)

    return make


@pytest.fixture
def source(in_acme, now):
    """`source("SFA", Carries.SFA)`: a scheduled connection that delivered just now."""

    def make(name, carries, **values):
        values = {"every": timedelta(days=1), "last_success_at": now, "created_at": now, **values}
        return Connection.objects.create(name=name, source=name.lower(), carries=carries, **values)

    return make


class TestHealth:
    @pytest.mark.parametrize(
        ("values", "health"),
        [
            ({}, Health.HEALTHY),
            ({"is_paused": True}, Health.PAUSED),
            ({"failure_count": 1}, Health.FAILING),
            ({"last_success_at": None}, Health.EMPTY),
            ({"every": timedelta(minutes=-30)}, Health.LATE),
            ({"every": None}, Health.HEALTHY),
        ],
    )
    def test_says_whether_data_arrives_as_promised(self, source, now, values, health):
        assert health_of(connection=source("SFA", Carries.SFA, **values), now=now) == health

    def test_the_console_sees_the_worst(self, source, now):
        assert read_sync_state(now) == {"sync_state": SyncState.NONE, "last_synced_at": None}
        source("SFA", Carries.SFA)
        assert read_sync_state(now)["sync_state"] == SyncState.HEALTHY
        source("MA", Carries.MA, failure_count=2)
        assert read_sync_state(now) == {"sync_state": SyncState.FAILING, "last_synced_at": now}


class TestAutomatic:
    def test_begins_without_a_connection(self, in_acme, today):
        assert check_automatic(today).status == ItemStatus.NOT_STARTED

    def test_is_done_with_both_systems_and_automatic_kpis(self, source, kpi, today):
        kpi("won_deals")
        source("SFA", Carries.SFA)
        assert check_automatic(today).status == ItemStatus.IN_PROGRESS
        source("MA", Carries.MA)
        assert check_automatic(today).status == ItemStatus.DONE

    def test_needs_a_schedule(self, source, kpi, today):
        kpi("won_deals")
        source("CRM", Carries.BOTH, every=None)
        assert check_automatic(today).status == ItemStatus.IN_PROGRESS

    def test_needs_most_kpis_automatic(self, source, kpi, today):
        source("CRM", Carries.BOTH)
        kpi("a")
        kpi("b", "manual")
        assert check_automatic(today).status == ItemStatus.IN_PROGRESS

    def test_regresses_when_a_source_falls_silent(self, source, kpi, today, now):
        kpi("won_deals")
        source("CRM", Carries.BOTH, last_success_at=now - timedelta(days=3))
        assert check_automatic(today).status == ItemStatus.REGRESSED


class TestManualEntry:
    def test_begins_without_a_tree(self, in_acme, today):
        assert check_manual_entry(today).status == ItemStatus.NOT_STARTED

    def test_asks_why_a_kpi_is_typed(self, kpi, today):
        for code in "abcde":
            kpi(code)
        typed = kpi("visits", "manual")
        assert check_manual_entry(today).status == ItemStatus.IN_PROGRESS
        KpiNode.objects.filter(pk=typed.pk).update(reason="the visits are on paper until spring")
        assert check_manual_entry(today).status == ItemStatus.DONE

    def test_allows_a_fifth_of_the_values(self, kpi, today):
        kpi("a")
        kpi("b", "manual", reason="known")
        assert check_manual_entry(today).status == ItemStatus.IN_PROGRESS


class TestFrequency:
    def stream(self, now, fact="deals", **values):
        values = {"last_success_at": now, "expected_every": timedelta(days=1), **values}
        return FactStream.objects.create(source="crm", fact=fact, **values)

    def test_begins_without_streams(self, in_acme, today):
        assert check_frequency(today).status == ItemStatus.NOT_STARTED

    def test_is_done_when_each_has_one_and_none_is_late(self, in_acme, today, now):
        self.stream(now)
        assert check_frequency(today).status == ItemStatus.DONE
        self.stream(now, "leads", expected_every=None)
        assert check_frequency(today).status == ItemStatus.IN_PROGRESS

    def test_regresses_when_one_is_late_by_two_intervals(self, in_acme, today, now):
        self.stream(now - timedelta(days=3))
        state = check_frequency(today)
        assert state.status == ItemStatus.REGRESSED
        assert "deals" in state.next_step

    def test_regresses_when_two_typed_values_in_a_row_are_overdue(self, in_acme, kpi, today, now):
        ensure_calendar(first_day=today - timedelta(days=150), last_day=today)
        self.stream(now)
        kpi("visits", "manual", "No system counts them.")
        CompanySettings.objects.update(start_date=today)
        assert check_frequency(today).status == ItemStatus.DONE
        CompanySettings.objects.update(start_date=today - timedelta(days=150))
        state = check_frequency(today)
        assert state.status == ItemStatus.REGRESSED
        assert "visits" in state.next_step


def test_the_items_of_this_floor_are_registered():
    assert {8, 9, 12} <= set(checklist.names())
