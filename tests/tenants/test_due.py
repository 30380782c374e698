"""Recurring work: sent when it is due, companies taking turns."""

from datetime import timedelta

import pytest
from celery import shared_task
from django.utils import timezone

from tenants.models import DueSync
from tenants.registry import DueKind, due_kinds
from tenants.services.companies import suspend_company
from tenants.services.due import UnknownDueKindError, cancel_due, dispatch_due, schedule_due
from tenants.tasks import CompanyTask

NOW = timezone.now()


@shared_task(base=CompanyTask, name="tests.due")
def due_task(*, company_id: str, object_id: str) -> None:
    """Nothing to do: what is looked at is who is sent."""


@pytest.fixture(autouse=True)
def kind(monkeypatch, any_db):
    """The only kind of work, and none of it due."""
    DueSync.objects.all().delete()
    monkeypatch.setitem(due_kinds._entries, "tests", DueKind("tests", due_task, timedelta(minutes=10)))


@pytest.fixture
def sent(monkeypatch):
    messages = []
    monkeypatch.setattr(
        "tenants.services.due.current_app.send_task", lambda name, kwargs, **_options: messages.append((name, kwargs))
    )
    return messages


class TestDispatchDue:
    def test_sends_only_what_is_due(self, acme, globex, sent):
        schedule_due(company_id=acme.id, kind="tests", object_id="a", next_run_at=NOW)
        schedule_due(company_id=globex.id, kind="tests", object_id="b", next_run_at=NOW + timedelta(seconds=1))
        assert dispatch_due(now=NOW) == 1
        assert sent == [("tests.due", {"company_id": str(acme.id), "object_id": "a"})]

    def test_comes_again_when_the_work_does_not_schedule_itself(self, acme, sent):
        schedule_due(company_id=acme.id, kind="tests", next_run_at=NOW)
        dispatch_due(now=NOW)
        assert dispatch_due(now=NOW + timedelta(minutes=9)) == 0
        assert dispatch_due(now=NOW + timedelta(minutes=10)) == 1

    def test_a_busy_company_does_not_keep_another_waiting(self, acme, globex, sent):
        for number in range(20):
            schedule_due(company_id=acme.id, kind="tests", object_id=number, next_run_at=NOW - timedelta(hours=1))
        schedule_due(company_id=globex.id, kind="tests", next_run_at=NOW)
        dispatch_due(now=NOW, limit=2)
        assert {arguments["company_id"] for _, arguments in sent} == {str(acme.id), str(globex.id)}

    def test_leaves_a_suspended_company_alone(self, acme, sent):
        schedule_due(company_id=acme.id, kind="tests", next_run_at=NOW)
        suspend_company(company=acme)
        assert dispatch_due(now=NOW) == 0

    def test_costs_the_same_however_many_are_not_due(self, acme, sent, django_assert_max_num_queries):
        for number in range(50):
            schedule_due(company_id=acme.id, kind="tests", object_id=number, next_run_at=NOW + timedelta(days=1))
        with django_assert_max_num_queries(6):
            dispatch_due(now=NOW)


class TestScheduleDue:
    def test_keeps_one_row_per_piece_of_work(self, acme):
        for minutes in (1, 2):
            schedule_due(company_id=acme.id, kind="tests", object_id="x", next_run_at=NOW + timedelta(minutes=minutes))
        assert DueSync.objects.get(kind="tests").next_run_at == NOW + timedelta(minutes=2)
        cancel_due(company_id=acme.id, kind="tests", object_id="x")
        assert not DueSync.objects.filter(kind="tests").exists()

    def test_refuses_work_that_nobody_knows(self, acme):
        with pytest.raises(UnknownDueKindError, match="no_such_work"):
            schedule_due(company_id=acme.id, kind="no_such_work", next_run_at=NOW)


class TestTwoDispatchers:
    def test_share_the_work(self, committed_db, acme):
        """A row that one dispatcher holds is skipped by the other, not waited for."""
        from tests import database

        schedule_due(company_id=acme.id, kind="tests", next_run_at=NOW)
        with database.another_connection() as other, other.transaction():
            other.execute("SELECT id FROM tenants_duesync FOR UPDATE")
            assert dispatch_due(now=NOW) == 0
