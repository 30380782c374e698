"""Asking those who can to mend a connection: by one letter a stop, and one where it is late for a working day."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import translation

from integrations.models import Connection, MendRequest
from integrations.selectors.connections import problem_of, with_problems
from integrations.selectors.troubles import is_late_for_a_working_day, late_since
from kpis.selectors.input_people import Asked, people_who_may
from kpis.services.reminders import NO_MAIL, UnsentError
from tenants.capabilities import Capability
from tenants.context import current_company
from tenants.selectors import company_address
from tenants.settings.selectors import company_settings

logger = logging.getLogger(__name__)


def ask_to_mend(*, connection: Connection, now: datetime) -> int:
    """Write to everybody who may manage connections and was not written to about this yet; how many letters.

    About a stop at once, and again only when another reason stops it before it has run; about passing trouble when it
    has lasted for a whole working day. Nothing where no mail server is set. Raises UnsentError at the end, when all
    others are sent.
    """
    found = with_problems(Connection.objects.filter(pk=connection.pk, is_paused=False)).first()
    since = None if found is None else _since(found, now)
    if found is None or since is None or settings.EMAIL_BACKEND == NO_MAIL:
        return 0
    request = {"connection": found, "problem": found.stopped_by, "since": since}
    asked = set(MendRequest.objects.filter(**request).values_list("recipient", flat=True))
    sent, refused = 0, []
    for person in people_who_may(Capability.MANAGE_CONNECTIONS, now=now):
        if person.user is None or not person.email or person.user.pk in asked:
            continue
        try:
            with transaction.atomic():
                MendRequest.objects.create(**request, recipient=person.user, sent_at=now)
                _send(person, found, since)
        except IntegrityError:  # another worker has sent it
            continue
        except OSError as error:
            logger.warning("mending.unsent", extra={"reason": type(error).__name__})
            refused.append(error)
        else:
            sent += 1
    if refused:
        raise UnsentError(f"{len(refused)} letters about “{found.name}” could not be sent: {refused[0]}")
    return sent


def _since(connection: Connection, now: datetime) -> datetime | None:
    """Since when it needs a person; None while it does not."""
    if connection.stopped_by:
        return connection.stopped_at
    return late_since(connection) if is_late_for_a_working_day(connection, now=now) else None


def _send(person: Asked, connection: Connection, since: datetime) -> None:
    assert person.user is not None
    company = company_settings()
    with translation.override(person.user.language or company.language):
        context = {
            "name": person.name,
            "connection": connection,
            "since": since,
            "reason": problem_of(connection),
            "company": company.name,
            "address": company_address(current_company()),
        }
        subject = render_to_string("integrations/mails/mend_subject.txt", context).strip()
        body = render_to_string("integrations/mails/mend.txt", context)
    send_mail(subject, body, None, [person.email])
