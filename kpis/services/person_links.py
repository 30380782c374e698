"""What a person says about two rows of people: that they are one person, or that they are not."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from kpis.choices import PersonRule
from kpis.engine.issues import gettext_noop
from kpis.models import Person, PersonLink
from kpis.services import organisation, same_people
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class PersonLinkError(RefusedError):
    """Two people who cannot be joined or parted as asked."""

    code = "invalid_person_link"


def join_people(*, person: Person, same_as: Person, actor: Any, now: datetime) -> PersonLink:
    """Say that two rows are one person; `same_as` stands for both from now on. Raises PersonLinkError."""
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(cursor)
        if person.pk == same_as.pk:
            raise PersonLinkError(gettext_noop("These are one row already. Choose two different people."))
        standing = PersonLink.objects.filter(undone_at=None)
        if standing.filter(person__in=[person, same_as]).exists():
            raise PersonLinkError(gettext_noop("One of them is joined with somebody already. Load the page again."))
        if standing.filter(same_as=person).exists():
            raise PersonLinkError(
                gettext_noop(
                    "%(name)s stands for other rows already. Choose %(name)s as the one that stays, or take those"
                    " apart first."
                ),
                name=person.name,
            )
        link = same_people.join(cursor, person, same_as, rule=PersonRule.PERSON, actor=actor, now=now)
        _tell(cursor, link, now=now)
    return link


def part_people(*, link: PersonLink, actor: Any, now: datetime) -> None:
    """Say that two rows are two people: each gets its own back, no rule joins them again. Raises PersonLinkError."""
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(cursor)
        row = PersonLink.objects.select_related("person", "same_as").filter(pk=link.pk, undone_at=None).first()
        if row is None:
            raise PersonLinkError(gettext_noop("These two have been taken apart already. Load the page again."))
        same_people.part(cursor, row, actor=actor, now=now)
        row.undone_at, row.undone_by = now, actor
        row.save(update_fields=["undone_at", "undone_by"])
        same_people.hide_gone(cursor, rows=f"SELECT {row.person_id:d} UNION SELECT {row.same_as_id:d}")
        _tell(cursor, row, now=now)
    link.refresh_from_db()


def _lock(cursor: CursorWrapper) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':facts'))")


def _tell(cursor: CursorWrapper, link: PersonLink, *, now: datetime) -> None:
    organisation.follow_teams(cursor, [link.person_id, link.same_as_id], now=now)
    for topic in ("facts.changed", "values.changed"):
        emit(topic=topic, company_id=current_company().pk)
