"""Reminders that stop: on the due day, one and three business days later, then the manager once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from kpis.models import InputReminder, Person
from kpis.services.entries import enter_value
from kpis.services.reminders import UnsentError, send_reminders
from kpis.tasks import remind_of_inputs
from tenants.accounts.models import User
from tenants.models import DueSync
from tests.kpis.inputs.conftest import NOW, OCTOBER, Visits, ask

pytestmark = pytest.mark.django_db


def morning(day: int) -> datetime:
    """Half past eight on a day of November."""
    return datetime(2026, 11, day - 1, 23, 30, tzinfo=UTC)


def days(first: int, last: int) -> list[list[str]]:
    """To whom a letter went on each day of November."""
    sent = []
    for day in range(first, last + 1):
        mail.outbox.clear()
        send_reminders(now=morning(day))
        sent.append([letter.to[0].partition("@")[0] for letter in mail.outbox])
    return sent


def test_three_to_the_owner_then_one_to_the_manager(visits: Visits) -> None:
    """The 5th is the due day, a Thursday; the 7th and 8th are a weekend; the 12th is five business days later."""
    assert days(4, 16) == [[], ["bob"], ["bob"], [], [], [], ["bob"], [], ["alice"], [], [], [], []]


def test_they_stop_with_the_value(visits: Visits) -> None:
    assert days(5, 6) == [["bob"], ["bob"]]
    enter_value(metric=visits.metric, period_start=OCTOBER, absence="missing", note="なし", actor=None, now=NOW)
    assert days(9, 16) == [[]] * 8


def test_says_what_by_when_and_where(visits: Visits) -> None:
    days(5, 5)
    (letter,) = mail.outbox
    assert letter.to == ["bob@acme.example"]
    assert "訪問数 2026年10月" in letter.body
    assert "11/5" in letter.body
    assert "http://acme.localhost:8000/inputs/" in letter.body


def test_one_letter_holds_all_of_a_day(visits: Visits) -> None:
    """The company's value, Bob's own, and those of Cleo and Dora, who have no login."""
    ask(visits.node, entered_for="person", deputy=None)
    days(5, 5)
    assert [letter.body.count("訪問数") for letter in mail.outbox] == [4]


def test_twice_on_a_day_sends_once(visits: Visits) -> None:
    """On the 16th three are due."""
    assert days(16, 16) == [["bob"]]
    assert days(16, 16) == [[]]


def test_a_standstill_is_not_made_up_at_once(visits: Visits) -> None:
    assert days(16, 19) == [["bob"], ["bob"], ["bob"], ["alice"]]


@pytest.mark.parametrize("gone", ["left", "shut"])
def test_who_is_not_there_gets_none_and_the_deputy_does(visits: Visits, gone: str) -> None:
    if gone == "left":
        Person.objects.filter(external_id="bob").update(left_on=date(2026, 10, 20))
    else:
        User.objects.filter(username="bob").update(is_active=False)
    assert days(5, 6) == [["alice"], ["alice"]]


def test_where_nobody_can_be_asked_the_owner_of_the_company_is_told(visits: Visits) -> None:
    ask(visits.node, responsible=None, deputy=None)
    assert days(5, 9) == [[], ["dave"], [], [], []]


def test_a_failed_letter_comes_again(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise ConnectionRefusedError("no server")

    with monkeypatch.context() as broken:
        broken.setattr("kpis.services.reminders.send_mail", refuse)
        with pytest.raises(UnsentError, match="no server"):
            days(5, 5)
    assert not InputReminder.objects.exists()
    assert days(5, 5) == [["bob"]]


@override_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend")
def test_without_a_mail_server_nothing_is_noted_as_sent(visits: Visits) -> None:
    assert send_reminders(now=morning(5)) == 0
    assert not InputReminder.objects.exists()


def test_the_clock_comes_again_the_next_morning(visits: Visits, acme: Any, at: Callable[[date], None]) -> None:
    at(date(2026, 11, 5))
    remind_of_inputs(company_id=str(acme.pk))
    assert InputReminder.objects.count() == 1
    due = DueSync.objects.get(company=acme, kind="inputs")
    assert due.next_run_at == morning(6)
    assert due.next_run_at - timezone.now() < timedelta(days=1)
