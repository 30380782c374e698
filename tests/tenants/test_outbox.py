"""The outbox: recorded with the change, worked through at least once, given up after a while."""

import time
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from tenants.context import current_company, tenant_context
from tenants.models import DeadLetter
from tenants.outbox import registry
from tenants.outbox.models import Event, EventState
from tenants.outbox.services import (
    DISPATCH_TASK,
    MAX_ATTEMPTS,
    RUN_LEASE,
    SEND_LEASE,
    dispatch_events,
    drain,
    emit,
    purge_events,
    run_event,
)
from tenants.services.companies import archive_company, resume_company, suspend_company
from tenants.tasks import CompanyTask
from tests import database

handled: list[tuple[str, str]] = []


@shared_task(base=CompanyTask, name="tests.note_event")
def note_event(*, company_id: str, object_id: str) -> None:
    handled.append((current_company().slug, object_id))


@shared_task(base=CompanyTask, name="tests.fail")
def fail(*, company_id: str, object_id: str) -> None:
    raise RuntimeError("poison")


@shared_task(base=CompanyTask, name="tests.chain")
def chain(*, company_id: str, object_id: str) -> None:
    emit(topic="tests.happened", company_id=company_id, object_id="chained")


@pytest.fixture(autouse=True)
def topics(monkeypatch):
    handled.clear()
    monkeypatch.setattr(registry, "_handlers", {})
    registry.on("tests.happened", note_event)
    registry.on("tests.poison", fail)
    registry.on("tests.chain", chain)


@pytest.fixture
def sent(monkeypatch):
    """The messages that would have gone to Redis."""
    messages = []
    monkeypatch.setattr(
        "tenants.outbox.services.current_app.send_task",
        lambda name, kwargs=None, **_options: messages.append((name, kwargs)),
    )
    return messages


def worker_at(event: Event) -> AbstractContextManager[None]:
    """Another process is running this event."""
    return database.held_elsewhere(f"outbox:{event.id}")


