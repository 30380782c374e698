"""What the demo remembers between its runs, and what it sets up only once."""

from datetime import date

import pytest
from django.utils import timezone

from config.demo.keeping import AlreadyRunningError, keep_key, kept_key, made_on, only_one
from config.demo.keys import ensure_key
from config.demo.maven import company_plan
from config.demo.measuring import begin, ensure_metrics
from integrations.models import ApiKey
from integrations.services.api_keys import find_api_key, revoke_api_key
from kpis.models import Metric
from tenants.context import tenant_context
from tenants.settings.selectors import company_settings


class TestKeeping:
    def test_one_demo_at_a_time(self, tmp_path):
        with only_one(tmp_path), pytest.raises(AlreadyRunningError), only_one(tmp_path):
            pass
        with only_one(tmp_path):
            pass

    def test_the_day_of_the_data_stays(self, tmp_path):
        assert made_on(tmp_path, today=date(2026, 11, 22)) == date(2026, 11, 22)
        assert made_on(tmp_path, today=date(2026, 12, 1)) == date(2026, 11, 22)

    def test_keys_are_readable_by_their_owner_only(self, tmp_path):
        assert kept_key(tmp_path, "sakura") is None
        keep_key(tmp_path, "sakura", "one")
        keep_key(tmp_path, "maven", "two")
        assert (kept_key(tmp_path, "sakura"), kept_key(tmp_path, "maven")) == ("one", "two")
        assert (tmp_path / "api-keys.json").stat().st_mode & 0o077 == 0


class TestKey:
    def test_is_the_same_until_it_is_revoked(self, acme, tmp_path):
        now = timezone.now()
        first = ensure_key(tmp_path, acme)
        assert ensure_key(tmp_path, acme) == first
        with tenant_context(acme):
            revoke_api_key(key=find_api_key(text=first, now=now), now=now)
        second = ensure_key(tmp_path, acme)
        assert second != first
        with tenant_context(acme):
            assert ApiKey.objects.filter(revoked_at=None).count() == 1


class TestBegin:
    def test_sets_the_start_once_before_anything_is_measured(self, acme):
        begin(acme, months=1)
        with tenant_context(acme):
            start = company_settings().start_date
        assert start.day == 1
        ensure_metrics(acme, company_plan())
        ensure_metrics(acme, company_plan())
        begin(acme, months=3)
        with tenant_context(acme):
            assert company_settings().start_date == start
            assert Metric.objects.count() == len(company_plan().metrics)
