"""Reminders of values that wait to be typed: they stop once the value is there, and after the manager was told."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation

from kpis.engine.inputs import TELL_AFTER, TOLD, Reminded, next_reminder
from kpis.models import CalendarDay, InputReminder
from kpis.selectors.input_people import Asked, Organisation, company_owners
from kpis.selectors.inputs import InputCell, Key, open_inputs, read_inputs
from tenants.context import current_company
from tenants.selectors import company_address
from tenants.settings.selectors import company_settings

logger = logging.getLogger(__name__)
NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"


class UnsentError(Exception):
    """Some letters could not be sent; what they were about is not noted as sent and comes again."""


@dataclass(frozen=True)
class Letter:
    """One mail: to whom, about which values, each with the number of its reminder; to a manager about others'."""

    to: Asked
    is_to_manager: bool
    about: Sequence[tuple[InputCell, int]]


def send_reminders(*, now: datetime) -> int:
    """Send what is due today, one letter a person; how many. Nothing on a day off, or where no mail server is set.

    Every letter is noted in the transaction in which it is sent, so it is sent once. Raises UnsentError at the end,
    when all others are sent.
    """
    today = timezone.localdate(now)
    if settings.EMAIL_BACKEND == NO_MAIL or not CalendarDay.objects.filter(day=today, is_business_day=True).exists():
        return 0
    letters = _letters(open_inputs(read_inputs(today=today)), today)
    refused = []
    for letter in letters:
        try:
            with transaction.atomic():
                _note(letter, now)
                _send(letter)
        except IntegrityError:  # another worker has sent it
            continue
        except OSError as error:
            logger.warning("reminder.unsent", extra={"reason": type(error).__name__})
            refused.append(error)
    if refused:
        raise UnsentError(f"{len(refused)} of {len(letters)} reminders could not be sent: {refused[0]}")
    return len(letters)


def _letters(waiting: Sequence[InputCell], today: date) -> list[Letter]:
    """What is to be sent, one letter for each person and role."""
    sent = _sent(waiting)
    found: dict[tuple[int, bool], list[tuple[InputCell, int]]] = defaultdict(list)
    people: dict[int, Asked] = {}
    managers = _Managers(today)
    for cell in waiting:
        asked = cell.asked
        has_login = asked is not None and asked.user is not None
        number = next_reminder(
            sent.get(cell.key, Reminded()),
            late_by=cell.late_by,
            today=today,
            is_reachable=asked is not None and bool(asked.email),
            tell_after=TELL_AFTER if has_login else 1,
        )
        for person in () if number is None else managers.above(cell) if number == TOLD else [asked]:
            if number is not None and person is not None and person.user is not None:
                people[person.user.pk] = person
                found[person.user.pk, number == TOLD].append((cell, number))
    return [Letter(people[user], is_manager, about) for (user, is_manager), about in found.items()]


def _sent(cells: Iterable[InputCell]) -> Mapping[Key, Reminded]:
    rows = InputReminder.objects.filter(metric__in={cell.node.metric_id for cell in cells}).order_by("number")
    return {
        (row.metric_id, row.grain, row.period_start, row.member_id): Reminded(
            row.number, timezone.localdate(row.sent_at)
        )
        for row in rows
    }


class _Managers:
    """Who is told about a value that nobody types; the organisation is loaded only where somebody is."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.organisation: Organisation | None = None

    def above(self, cell: InputCell) -> list[Asked]:
        """The superior of who is asked, else whoever runs the company; one of them, where several could be told."""
        self.organisation = self.organisation or Organisation.load(self.today)
        owner = cell.place.owner
        superior = self.organisation.superior_of(owner.user if owner else None)
        known = [superior] if superior is not None else company_owners()
        return [each for each in map(self.organisation.login, known) if each.email][:1]


def _note(letter: Letter, now: datetime) -> None:
    """Raises IntegrityError where one of them was sent already."""
    InputReminder.objects.bulk_create(
        InputReminder(
            metric_id=cell.node.metric_id,
            grain=cell.period.grain,
            period_start=cell.period.start_date,
            dimension=cell.place.dimension,
            member=cell.place.member,
            number=number,
            recipient=letter.to.user,
            sent_at=now,
        )
        for cell, number in letter.about
    )


def _send(letter: Letter) -> None:
    assert letter.to.user is not None
    company = company_settings()
    context = {
        "letter": letter,
        "cells": [cell for cell, _number in letter.about],
        "company": company.name,
        "address": company_address(current_company()),
    }
    kind = "told" if letter.is_to_manager else "reminder"
    with translation.override(letter.to.user.language or company.language):
        subject = render_to_string(f"kpis/mails/input_{kind}_subject.txt", context).strip()
        body = render_to_string(f"kpis/mails/input_{kind}.txt", context)
    send_mail(subject, body, None, [letter.to.email])