class TestEmit:
    def test_counts_only_with_the_callers_transaction(self, acme):
        with pytest.raises(ZeroDivisionError), transaction.atomic(), tenant_context(acme):
            emit(topic="tests.happened", company_id=acme.id)
            raise ZeroDivisionError
        assert not Event.objects.exists()

    def test_works_inside_a_company(self, in_acme):
        emit(topic="tests.happened", company_id=in_acme.id, object_id=7)
        assert Event.objects.get().object_id == "7"

    def test_nudges_the_dispatcher_on_commit(self, acme, sent, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            emit(topic="tests.happened", company_id=acme.id)
        assert [name for name, _ in sent] == ["tenants.outbox.tasks.dispatch"]

    def test_survives_redis_being_away(self, acme, monkeypatch, django_capture_on_commit_callbacks):
        def refuse(*_args, **_kwargs):
            raise ConnectionRefusedError

        monkeypatch.setattr("tenants.outbox.services.current_app.send_task", refuse)
        with django_capture_on_commit_callbacks(execute=True):
            emit(topic="tests.happened", company_id=acme.id, object_id="kept")
        drain()
        assert handled == [("acme", "kept")]

    def test_keeps_nobody_waiting_while_redis_is_away(self):
        away = current_app.connection_for_write("redis+socket:///nowhere/redis.sock")
        began = time.monotonic()
        with pytest.raises(OperationalError):
            current_app.send_task(DISPATCH_TASK, retry=False, connection=away)
        assert time.monotonic() - began < 3


class TestDispatch:
    def test_sends_each_event_once_and_again_when_the_message_was_lost(self, acme, sent):
        emit(topic="tests.happened", company_id=acme.id)
        now = timezone.now()
        assert dispatch_events(now=now) == 1
        assert dispatch_events(now=now) == 0
        assert dispatch_events(now=now + SEND_LEASE) == 1
        assert dispatch_events(now=now + SEND_LEASE * 2) == 0
        assert {name for name, _ in sent} == {"tenants.outbox.tasks.deliver"}

    def test_equal_events_are_sent_as_one(self, acme, globex, sent):
        for _ in range(3):
            emit(topic="tests.happened", company_id=acme.id, object_id="x")
        emit(topic="tests.happened", company_id=acme.id, object_id="y")
        emit(topic="tests.happened", company_id=globex.id, object_id="x")
        assert dispatch_events(now=timezone.now()) == 3
        assert Event.objects.filter(state=EventState.DONE).count() == 2

    def test_companies_take_turns(self, acme, globex, sent):
        for number in range(5):
            emit(topic="tests.happened", company_id=acme.id, object_id=number)
        emit(topic="tests.happened", company_id=globex.id, object_id="only")
        dispatch_events(now=timezone.now(), limit=2)
        waiting = Event.objects.filter(state=EventState.SENT).values_list("company__slug", flat=True)
        assert set(waiting) == {"acme", "globex"}

    def test_events_of_a_suspended_company_wait_until_it_is_resumed(self, acme, sent):
        emit(topic="tests.happened", company_id=acme.id, object_id="kept")
        suspend_company(company=acme)
        assert dispatch_events(now=timezone.now()) == 0
        assert drain().done_count == 0
        resume_company(company=acme)
        assert drain().done_count == 1
        assert handled == [("acme", "kept")]

    def test_an_archived_company_leaves_no_work(self, acme, sent):
        emit(topic="tests.happened", company_id=acme.id)
        archive_company(company=acme, now=timezone.now())
        assert not Event.objects.exists()

    def test_a_lost_worker_is_told_from_a_slow_one(self, acme, sent):
        emit(topic="tests.happened", company_id=acme.id)
        now = timezone.now()
        Event.objects.update(state=EventState.RUNNING, due_at=now + RUN_LEASE)
        with worker_at(Event.objects.get()):
            assert dispatch_events(now=now) == 0
        assert dispatch_events(now=now) == 1

    def test_a_lost_worker_is_replaced_until_it_is_poison(self, acme, sent):
        emit(topic="tests.happened", company_id=acme.id)
        Event.objects.update(state=EventState.RUNNING, attempt_count=MAX_ATTEMPTS - 1)
        assert dispatch_events(now=timezone.now()) == 1
        Event.objects.update(state=EventState.RUNNING, attempt_count=MAX_ATTEMPTS)
        assert dispatch_events(now=timezone.now() + RUN_LEASE) == 0
        assert Event.objects.get().state == EventState.DEAD
        assert DeadLetter.objects.get().company == acme


class TestRunEvent:
    def test_is_done_only_when_the_handler_has_finished(self, acme):
        emit(topic="tests.happened", company_id=acme.id, object_id="1")
        event = Event.objects.get()
        assert run_event(event_id=event.id, now=timezone.now())
        event.refresh_from_db()
        assert event.state == EventState.DONE
        assert handled == [("acme", "1")]

    def test_a_message_that_came_twice_runs_once(self, acme):
        emit(topic="tests.happened", company_id=acme.id)
        event = Event.objects.get()
        assert run_event(event_id=event.id, now=timezone.now())
        assert not run_event(event_id=event.id, now=timezone.now())
        assert len(handled) == 1

    def test_nobody_else_runs_it_while_a_worker_has_it(self, acme):
        emit(topic="tests.happened", company_id=acme.id)
        now = timezone.now()
        Event.objects.update(state=EventState.RUNNING, due_at=now + RUN_LEASE)
        event = Event.objects.get()
        with worker_at(event):
            assert not run_event(event_id=event.id, now=now)
            assert run_event(event_id=event.id, now=now + RUN_LEASE)

    def test_poison_ends_as_a_dead_letter_after_bounded_attempts(self, acme):
        emit(topic="tests.poison", company_id=acme.id, object_id="bad")
        event = Event.objects.get()
        now = timezone.now()
        for attempt in range(MAX_ATTEMPTS):
            assert run_event(event_id=event.id, now=now + timedelta(hours=attempt))
        assert not run_event(event_id=event.id, now=now + timedelta(days=1))
        letter = DeadLetter.objects.get()
        assert letter.arguments["object_id"] == "bad"
        assert "poison" in letter.reason

    def test_an_event_whose_handler_is_gone_is_not_lost_silently(self, acme, monkeypatch):
        emit(topic="tests.happened", company_id=acme.id)
        monkeypatch.setattr(registry, "_handlers", {})
        run_event(event_id=Event.objects.get().id, now=timezone.now())
        assert "Nobody handles" in Event.objects.get().error


class TestDrain:
    def test_works_through_what_events_cause(self, acme, drain_outbox):
        emit(topic="tests.chain", company_id=acme.id)
        assert drain_outbox() == 2
        assert handled == [("acme", "chained")]

    def test_one_company_leaves_the_others_alone(self, acme, globex):
        emit(topic="tests.happened", company_id=acme.id)
        emit(topic="tests.happened", company_id=globex.id)
        assert drain(company_id=acme.id).done_count == 1
        assert handled == [("acme", "")]

    def test_raises_what_a_handler_raises(self, acme, drain_outbox):
        emit(topic="tests.poison", company_id=acme.id)
        with pytest.raises(RuntimeError, match="poison"):
            drain_outbox()

    def test_reports_a_failure_and_goes_on(self, acme):
        emit(topic="tests.poison", company_id=acme.id)
        emit(topic="tests.happened", company_id=acme.id)
        result = drain(company_id=acme.id)
        assert (result.done_count, result.failed_count, result.open_count) == (1, 1, 1)

    def test_waits_no_longer_than_asked_for_a_busy_worker(self, acme):
        emit(topic="tests.happened", company_id=acme.id)
        Event.objects.update(state=EventState.RUNNING, due_at=timezone.now() + RUN_LEASE)
        assert drain(company_id=acme.id, wait=timedelta(milliseconds=60)).open_count == 1


class TestPurge:
    def test_forgets_what_was_done_a_week_ago(self, acme):
        emit(topic="tests.happened", company_id=acme.id)
        drain()
        now = timezone.now()
        assert purge_events(now=now) == 0
        assert purge_events(now=now + timedelta(days=8)) == 1
