"""What is dropped at night: rejected rows and old runs, but not how many there were."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.choices import RunKind, RunState, Trigger
from integrations.models import Connection, RejectedRecord, SyncRun
from integrations.services.connections import set_keep_days
from integrations.services.retention import forget_received

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
NOW = timezone.now()
REPORT = {"streams": [{"stream": "deals"}]}


def ran(connection: Connection, days: int, **values: object) -> SyncRun:
    """A run that ended so many days ago."""
    at = NOW - timedelta(days=days)
    values = {"state": RunState.PARTLY, "trigger": Trigger.SCHEDULE, "report": REPORT, **values}
    return SyncRun.objects.create(connection=connection, requested_at=at, finished_at=at, **values)


def rejected(run: SyncRun, *, is_standing: bool = False) -> RejectedRecord:
    return RejectedRecord.objects.create(
        connection=run.connection,
        run=run,
        stream="deals",
        file_name="deals.csv",
        row=1,
        problems=[],
        raw={"氏名": "山田"},
        is_standing=is_standing,
    )


class TestRejected:
    @pytest.mark.parametrize(("keep_days", "kept"), [(400, 399), (30, 29), (7, 6), (0, 6)])
    def test_go_with_what_was_received_but_not_before_a_week(self, connection, keep_days, kept):
        set_keep_days(connection=connection, days=keep_days, now=NOW)
        stays = rejected(ran(connection, kept, rejected_count=1))
        goes = ran(connection, kept + 2, rejected_count=1)
        rejected(goes)
        forget_received(now=NOW)
        assert list(RejectedRecord.objects.all()) == [stays]
        goes.refresh_from_db()
        assert goes.rejected_count == 1

    def test_one_that_is_still_not_imported_is_never_forgotten_only_what_the_source_said(self, connection):
        stays = rejected(ran(connection, 402, rejected_count=1), is_standing=True)
        forget_received(now=NOW)
        stays.refresh_from_db()
        assert (stays.is_standing, stays.raw) == (True, {})

    def test_the_page_of_the_run_says_that_they_are_gone(self, connection, client_for, acme, dave):
        run = ran(connection, 500, rejected_count=3)
        page = client_for(dave, acme).get(reverse("sync_run", args=[run.public_id]), headers={"accept-language": "en"})
        assert "longer ago than they are kept" in page.content.decode()


class TestRuns:
    def test_old_ones_keep_their_counts_and_those_that_brought_nothing_go(self, connection):
        brought = ran(connection, 401, inserted_count=3, read_count=9, cursor_after={"deals": {}})
        nothing = ran(connection, 401, read_count=9)
        young = ran(connection, 399, inserted_count=1)
        last = ran(connection, 0)
        forget_received(now=NOW)
        assert set(SyncRun.objects.all()) == {brought, young, last}
        brought.refresh_from_db()
        young.refresh_from_db()
        assert (brought.report, brought.cursor_after, brought.inserted_count, brought.read_count) == ({}, {}, 3, 9)
        assert young.report == REPORT
        assert not SyncRun.objects.filter(pk=nothing.pk).exists()

    def test_the_last_of_each_kind_stays_as_it_is(self, connection):
        runs = [
            ran(connection, 900),
            ran(connection, 800, state=RunState.FAILED, report={}),
            ran(connection, 850, kind=RunKind.COMPARE),
        ]
        forget_received(now=NOW)
        assert set(SyncRun.objects.all()) == set(runs)
        runs[0].refresh_from_db()
        assert runs[0].report == REPORT

    def test_what_is_under_way_stays(self, connection):
        ran(connection, 0)
        waiting = SyncRun.objects.create(
            connection=connection, trigger=Trigger.MANUAL, requested_at=NOW - timedelta(days=900)
        )
        forget_received(now=NOW)
        assert SyncRun.objects.filter(pk=waiting.pk).exists()
