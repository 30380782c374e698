"""The history of an action in words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from reviews.choices import ActionStatus
from reviews.models import Action


@dataclass(frozen=True)
class DescribedChange:
    """One field of one change: its name, what it was and what it became, as text."""

    at: datetime.datetime
    actor: str
    field: str
    old: str
    new: str


def described_changes(action: Action) -> Sequence[DescribedChange]:
    """What changed, newest first."""
    labels = {field.name: str(field.verbose_name) for field in Action._meta.fields}
    statuses = {code: str(label) for code, label in ActionStatus.choices}
    return [
        DescribedChange(
            at=change.at,
            actor=str(change.actor) if change.actor else _("API"),
            field=labels[field],
            old=statuses.get(old, str(old or "")) if field == "status" else str(old or ""),
            new=statuses.get(new, str(new or "")) if field == "status" else str(new or ""),
        )
        for change in action.history.select_related("actor")
        for field, (old, new) in change.changes.items()
    ]
