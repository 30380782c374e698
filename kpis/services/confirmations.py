"""A person confirms the own targets: 「確認しました」."""

from datetime import datetime
from typing import Any

from kpis.engine.issues import gettext_noop
from kpis.models import KpiTree, TargetRevision
from kpis.selectors.confirmations import find_person, latest_settings
from kpis.services.refusal import RefusedError


class ConfirmationError(RefusedError):
    """There is nobody whose targets these are."""

    code = "no_person"


def confirm_targets(*, tree: KpiTree, seen_at: datetime, actor: Any, now: datetime) -> int:
    """Confirm the actor's own targets as they were set by `seen_at`; how many were not confirmed before.

    What was set later has not been seen and keeps asking. Raises ConfirmationError for a login without a person.
    """
    person = find_person(actor)
    if person is None:
        raise ConfirmationError(gettext_noop("Your login belongs to no person with targets of their own."))
    settings = latest_settings(tree, members=[person.member_id or 0])
    seen = [row.pk for row in settings if row.confirmed_at is None and row.at <= seen_at]
    return TargetRevision.objects.filter(pk__in=seen, confirmed_at=None).update(confirmed_at=now)
